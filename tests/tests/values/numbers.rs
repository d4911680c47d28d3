//! Arithmetic, comparison and conversion of numbers, in integers of any length.

use std::cmp::Ordering;

use num_bigint::BigInt;

use crate::value::{Type, Value, ten};

/// A written number, exactly, if 38 digits hold it.
pub fn exact(text: &str) -> Option<(BigInt, u8)> {
    let (value, scale) = parse(text, 10_000)?;
    // Zeros behind the point that an exponent takes away do not count; those that are written do.
    let scale = u8::try_from(scale.max(0)).ok().filter(|scale| *scale <= 38)?;
    (value.magnitude().to_string().len() <= 38).then_some((value, scale))
}

/// Unscaled value and scale of `[+-]digits[.digits][e[+-]digits]`; exponents beyond `most` are as good as those.
fn parse(text: &str, most: i64) -> Option<(BigInt, i64)> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => {
            let exponent = &rest[at + 1..];
            if !digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) {
                return None;
            }
            let far = if exponent.starts_with('-') { -most } else { most };
            (&rest[..at], exponent.parse::<i64>().map_or(far, |e| e.clamp(-most, most)))
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    if !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let fraction = fraction.unwrap_or("");
    let value: BigInt = format!("{whole}{fraction}").parse().ok()?;
    let scale = fraction.len() as i64 - exponent;
    let (value, scale) = if scale < 0 { (value * ten(u32::try_from(-scale).ok()?), 0) } else { (value, scale) };
    Some((value * sign, scale))
}

/// The type of a number beside nothing.
pub fn alone(text: &str) -> Type {
    if text.contains('e') { Type::Double } else { beside_exact(text) }
}

/// The type of a number beside whole numbers and decimals.
pub fn beside_exact(text: &str) -> Type {
    match exact(text) {
        Some((value, 0)) if i64::try_from(&value).is_ok() => Type::Long,
        Some((_, scale)) => Type::Decimal(scale),
        None => Type::Double,
    }
}

/// A written number as a value of a type, if that holds it.
pub fn written(text: &str, as_type: Type) -> Option<Value> {
    let whole = || {
        exact(text)
            .and_then(|(value, scale)| (&value % ten(scale.into()) == BigInt::ZERO).then(|| value / ten(scale.into())))
    };
    Some(match as_type {
        Type::Int => Value::Whole(i32::try_from(whole()?).ok()?.into()),
        Type::Long => Value::Whole(i64::try_from(whole()?).ok()?.into()),
        Type::Float => {
            let value: f32 = text.parse().ok()?;
            let kept = value.is_finite() && (value != 0.0 || text.parse::<f64>().ok()? == 0.0);
            kept.then_some(Value::Float(value))?
        }
        Type::Double => Value::Double(text.parse().ok()?),
        Type::Decimal(scale) => {
            let (value, own) = exact(text)?;
            fits(value * ten(u32::from(scale.checked_sub(own)?)), scale, 38)?
        }
        _ => return None,
    })
}

fn fits(value: BigInt, scale: u8, digits: u32) -> Option<Value> {
    (BigInt::from(value.magnitude().clone()) < ten(digits)).then_some(Value::Decimal(value, scale))
}

/// Unscaled value and scale of an exact number.
fn unscaled(value: &Value) -> Option<(BigInt, u8)> {
    match value {
        Value::Whole(value) => Some(((*value).into(), 0)),
        Value::Decimal(value, scale) => Some((value.clone(), *scale)),
        _ => None,
    }
}

/// The nearest double.
pub fn double(value: &Value) -> f64 {
    match value {
        Value::Double(value) => *value,
        Value::Float(value) => f64::from(*value),
        other => {
            let (value, scale) = unscaled(other).expect("a number");
            format!("{value}e-{scale}").parse().expect("a number")
        }
    }
}

/// Nearest, halves to even where `even`, else away from zero.
fn divided(a: &BigInt, b: &BigInt, even: bool) -> BigInt {
    let (quotient, rest) = (a / b, a % b);
    let twice: BigInt = BigInt::from(rest.magnitude().clone()) * 2;
    let up = match twice.cmp(&BigInt::from(b.magnitude().clone())) {
        Ordering::Less => false,
        Ordering::Equal => !even || &quotient % 2 != BigInt::ZERO,
        Ordering::Greater => true,
    };
    if !up {
        quotient
    } else if (a < &BigInt::ZERO) == (b < &BigInt::ZERO) {
        quotient + 1
    } else {
        quotient - 1
    }
}

pub fn arithmetic(op: &str, a: &Value, b: &Value, result: Type) -> Option<Value> {
    if result == Type::Double {
        let (a, b) = (double(a), double(b));
        return Some(Value::Double(match op {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" | "%" if b == 0.0 => return None,
            "/" => a / b,
            _ => a % b,
        }));
    }
    let ((a, s), (b, t)) = (unscaled(a)?, unscaled(b)?);
    if matches!(op, "/" | "%") && b == BigInt::ZERO {
        return None;
    }
    let most = s.max(t);
    let (up, by) = (ten(u32::from(most - s)), ten(u32::from(most - t)));
    let value = match op {
        "+" => a * up + b * by,
        "-" => a * up - b * by,
        "*" => a * b,
        "%" => (a * up) % (b * by),
        _ if result == Type::Long => a / b,
        _ => divided(&(a * ten(u32::from(t) + 4)), &b, true),
    };
    match result {
        Type::Long => Some(Value::Whole(i64::try_from(value).ok()?.into())),
        _ => fits(value, result.scale(), 38),
    }
}

/// The order of two numbers; none beside what is not one.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(_) | Value::Double(_), _) | (_, Value::Float(_) | Value::Double(_)) => {
            double(a).partial_cmp(&double(b))
        }
        _ => {
            let ((a, s), (b, t)) = (unscaled(a)?, unscaled(b)?);
            Some((a * ten(t.into())).cmp(&(b * ten(s.into()))))
        }
    }
}

/// A number in another type of numbers, with room for so many digits.
pub fn cast(value: &Value, to: Type, digits: u32) -> Option<Value> {
    let whole = |value: BigInt| -> Option<Value> {
        let value = i64::try_from(value).ok()?;
        (to == Type::Long || i32::try_from(value).is_ok()).then_some(Value::Whole(value.into()))
    };
    Some(match (value, to) {
        (_, Type::Double) => Value::Double(double(value)),
        (Value::Float(value), Type::Float) => Value::Float(*value),
        (Value::Double(value), Type::Float) => {
            let near = *value as f32;
            (near.is_finite() || !value.is_finite()).then_some(Value::Float(near))?
        }
        (_, Type::Float) => {
            let (value, scale) = unscaled(value)?;
            Value::Float(format!("{value}e-{scale}").parse().ok()?)
        }
        (Value::Float(_) | Value::Double(_), _) => {
            let (value, power) = ratio(double(value))?;
            let scaled = value * ten(to.scale().into());
            let unit = BigInt::from(2).pow(power.unsigned_abs());
            match (power < 0, to) {
                (false, Type::Decimal(scale)) => fits(scaled * unit, scale, digits)?,
                (true, Type::Decimal(scale)) => fits(divided(&scaled, &unit, false), scale, digits)?,
                (false, _) => whole(scaled * unit)?,
                (true, _) => whole(scaled / unit)?,
            }
        }
        (_, Type::Decimal(scale)) => {
            let (value, own) = unscaled(value)?;
            fits(divided(&(value * ten(scale.into())), &ten(own.into()), false), scale, digits)?
        }
        _ => {
            let (value, scale) = unscaled(value)?;
            whole(value / ten(scale.into()))?
        }
    })
}

/// A finite double as `m · 2^p`.
fn ratio(value: f64) -> Option<(BigInt, i32)> {
    let (bits, finite) = (value.to_bits(), value.is_finite());
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let magnitude = if exponent == 0 { fraction } else { fraction + (1 << 52) };
    let sign = if value.is_sign_negative() { -1 } else { 1 };
    finite.then(|| (BigInt::from(magnitude) * sign, exponent.max(1) - 1_075))
}

/// What a text says as a number of a type.
pub fn read(text: &str, to: Type, digits: u32) -> Option<Value> {
    let (value, scale) = parse(text, 500)?;
    match to {
        Type::Double => Some(Value::Double(text.parse().ok().filter(|v: &f64| v.is_finite())?)),
        Type::Float => Some(Value::Float(text.parse().ok().filter(|v: &f32| v.is_finite())?)),
        Type::Decimal(to) => {
            let scaled = divided(&(value * ten(to.into())), &ten(u32::try_from(scale).ok()?), false);
            fits(scaled, to, digits)
        }
        _ => {
            let value = i64::try_from(value / ten(u32::try_from(scale).ok()?)).ok()?;
            (to == Type::Long || i32::try_from(value).is_ok()).then_some(Value::Whole(value.into()))
        }
    }
}

/// `-`, `abs` and `signum`.
pub fn sign(name: &str, value: &Value) -> Option<Value> {
    let to_long = |value: i128| i64::try_from(value).ok().map(|value| Value::Whole(value.into()));
    Some(match (name, value) {
        ("-", Value::Double(v)) => Value::Double(-v),
        ("-", Value::Float(v)) => Value::Float(-v),
        ("-", Value::Decimal(v, s)) => Value::Decimal(-v, *s),
        ("-", Value::Whole(v)) => to_long(-v)?,
        ("abs", Value::Double(v)) => Value::Double(v.abs()),
        ("abs", Value::Float(v)) => Value::Float(v.abs()),
        ("abs", Value::Decimal(v, s)) => Value::Decimal(v.magnitude().clone().into(), *s),
        ("abs", Value::Whole(v)) => to_long(v.abs())?,
        (_, Value::Double(_) | Value::Float(_)) => {
            let v = double(value);
            Value::Double(if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            })
        }
        (_, exact) => Value::Whole(match unscaled(exact)?.0.cmp(&BigInt::ZERO) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
    })
}

/// `round`, `trunc`, `ceil`, `floor`, to so many digits after the point.
pub fn round(name: &str, value: &Value, digits: Option<i128>) -> Option<Value> {
    let keep = digits.unwrap_or(0);
    if let Value::Float(_) | Value::Double(_) = value {
        return Some(Value::Double(round_double(name, double(value), keep)));
    }
    let is_long = matches!(value, Value::Whole(_));
    let (value, scale) = unscaled(value)?;
    let dropped = (i128::from(scale) - keep).clamp(0, 400) as u32;
    let unit = ten(dropped);
    let floor = {
        let rest = ((&value % &unit) + &unit) % &unit;
        (&value - rest) / &unit
    };
    let is_whole = &value % &unit == BigInt::ZERO;
    let quotient = match name {
        "round" => divided(&value, &unit, false),
        "trunc" => &value / &unit,
        "ceil" if !is_whole => floor + 1,
        _ => floor,
    };
    let back = quotient * &unit;
    match (scale, digits) {
        _ if is_long => Some(Value::Whole(i64::try_from(back).ok()?.into())),
        (scale, None) => fits(back / ten(scale.into()), 0, 38),
        (scale, Some(_)) => fits(back, scale, 38),
    }
}

fn round_double(name: &str, value: f64, keep: i128) -> f64 {
    let whole = |v: f64| match name {
        "round" => v.round(),
        "trunc" => v.trunc(),
        "ceil" => v.ceil(),
        _ => v.floor(),
    };
    let power: f64 = format!("1e{}", keep.unsigned_abs()).parse().expect("a number");
    match keep {
        0 => whole(value),
        _ if !value.is_finite() => value,
        1.. => {
            let scaled = value * power;
            if scaled.abs() < 2_f64.powi(52) { whole(scaled) / power } else { value }
        }
        _ => {
            let scaled = whole(value / power);
            if scaled == 0.0 { scaled } else { scaled * power }
        }
    }
}

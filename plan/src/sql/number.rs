//! Numbers as text: the literals of expressions, which keep what was written, and the one grammar of casts.

use arrow::array::{ArrayRef, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::i256;
use arrow_schema::DataType;
use std::sync::Arc;

/// Digits of the widest decimal.
pub(super) const DIGITS: u8 = 38;

/// A number as it was written, exactly: `digits / 10^scale`, or a text that only a double can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    text: String,
    /// Unscaled value and scale, where 38 digits hold it.
    exact: Option<(i128, u8)>,
    exponent: bool,
}

impl Number {
    /// Reads a literal of SQL: digits with a point and an exponent, without a sign. `None`: it is not one, or no double is near it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let double: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        let exponent = text.contains(['e', 'E']);
        let exact = exact(text);
        let is_zero =
            exact.is_some_and(|(value, _)| value == 0) || !text.contains(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
        (is_zero || double != 0.0).then(|| Self { text: text.to_owned(), exact, exponent })
    }

    pub(super) fn negated(&self) -> Self {
        let text = self.text.strip_prefix('-').map_or_else(|| format!("-{}", self.text), str::to_owned);
        Self { text, exact: self.exact.map(|(value, scale)| (-value, scale)), exponent: self.exponent }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The whole number that it is, if it is one of 64 bits.
    pub(super) fn whole(&self) -> Option<i64> {
        let (value, scale) = self.exact?;
        let unit = 10_i128.pow(u32::from(scale));
        (value % unit == 0).then(|| i64::try_from(value / unit).ok())?
    }

    /// The type that it has beside nothing: long, decimal, or double when it has an exponent or too many digits.
    pub(super) fn natural(&self) -> DataType {
        if self.exponent { DataType::Float64 } else { self.exact_type() }
    }

    /// The narrowest exact type that holds it, or double: what it is beside whole numbers and decimals.
    pub(super) fn exact_type(&self) -> DataType {
        match self.exact {
            Some((value, 0)) if i64::try_from(value).is_ok() => DataType::Int64,
            _ => self.decimal_type(),
        }
    }

    /// The narrowest decimal that holds it, or double.
    pub(super) fn decimal_type(&self) -> DataType {
        match self.exact {
            Some((value, scale)) => DataType::Decimal128(digits(value).max(scale).max(1), scale as i8),
            None => DataType::Float64,
        }
    }

    pub(super) fn double(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The nearest float, if that is neither infinite nor zero for another number.
    pub(super) fn float(&self) -> Option<f32> {
        let value: f32 = self.text.parse().ok()?;
        (value.is_finite() && (value != 0.0 || self.double() == 0.0)).then_some(value)
    }

    /// As one value of a type that holds it exactly, or of a floating-point type.
    pub(super) fn value(&self, data_type: &DataType) -> Option<ArrayRef> {
        Some(match data_type {
            DataType::Int32 => Arc::new(Int32Array::from(vec![i32::try_from(self.whole()?).ok()?])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![self.whole()?])),
            DataType::Float32 => Arc::new(Float32Array::from(vec![self.float()?])),
            DataType::Float64 => Arc::new(Float64Array::from(vec![self.double()])),
            DataType::Decimal128(precision, scale) => {
                let (value, own) = self.exact?;
                let up = u32::try_from(i32::from(*scale) - i32::from(own)).ok()?;
                let value = value.checked_mul(10_i128.checked_pow(up)?)?;
                let array = Decimal128Array::from(vec![value]).with_precision_and_scale(*precision, *scale).ok()?;
                (digits(value) <= *precision).then(|| Arc::new(array) as ArrayRef)?
            }
            _ => return None,
        })
    }
}

/// Decimal digits of a number, at least none.
fn digits(value: i128) -> u8 {
    value.unsigned_abs().checked_ilog10().map_or(0, |log| log as u8 + 1)
}

/// The unscaled value and the scale of digits with a point and an exponent.
fn exact(text: &str) -> Option<(i128, u8)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((0, u8::try_from(fraction.len()).ok().filter(|scale| *scale <= DIGITS).unwrap_or(0)));
    }
    let scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let zeros = usize::try_from(scale.checked_neg()?.clamp(0, i64::from(DIGITS) + 1)).ok()?;
    let scale = u8::try_from(scale.max(0)).ok().filter(|scale| *scale <= DIGITS)?;
    if significant.len() + zeros > usize::from(DIGITS) {
        return None;
    }
    Some((format!("{significant}{}", "0".repeat(zeros)).parse().ok()?, scale))
}

/// What a text of the one grammar of casts says: `[+-]digits[.digits][e[+-]digits]`, no blanks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    text: &'a str,
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// The exponent; one that 32 bits do not hold is as far away.
    exponent: i32,
}

/// What happens to digits behind the last that is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Dropped,
    /// Halves away from zero.
    Rounded,
}

impl<'a> Written<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = |part: &'a str| part.strip_prefix(['+', '-']).unwrap_or(part);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) if is_number(unsigned(exponent)) => {
                let far = if exponent.starts_with('-') { i32::MIN } else { i32::MAX };
                (mantissa, exponent.parse().unwrap_or(far))
            }
            Some(_) => return None,
            None => (text, 0),
        };
        let bare = unsigned(mantissa);
        let (whole, fraction) = match bare.split_once('.') {
            Some((whole, fraction)) if is_number(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (bare, ""),
        };
        is_number(whole).then(|| Self { text, negative: mantissa.starts_with('-'), whole, fraction, exponent })
    }

    /// The nearest double, unless it is beyond the largest.
    pub(super) fn double(&self) -> Option<f64> {
        self.text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The nearest float, unless it is beyond the largest.
    pub(super) fn float(&self) -> Option<f32> {
        self.text.parse().ok().filter(|value: &f32| value.is_finite())
    }

    /// The whole part, towards zero.
    pub(super) fn whole(&self) -> Option<i64> {
        i64::try_from(self.scaled(0, Rest::Dropped)?.to_i128()?).ok()
    }

    /// With `scale` digits after the point, rounded half away from zero.
    pub(super) fn decimal(&self, scale: i8) -> Option<i256> {
        self.scaled(scale, Rest::Rounded)
    }

    /// In units of `10^-scale`, of which 76 digits hold it.
    fn scaled(&self, scale: i8, rest: Rest) -> Option<i256> {
        const MOST: usize = 76;
        let digits = format!("{}{}", self.whole, self.fraction);
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(i256::ZERO);
        }
        let shift = i64::from(self.exponent) + i64::from(scale) - i64::try_from(self.fraction.len()).ok()?;
        let (zeros, cut) = (usize::try_from(shift.max(0)).ok()?, usize::try_from(shift.min(0).unsigned_abs()).ok()?);
        let kept = digits.len().saturating_sub(cut);
        if kept.checked_add(zeros)? > MOST {
            return None;
        }
        let value = i256::from_string(&format!("0{}{}", &digits[..kept], "0".repeat(zeros)))?;
        let next = if cut > digits.len() { b'0' } else { digits.as_bytes().get(kept).copied().unwrap_or(b'0') };
        let up = rest == Rest::Rounded && next >= b'5';
        let value = if up { value.checked_add(i256::ONE)? } else { value };
        Some(if self.negative { value.wrapping_neg() } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_keep_what_was_written() {
        let kinds = [
            ("1", DataType::Int64),
            ("9223372036854775808", DataType::Decimal128(19, 0)),
            ("1.50", DataType::Decimal128(3, 2)),
            ("0.01", DataType::Decimal128(2, 2)),
            ("1e3", DataType::Float64),
            ("10000000000000000000000000000000000000000", DataType::Float64),
        ];
        for (text, kind) in kinds {
            assert_eq!(Number::read(text).map(|number| number.natural()), Some(kind), "{text}");
        }
        for text in ["1e400", "1e-400", "x", ""] {
            assert_eq!(Number::read(text), None, "{text}");
        }
        assert_eq!(Number::read("9223372036854775808").and_then(|n| n.negated().whole()), Some(i64::MIN));
        assert_eq!(Number::read("1e-2").map(|n| n.exact_type()), Some(DataType::Decimal128(2, 2)));
        assert_eq!(Number::read("0.1").and_then(|n| n.float()), Some(0.1));
        assert_eq!(Number::read("1e300").and_then(|n| n.float()), None);
    }

    #[test]
    fn texts_are_numbers_by_one_grammar() {
        for text in
            ["", " ", " 1", "1 ", ".5", "5.", "+", "-", "1e", "e1", "1_000", "0x1", "inf", "NaN", "--1", "1.2.3", "１"]
        {
            assert!(Written::read(text).is_none(), "'{text}'");
        }
        let read = |text| Written::read(text).unwrap_or_else(|| panic!("'{text}' is a number"));
        assert_eq!(read("+1.7").whole(), Some(1));
        assert_eq!(read("-9223372036854775808").whole(), Some(i64::MIN));
        assert_eq!(read("9223372036854775808").whole(), None);
        assert_eq!(read("1e3").whole(), Some(1000));
        assert_eq!(read("-1.999e2").whole(), Some(-199));
        assert_eq!(read("1e-400").whole(), Some(0));
        assert_eq!(read("0e99999999999").whole(), Some(0));
        assert_eq!(read("1e99999999999").whole(), None);
        assert_eq!(read("5e-3").decimal(2), Some(i256::ONE));
        assert_eq!(read("49e-4").decimal(2), Some(i256::ZERO));
        assert_eq!(read("9e-99999999999").decimal(2), Some(i256::ZERO));
        assert_eq!(read("1e3").double(), Some(1000.0));
        assert_eq!(read("-1.005").decimal(2), Some(i256::from_i128(-101)));
        assert_eq!(read("007").decimal(1), Some(i256::from_i128(70)));
    }
}

//! Conversions. What the other type has no value for is null.

use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::types::{Float32Type, Float64Type};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::i256;
use arrow_schema::{DataType, TimeUnit};

use super::arithmetic::nulls;
use super::{Result, Value, lanes, make, round};
use crate::sql::calendar::{self, DAY};
use crate::sql::node::Rounding;
use crate::sql::number::Written;
use crate::types::{Kind, kind as kind_of};

const MILLISECOND: i128 = 1_000_000;

pub(super) fn cast(value: &Value, to: &DataType, len: usize) -> Result<ArrayRef> {
    let from = value.array.data_type();
    if from == to {
        return Ok(Arc::clone(&value.array));
    }
    if *to == DataType::Utf8 {
        return text(value, len);
    }
    match kind_of(from) {
        Kind::Text => from_text(value, to, len),
        Kind::Boolean => {
            let bits = value.array.as_boolean();
            let wholes: Vec<_> = (0..len).map(|row| Some(i64::from(bits.value(row)))).collect();
            let whole = Value {
                array: make::wholes(&wholes, nulls(value), &DataType::Int64),
                scalar: value.scalar,
                failed: None,
            };
            cast(&whole, to, len)
        }
        Kind::Number => from_number(value, to, len),
        _ => from_time(value, to, len),
    }
}

fn from_number(value: &Value, to: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    let floating = matches!(value.array.data_type(), DataType::Float32 | DataType::Float64);
    match to {
        DataType::Boolean if floating => {
            let values = lanes::doubles(value)?.map(len, |v| (!v.is_nan()).then_some(v != 0.0));
            Ok(masked(values, nulls.as_ref()))
        }
        DataType::Boolean => Ok(masked(lanes::wides(value)?.0.map(len, |v| Some(v != i256::ZERO)), nulls.as_ref())),
        DataType::Float64 => {
            Ok(Arc::new(make::column::<Float64Type>(lanes::doubles(value)?.map(len, |v| v), nulls, None)))
        }
        DataType::Float32 if *value.array.data_type() == DataType::Float64 => {
            let narrow = |v: f64| Some(v as f32).filter(|narrow| narrow.is_finite() || !v.is_finite());
            Ok(make::floats(&lanes::doubles(value)?.map(len, narrow), nulls))
        }
        DataType::Float32 => {
            // Decimals and whole numbers are rounded once, not by way of a double.
            let (values, scale) = lanes::wides(value)?;
            let near = |v: i256| format!("{v}e-{scale}").parse::<f32>().ok().filter(|v| v.is_finite());
            Ok(Arc::new(make::optional::<Float32Type>(&values.map(len, near), nulls)))
        }
        DataType::Int32 | DataType::Int64 => {
            let values = if floating {
                lanes::doubles(value)?.map(len, truncated)
            } else {
                let (values, scale) = lanes::wides(value)?;
                let unit = lanes::wide_ten(scale);
                values.map(len, |v| i64::try_from(v.checked_div(unit?)?.to_i128()?).ok())
            };
            Ok(make::wholes(&values, nulls, to))
        }
        DataType::Decimal128(_, scale) => {
            let to_scale = scale.unsigned_abs();
            let values = if floating {
                lanes::doubles(value)?.map(len, |v| exact(v, to_scale))
            } else {
                let (values, from_scale) = lanes::wides(value)?;
                values.map(len, |v| rescaled(v, from_scale, to_scale)?.to_i128())
            };
            make::decimals(&values, nulls, to)
        }
        DataType::Date32 => times(lanes::whole(value)?.map(len, |days| i128::from(days) * DAY), value, to),
        _ => times(lanes::whole(value)?.map(len, |millis| i128::from(millis) * MILLISECOND), value, to),
    }
}

fn masked(values: Vec<Option<bool>>, nulls: Option<&arrow::buffer::NullBuffer>) -> ArrayRef {
    let known = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    Arc::new(values.into_iter().enumerate().map(|(row, value)| value.filter(|_| known(row))).collect::<BooleanArray>())
}

/// Times inside the calendar, and nothing for those outside.
fn times(values: Vec<i128>, of: &Value, to: &DataType) -> Result<ArrayRef> {
    let known: Vec<_> = values.into_iter().map(|time| Some(time).filter(|time| calendar::is_known(*time))).collect();
    make::times(&known, nulls(of), to)
}

/// Towards zero.
fn truncated(value: f64) -> Option<i64> {
    let whole = value.trunc();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole).then_some(whole as i64)
}

/// With another number of digits after the point, rounded half away from zero.
fn rescaled(value: i256, from: u8, to: u8) -> Option<i256> {
    if to >= from {
        return value.checked_mul(lanes::wide_ten(to - from)?);
    }
    round::exact(Rounding::Nearest, value, from, i64::from(to))?.checked_div(lanes::wide_ten(from - to)?)
}

/// The exact value of a double, rounded half away from zero to `scale` digits after the point.
fn exact(value: f64, scale: u8) -> Option<i128> {
    if !value.is_finite() {
        return None;
    }
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = i128::from(bits & ((1 << 52) - 1));
    let (mantissa, power) = if exponent == 0 { (fraction, -1_074) } else { (fraction | 1 << 52, exponent - 1_075) };
    let scaled = i256::from_i128(mantissa).checked_mul(lanes::wide_ten(scale)?)?;
    let magnitude = if power >= 0 {
        scaled.checked_mul(i256::from_i128(2).checked_pow(power.unsigned_abs())?)?
    } else if power < -253 {
        i256::ZERO
    } else {
        let unit = i256::from_i128(2).checked_pow(power.unsigned_abs())?;
        let (whole, rest) = (scaled.checked_div(unit)?, scaled.checked_rem(unit)?);
        if rest >= unit.checked_sub(rest)? { whole.checked_add(i256::ONE)? } else { whole }
    };
    let magnitude = magnitude.to_i128()?;
    Some(if value < 0.0 { -magnitude } else { magnitude })
}

fn from_text(value: &Value, to: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    let texts = value.array.as_string::<i32>();
    let read = |row: usize| Written::read(texts.value(row));
    let rows = 0..len;
    Ok(match to {
        DataType::Boolean => {
            let values = rows.map(|row| match texts.value(row) {
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            });
            masked(values.collect(), nulls.as_ref())
        }
        DataType::Float64 => make::doubles(&rows.map(|row| read(row)?.double()).collect::<Vec<_>>(), nulls),
        DataType::Float32 => make::floats(&rows.map(|row| read(row)?.float()).collect::<Vec<_>>(), nulls),
        DataType::Int32 | DataType::Int64 => {
            make::wholes(&rows.map(|row| read(row)?.whole()).collect::<Vec<_>>(), nulls, to)
        }
        DataType::Decimal128(_, scale) => {
            let values: Vec<_> = rows.map(|row| read(row)?.decimal(*scale)?.to_i128()).collect();
            make::decimals(&values, nulls, to)?
        }
        DataType::Date32 => {
            let day = |row: usize| {
                let text = texts.value(row);
                if text.len() == 10 { Some(calendar::read_day(text)? * DAY) } else { calendar::read_time(text) }
            };
            make::times(&rows.map(day).collect::<Vec<_>>(), nulls, to)?
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            make::times(&rows.map(|row| calendar::read_clock(texts.value(row))).collect::<Vec<_>>(), nulls, to)?
        }
        _ => make::times(&rows.map(|row| calendar::read_time(texts.value(row))).collect::<Vec<_>>(), nulls, to)?,
    })
}

fn from_time(value: &Value, to: &DataType, len: usize) -> Result<ArrayRef> {
    let is_date = *value.array.data_type() == DataType::Date32;
    let nanos = lanes::nanos(value)?;
    match to {
        DataType::Int32 | DataType::Int64 => {
            let unit = if is_date { DAY } else { MILLISECOND };
            let values = nanos.map(len, |time| i64::try_from(time.div_euclid(unit)).ok());
            Ok(make::wholes(&values, nulls(value), to))
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            let clock = |time: i128| calendar::is_known(time).then(|| time.rem_euclid(DAY));
            make::times(&nanos.map(len, clock), nulls(value), to)
        }
        _ => times(nanos.map(len, |time| time), value, to),
    }
}

/// As text; numbers as SQL writes them, doubles with the fewest digits that read back as the same.
fn text(value: &Value, len: usize) -> Result<ArrayRef> {
    let array = &value.array;
    let mut out = StringBuilder::with_capacity(len, len * 8);
    let nulls = array.logical_nulls();
    let mut push =
        |row: usize, text: Option<String>| match text.filter(|_| nulls.as_ref().is_none_or(|n| n.is_valid(row))) {
            Some(text) => out.append_value(text),
            None => out.append_null(),
        };
    match array.data_type() {
        DataType::Boolean => (0..len).for_each(|row| push(row, Some(array.as_boolean().value(row).to_string()))),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            (0..len).for_each(|row| push(row, Some(format!("{:?}", values.value(row)))));
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            (0..len).for_each(|row| push(row, Some(format!("{:?}", values.value(row)))));
        }
        DataType::Date32 => {
            let days = lanes::nanos(value)?.map(len, |time| calendar::day_text(time / DAY));
            days.into_iter().enumerate().for_each(|(row, text)| push(row, text));
        }
        DataType::Timestamp(_, zone) => {
            let times = lanes::nanos(value)?.map(len, |time| calendar::time_text(time, zone.is_some()));
            times.into_iter().enumerate().for_each(|(row, text)| push(row, text));
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let clock = |time| (0..DAY).contains(&time).then(|| calendar::clock_text(time));
            let clocks = lanes::nanos(value)?.map(len, clock);
            clocks.into_iter().enumerate().for_each(|(row, text)| push(row, text));
        }
        _ => {
            let (values, scale) = lanes::wides(value)?;
            (0..len).for_each(|row| push(row, Some(fixed(values.get(row), scale))));
        }
    }
    Ok(Arc::new(out.finish()))
}

/// A decimal with all its digits after the point.
fn fixed(unscaled: i256, scale: u8) -> String {
    let text = unscaled.to_string();
    if scale == 0 {
        return text;
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    format!("{sign}{whole}.{fraction}")
}

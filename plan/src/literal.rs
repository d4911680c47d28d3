//! Literals of rules: text that takes the type of the field it is compared with, exactly or not at all.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use arrow_schema::DataType;
use datafusion_common::ScalarValue;

use crate::{sql, types};

/// Reads a literal as a value of the field's type.
///
/// # Errors
/// What is allowed, in words, when the text is not such a value or would have to be rounded.
pub(crate) fn read(text: &str, data_type: &DataType) -> Result<ScalarValue, String> {
    match data_type {
        DataType::Utf8 => Ok(ScalarValue::Utf8(Some(text.to_owned()))),
        DataType::Dictionary(_, value) => read(text, value),
        DataType::Boolean => {
            let value = text.parse().map_err(|_| "allowed are 'true' and 'false'".to_owned())?;
            Ok(ScalarValue::Boolean(Some(value)))
        }
        DataType::Int32 => whole(text, i32::MIN..=i32::MAX).map(|value| ScalarValue::Int32(Some(value))),
        DataType::Int64 => whole(text, i64::MIN..=i64::MAX).map(|value| ScalarValue::Int64(Some(value))),
        DataType::Float32 => finite(text).map(|value: f32| ScalarValue::Float32(Some(value))),
        DataType::Float64 => finite(text).map(|value: f64| ScalarValue::Float64(Some(value))),
        DataType::Decimal128(precision, scale) => {
            decimal(text, *precision, *scale).map(|value| ScalarValue::Decimal128(Some(value), *precision, *scale))
        }
        DataType::Date32 => parsed(text, data_type, "a date, for example '2026-11-23'"),
        DataType::Timestamp(_, _) => parsed(text, data_type, "a UTC time, for example '2026-11-23T10:15:00Z'"),
        other => Err(format!("a field that is {} cannot be compared with a literal", types::a(other))),
    }
}

fn whole<T: FromStr + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    text.parse().map_err(|_| format!("allowed are whole numbers from {} to {}", range.start(), range.end()))
}

fn finite<T: FromStr + Into<f64> + Copy>(text: &str) -> Result<T, String> {
    let value: Option<T> = text.parse().ok().filter(|value: &T| (*value).into().is_finite());
    value.ok_or_else(|| "allowed are numbers".to_owned())
}

fn parsed(text: &str, data_type: &DataType, allowed: &str) -> Result<ScalarValue, String> {
    sql::read_time(text, data_type).ok_or_else(|| format!("allowed is {allowed}"))
}

/// Reads a decimal number as its unscaled value. Nothing is rounded: more digits than the scale are refused, unless zeros.
fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, String> {
    let allowed = || {
        let places = usize::try_from(scale).unwrap_or(0);
        format!(
            "allowed are numbers with at most {} digits before and {places} after the point",
            usize::from(precision) - places
        )
    };
    let scale = usize::try_from(scale).map_err(|_| allowed())?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || digits.len() > 1;
    if !is_number(whole) || !is_number(fraction) || !has_digits || fraction.len() > scale {
        return Err(allowed());
    }
    let unscaled: i128 = format!("{whole}{fraction:0<scale$}").parse().map_err(|_| allowed())?;
    let limit = 10_i128.checked_pow(u32::from(precision)).ok_or_else(allowed)?;
    if unscaled >= limit {
        return Err(allowed());
    }
    Ok(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, unscaled) in [("0", 0), ("0.5", 50), ("-1.25", -125), (".5", 50), ("7.", 700), ("1.500", 150)] {
            assert_eq!(decimal(text, 12, 2), Ok(unscaled), "{text}");
        }
        for text in ["", ".", "-", "1.005", "1e3", "ten", "+1", "--1", "10000000000", "1.2.3"] {
            assert!(decimal(text, 12, 2).is_err(), "{text}");
        }
        assert_eq!(
            decimal("0.005", 12, 2),
            Err("allowed are numbers with at most 10 digits before and 2 after the point".to_owned())
        );
        assert_eq!(decimal("99999999999999999999999999999999999999", 38, 0), Ok(10_i128.pow(38) - 1));
    }

    #[test]
    fn times_are_read_as_utc() {
        let utc = DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("+00:00".into()));
        let value = read("1970-01-01T00:00:01Z", &utc);
        assert_eq!(value, Ok(ScalarValue::TimestampMillisecond(Some(1_000), Some("+00:00".into()))));
        assert!(read("soon", &utc).is_err());
    }
}

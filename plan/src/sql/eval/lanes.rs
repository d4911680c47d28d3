//! Columns as the kernels see them: plain values, one per row or one for all rows, in the width that is computed with.

use std::borrow::Cow;

use arrow::array::types::{Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::i256;
use arrow::error::ArrowError;
use arrow_schema::DataType;

use super::Value;

/// The values of an operand; those under nulls mean nothing.
pub(super) struct Lane<'a, T: Clone> {
    values: Cow<'a, [T]>,
    scalar: bool,
}

impl<'a, T: Copy> Lane<'a, T> {
    fn new(values: impl Into<Cow<'a, [T]>>, of: &Value) -> Self {
        Self { values: values.into(), scalar: of.scalar }
    }

    pub(super) fn get(&self, row: usize) -> T {
        self.values[if self.scalar { 0 } else { row }]
    }

    pub(super) fn any(&self, holds: impl Fn(T) -> bool) -> bool {
        self.values.iter().any(|value| holds(*value))
    }

    pub(super) fn map<R>(&self, rows: usize, f: impl Fn(T) -> R) -> Vec<R> {
        (0..rows).map(|row| f(self.get(row))).collect()
    }

    /// Row by row with another lane, without a branch in the loop.
    pub(super) fn zip<U: Copy, R>(&self, other: &Lane<'_, U>, rows: usize, f: impl Fn(T, U) -> R) -> Vec<R> {
        match (self.scalar, other.scalar) {
            (false, false) => self.values.iter().zip(other.values.iter()).map(|(a, b)| f(*a, *b)).collect(),
            (false, true) => {
                let b = other.values[0];
                self.values.iter().map(|a| f(*a, b)).collect()
            }
            (true, false) => {
                let a = self.values[0];
                other.values.iter().map(|b| f(a, *b)).collect()
            }
            (true, true) => (0..rows).map(|_| f(self.values[0], other.values[0])).collect(),
        }
    }
}

fn unexpected(value: &Value) -> ArrowError {
    ArrowError::ComputeError(format!("an operand is {}", value.array.data_type()))
}

/// As 64-bit whole numbers.
pub(super) fn whole(value: &Value) -> Result<Lane<'_, i64>, ArrowError> {
    let array = &value.array;
    Ok(match array.data_type() {
        DataType::Int64 => Lane::new(&array.as_primitive::<Int64Type>().values()[..], value),
        DataType::Int32 => Lane::new(
            array.as_primitive::<Int32Type>().values().iter().map(|v| i64::from(*v)).collect::<Vec<_>>(),
            value,
        ),
        _ => return Err(unexpected(value)),
    })
}

/// As floats, where they are floats.
pub(super) fn floats(value: &Value) -> Result<Lane<'_, f32>, ArrowError> {
    let array = value.array.as_primitive_opt::<Float32Type>().ok_or_else(|| unexpected(value))?;
    Ok(Lane::new(&array.values()[..], value))
}

/// As doubles: every number as the nearest one, halves to even.
pub(super) fn doubles(value: &Value) -> Result<Lane<'_, f64>, ArrowError> {
    let array = &value.array;
    let values: Vec<f64> = match array.data_type() {
        DataType::Float64 => return Ok(Lane::new(&array.as_primitive::<Float64Type>().values()[..], value)),
        DataType::Float32 => array.as_primitive::<Float32Type>().values().iter().map(|v| f64::from(*v)).collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().map(|v| *v as f64).collect(),
        DataType::Int32 => array.as_primitive::<Int32Type>().values().iter().map(|v| f64::from(*v)).collect(),
        DataType::Decimal128(_, scale) => {
            array.as_primitive::<Decimal128Type>().values().iter().map(|v| nearest(*v, *scale)).collect()
        }
        DataType::Decimal256(_, scale) => {
            let values = array.as_primitive::<Decimal256Type>().values().iter();
            values.map(|v| format!("{v}e-{scale}").parse().unwrap_or(f64::NAN)).collect()
        }
        _ => return Err(unexpected(value)),
    };
    Ok(Lane::new(values, value))
}

/// The double nearest to `unscaled / 10^scale`. Up to 2^53 and 10^22 both are doubles, so one division rounds once.
pub(super) fn nearest(unscaled: i128, scale: i8) -> f64 {
    const EXACT: u128 = 1 << 53;
    match usize::try_from(scale) {
        Ok(scale) if scale < POWERS.len() && unscaled.unsigned_abs() <= EXACT => unscaled as f64 / POWERS[scale],
        _ => format!("{unscaled}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN),
    }
}

/// The powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Unscaled decimals of 128 bits and their scale; `None` if they are wider.
pub(super) fn decimals(value: &Value) -> Result<Option<(Lane<'_, i128>, u8)>, ArrowError> {
    let array = &value.array;
    Ok(match array.data_type() {
        DataType::Decimal128(_, scale) => {
            Some((Lane::new(&array.as_primitive::<Decimal128Type>().values()[..], value), scale.unsigned_abs()))
        }
        DataType::Decimal256(_, _) => None,
        _ => {
            let whole = whole(value)?;
            Some((Lane::new(whole.values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>(), value), 0))
        }
    })
}

/// Unscaled decimals of 256 bits and their scale.
pub(super) fn wides(value: &Value) -> Result<(Lane<'_, i256>, u8), ArrowError> {
    if let DataType::Decimal256(_, scale) = value.array.data_type() {
        return Ok((
            Lane::new(&value.array.as_primitive::<Decimal256Type>().values()[..], value),
            scale.unsigned_abs(),
        ));
    }
    let Some((lane, scale)) = decimals(value)? else { return Err(unexpected(value)) };
    Ok((Lane::new(lane.values.iter().map(|v| i256::from_i128(*v)).collect::<Vec<_>>(), value), scale))
}

/// Times, clocks and spans as nanoseconds.
pub(super) fn nanos(value: &Value) -> Result<Lane<'_, i128>, ArrowError> {
    let array = &value.array;
    let raw = raw(array).ok_or_else(|| unexpected(value))?;
    let unit = unit(array.data_type()).ok_or_else(|| unexpected(value))?;
    Ok(Lane::new(raw.iter().map(|v| i128::from(*v) * unit).collect::<Vec<_>>(), value))
}

/// Times in the unit of their type.
fn raw(array: &ArrayRef) -> Option<Vec<i64>> {
    use arrow::array::types::{
        Date32Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
        Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    };
    use arrow_schema::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    macro_rules! of {
        ($kind:ty) => {
            array.as_primitive::<$kind>().values().iter().map(|v| i64::from(*v)).collect()
        };
    }
    Some(match array.data_type() {
        DataType::Date32 => of!(Date32Type),
        DataType::Timestamp(Second, _) => of!(TimestampSecondType),
        DataType::Timestamp(Millisecond, _) => of!(TimestampMillisecondType),
        DataType::Timestamp(Microsecond, _) => of!(TimestampMicrosecondType),
        DataType::Timestamp(Nanosecond, _) => of!(TimestampNanosecondType),
        DataType::Time32(Second) => of!(Time32SecondType),
        DataType::Time32(_) => of!(Time32MillisecondType),
        DataType::Time64(Microsecond) => of!(Time64MicrosecondType),
        DataType::Time64(_) => of!(Time64NanosecondType),
        DataType::Duration(Second) => of!(DurationSecondType),
        DataType::Duration(Millisecond) => of!(DurationMillisecondType),
        DataType::Duration(Microsecond) => of!(DurationMicrosecondType),
        DataType::Duration(Nanosecond) => of!(DurationNanosecondType),
        _ => return None,
    })
}

/// The unit of a type of times, in nanoseconds.
pub(super) fn unit(data_type: &DataType) -> Option<i128> {
    use arrow_schema::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    Some(match data_type {
        DataType::Date32 => crate::sql::calendar::DAY,
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) | DataType::Duration(unit) => {
            match unit {
                Second => 1_000_000_000,
                Millisecond => 1_000_000,
                Microsecond => 1_000,
                Nanosecond => 1,
            }
        }
        _ => return None,
    })
}

/// 10 to a power that 128 bits hold.
pub(super) fn ten(power: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(power))
}

/// 10 to a power that 256 bits hold.
pub(super) fn wide_ten(power: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::from(power))
}

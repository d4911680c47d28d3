//! Columns from computed values, where some have none.

use std::sync::Arc;

use arrow::array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow::array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::error::ArrowError;
use arrow_schema::DataType;

use super::Result;
use super::lanes::unit;

/// A column of values, null where an operand is and where the computation had no value.
pub(super) fn column<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    known: Option<NullBuffer>,
    has_value: Option<BooleanBuffer>,
) -> PrimitiveArray<T> {
    let nulls = match (known, has_value.map(NullBuffer::new)) {
        (Some(known), Some(has_value)) => NullBuffer::union(Some(&known), Some(&has_value)),
        (known, has_value) => known.or(has_value),
    };
    PrimitiveArray::new(values.into(), nulls)
}

/// A column of values that may be missing.
pub(super) fn optional<T: ArrowPrimitiveType>(
    values: &[Option<T::Native>],
    known: Option<NullBuffer>,
) -> PrimitiveArray<T> {
    let missing = values.iter().any(Option::is_none);
    let has_value = missing.then(|| BooleanBuffer::collect_bool(values.len(), |row| values[row].is_some()));
    column(values.iter().map(|value| value.unwrap_or_default()).collect(), known, has_value)
}

/// A column of whole numbers: int or long.
pub(super) fn wholes(values: &[Option<i64>], known: Option<NullBuffer>, kind: &DataType) -> ArrayRef {
    if *kind == DataType::Int32 {
        let values: Vec<_> = values.iter().map(|value| value.and_then(|value| i32::try_from(value).ok())).collect();
        return Arc::new(optional::<Int32Type>(&values, known));
    }
    Arc::new(optional::<Int64Type>(values, known))
}

/// A column of decimals; what has more digits than the type is null.
pub(super) fn decimals(values: &[Option<i128>], known: Option<NullBuffer>, kind: &DataType) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = kind else { return Err(other(kind)) };
    let limit = super::lanes::ten(*precision).unwrap_or(i128::MAX);
    let values: Vec<_> = values.iter().map(|value| value.filter(|value| -limit < *value && *value < limit)).collect();
    Ok(Arc::new(optional::<Decimal128Type>(&values, known).with_precision_and_scale(*precision, *scale)?))
}

/// A column of doubles or floats.
pub(super) fn doubles(values: &[Option<f64>], known: Option<NullBuffer>) -> ArrayRef {
    Arc::new(optional::<Float64Type>(values, known))
}

pub(super) fn floats(values: &[Option<f32>], known: Option<NullBuffer>) -> ArrayRef {
    Arc::new(optional::<Float32Type>(values, known))
}

/// A column of times or spans from nanoseconds, rounded down to the unit of the type.
pub(super) fn times(values: &[Option<i128>], known: Option<NullBuffer>, kind: &DataType) -> Result<ArrayRef> {
    let unit = unit(kind).ok_or_else(|| other(kind))?;
    let raw: Vec<Option<i64>> =
        values.iter().map(|value| value.and_then(|value| i64::try_from(value.div_euclid(unit)).ok())).collect();
    let narrow = matches!(kind, DataType::Date32 | DataType::Time32(_));
    let raw = if narrow { wholes(&raw, known, &DataType::Int32) } else { wholes(&raw, known, &DataType::Int64) };
    let data = raw.to_data().into_builder().data_type(kind.clone()).build()?;
    Ok(arrow::array::make_array(data))
}

fn other(kind: &DataType) -> ArrowError {
    ArrowError::ComputeError(format!("a result is {kind}"))
}

//! Measure arguments in the few shapes that accumulators fold: integers, wide integers, doubles, text.
//!
//! Decimals are their unscaled value; floating-point extremes are mapped to integers of the same (total) order, as IEEE 754-2008
//! section 5.10 defines it, where -0.0 is 0.0. What is no finite number is left out of every measure.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::error::Error;
use crate::evaluate::{Evaluated, Without, evaluate, evaluate_boolean, known_true};
use crate::program::{Function, Measure};

/// The values of one measure's argument for the rows of a fetch.
pub(crate) struct Argument {
    pub values: Values,
    /// Rows that are folded; `None` means all.
    pub folded: Option<BooleanBuffer>,
    /// Rows that are not although no field is missing: predicate or argument can not be computed, or is not finite.
    pub without: Option<Without>,
}

/// The shapes.
pub(crate) enum Values {
    /// `count(*)`: there is no value.
    Absent,
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
    /// What is folded of them is finite.
    Floats(ScalarBuffer<f64>),
    Text(StringArray),
}

impl Argument {
    /// Evaluates the argument and the predicate of `measure` over `rows`.
    pub(crate) fn of(measure: &Measure, rows: &RecordBatch) -> Result<Self, Error> {
        let argument = measure.argument.as_ref().map(|argument| evaluate(argument, rows, &measure.name)).transpose()?;
        let (array, mut without) =
            argument.map_or((None, None), |Evaluated { values, without }| (Some(values), without));
        let mut folded = array.as_ref().and_then(Array::logical_nulls).map(NullBuffer::into_inner);
        if let Some(without) = &without {
            let kept = !&without.any();
            folded = Some(folded.map_or_else(|| kept.clone(), |folded| &folded & &kept));
        }
        if let Some(predicate) = &measure.predicate {
            let (holds, unknown) = evaluate_boolean(predicate, rows, &measure.name)?;
            let holds = known_true(&holds);
            // What the predicate leaves out lacks no argument.
            let argument = without.and_then(|without| without.within(&holds));
            without = [argument, unknown].into_iter().flatten().reduce(|all, next| all.or(&next));
            folded = Some(folded.map_or_else(|| holds.clone(), |folded| &folded & &holds));
        }
        let values = match (&array, measure.function) {
            (None, _) | (_, Function::Count) => Values::Absent,
            (Some(array), _) => read(measure, array)?,
        };
        Ok(Self { values, folded, without })
    }
}

fn read(measure: &Measure, array: &ArrayRef) -> Result<Values, Error> {
    let wrong = || Error::ColumnType {
        what: format!("the argument of measure '{}'", measure.name),
        expected: "a number, a time, a boolean or text",
        found: array.data_type().clone(),
    };
    let narrow = |target: &DataType| -> Result<Values, Error> {
        let array = cast(array, target).map_err(Error::arrow("read a measure's argument"))?;
        Ok(Values::Narrow(array.as_primitive::<Int64Type>().values().to_vec()))
    };
    match array.data_type() {
        DataType::Utf8 => Ok(Values::Text(array.as_string::<i32>().clone())),
        DataType::Decimal128(_, _) => Ok(Values::Wide(array.as_primitive::<Decimal128Type>().values().to_vec())),
        DataType::UInt64 => {
            let array = cast(array, &DataType::Decimal128(20, 0)).map_err(Error::arrow("read a measure's argument"))?;
            Ok(Values::Wide(array.as_primitive::<Decimal128Type>().values().to_vec()))
        }
        DataType::Float32 | DataType::Float64 => {
            let array = cast(array, &DataType::Float64).map_err(Error::arrow("read a measure's argument"))?;
            let floats = array.as_primitive::<Float64Type>().values();
            Ok(match measure.function {
                Function::Min | Function::Max => Values::Narrow(floats.iter().map(|value| order_key(*value)).collect()),
                _ => Values::Floats(floats.clone()),
            })
        }
        DataType::Date32 => {
            Ok(Values::Narrow(array.as_primitive::<Date32Type>().values().iter().map(|day| i64::from(*day)).collect()))
        }
        kind if kind.is_integer() || matches!(kind, DataType::Boolean | DataType::Timestamp(_, _)) => {
            narrow(&DataType::Int64)
        }
        _ => Err(wrong()),
    }
}

/// The integer whose order among all keys is the total order of `value` among all floats; both zeros are one.
fn order_key(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The float of an [`order_key`].
pub(crate) fn from_order_key(key: i64) -> f64 {
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_sort_like_floats_and_come_back() {
        let sorted = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 3.0, f64::INFINITY];
        for pair in sorted.windows(2) {
            assert!(order_key(pair[0]) < order_key(pair[1]), "{pair:?}");
        }
        for value in sorted {
            assert_eq!(from_order_key(order_key(value)).to_bits(), value.to_bits());
        }
        assert_eq!(order_key(-0.0), order_key(0.0));
    }
}

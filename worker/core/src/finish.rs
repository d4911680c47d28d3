//! From merged state to the published column: the last step of a measure.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::argument::from_order_key;
use crate::error::Error;
use crate::program::{Function, Measure};
use crate::window::Window;

/// The published column of `measure` from its state columns.
pub(crate) fn finish(measure: &Measure, state: &[ArrayRef], window: Window) -> Result<ArrayRef, Error> {
    let overflow = || Error::Overflow { measure: measure.name.clone(), window };
    match measure.function {
        Function::Count => Ok(state[0].clone()),
        Function::Avg => {
            let (sums, counts) = (state[0].as_primitive::<Decimal128Type>(), state[1].as_primitive::<Int64Type>());
            let averages = sums.iter().zip(counts.iter()).map(|(sum, count)| {
                let Some((sum, count)) = sum.zip(count.filter(|count| *count > 0)) else { return Ok(None) };
                let scaled = 10_i128.checked_pow(extra_digits(measure)).and_then(|power| sum.checked_mul(power));
                Ok(Some(divide_half_even(scaled.ok_or_else(overflow)?, i128::from(count))))
            });
            typed(averages.collect::<Result<_, Error>>()?, measure).ok_or_else(overflow)
        }
        Function::Min | Function::Max if measure.input == DataType::Utf8 => Ok(state[0].clone()),
        Function::Sum | Function::Min | Function::Max => {
            let values = state[0].as_primitive::<Decimal128Type>().iter().collect();
            typed(values, measure).ok_or_else(overflow)
        }
    }
}

/// Decimal digits that an average gains over its argument.
fn extra_digits(measure: &Measure) -> u32 {
    let from = match measure.input {
        DataType::Decimal128(_, scale) => scale,
        _ if measure.is_float() => measure.scale,
        _ => 0,
    };
    let to = if let DataType::Decimal128(_, scale) = measure.output { scale } else { from };
    u32::try_from(to - from).unwrap_or(0)
}

/// `value / divisor` rounded half to even; `divisor` is positive.
fn divide_half_even(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

/// `values` as the measure's output type; nothing when one does not fit.
fn typed(values: Vec<Option<i128>>, measure: &Measure) -> Option<ArrayRef> {
    let narrow = |values: Vec<Option<i128>>| -> Option<Int64Array> {
        values.into_iter().map(|value| value.map(i64::try_from).transpose().ok()).collect()
    };
    match &measure.output {
        DataType::Decimal128(precision, _) => {
            let limit = 10_u128.checked_pow(u32::from(*precision))?;
            let fits = values.iter().flatten().all(|value| value.unsigned_abs() < limit);
            let array = values.into_iter().collect::<Decimal128Array>();
            fits.then(|| Arc::new(array.with_data_type(measure.output.clone())) as ArrayRef)
        }
        DataType::Int64 => Some(Arc::new(narrow(values)?)),
        DataType::Float32 | DataType::Float64 => {
            let floats = narrow(values)?.iter().map(|key| key.map(from_order_key)).collect::<Float64Array>();
            cast(&floats, &measure.output).ok()
        }
        DataType::Date32 => {
            let days = narrow(values)?.iter().map(|day| day.map(|day| day as i32)).collect::<Date32Array>();
            Some(Arc::new(days))
        }
        other => {
            let cast = cast(&narrow(values)?, other).ok()?;
            (cast.data_type() == other).then_some(cast)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_half_to_even_on_both_sides_of_zero() {
        let cases = [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (10, 4, 2), (11, 4, 3), (-11, 4, -3), (9, 3, 3)];
        for (value, divisor, expected) in cases {
            assert_eq!(divide_half_even(value, divisor), expected, "{value} / {divisor}");
        }
    }
}

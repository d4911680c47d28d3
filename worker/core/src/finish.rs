//! From merged state to the published column: the last step of a measure, and the only one at which digits can be lost.
//!
//! A value that its column cannot hold becomes null, and its row is told; nothing wraps, and nothing stops.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Decimal256Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::i256;
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::argument::from_order_key;
use crate::error::Error;
use crate::exact::round;
use crate::program::{Function, Measure};
use crate::sums::Summed;

/// A published column.
pub(crate) struct Finished {
    pub column: ArrayRef,
    /// The rows that are null because their value does not fit.
    pub overflow: Vec<u32>,
}

/// The published column of `measure` from its state columns.
pub(crate) fn finish(measure: &Measure, state: &[ArrayRef]) -> Result<Finished, Error> {
    match measure.function {
        Function::Count => Ok(Finished { column: state[0].clone(), overflow: Vec::new() }),
        Function::Min | Function::Max if measure.input == DataType::Utf8 => {
            Ok(Finished { column: state[0].clone(), overflow: Vec::new() })
        }
        Function::Min | Function::Max => {
            let extremes = state[0].as_primitive::<Decimal128Type>();
            whole(measure, extremes.iter().map(|value| value.map(|value| Some(i256::from_i128(value)))))
        }
        Function::Sum | Function::Avg => {
            let counts = state.get(1).map(AsArray::as_primitive::<Int64Type>);
            // Nothing is divided by zero, whatever a partial says that no lane made.
            let count = |row: usize| counts.map_or(1, |counts| counts.value(row)).max(1);
            match Summed::of(&measure.input) {
                Summed::Doubles => doubles(measure, &state[0], count),
                Summed::Integers => {
                    let sums = state[0].as_primitive::<Decimal128Type>();
                    let sums = sums.iter().map(|sum| sum.map(i256::from_i128));
                    whole(measure, divided(measure, sums, count))
                }
                Summed::Decimals => {
                    let sums = state[0].as_primitive::<Decimal256Type>();
                    whole(measure, divided(measure, sums.iter(), count))
                }
            }
        }
    }
}

/// Sums of doubles, divided: as doubles, or as decimals where the column is one.
fn doubles(measure: &Measure, sums: &ArrayRef, count: impl Fn(usize) -> i64) -> Result<Finished, Error> {
    let sums = sums.as_binary::<i32>();
    let rows = sums.iter().zip(0..).map(|(sum, row)| Some((sum?, count(row).unsigned_abs())));
    let finished = if let DataType::Decimal128(precision, scale) = measure.output {
        let decimal = |(sum, count)| round::decimal(sum, count, scale.unsigned_abs().into());
        let fits = |value: &i128| has_digits(i256::from_i128(*value), precision);
        column::<Decimal128Type>(rows.map(|row| row.map(|row| decimal(row).filter(fits))))
    } else {
        column::<Float64Type>(rows.map(|row| row.map(|(sum, count)| round::double(sum, count))))
    };
    finished.into_type(&measure.output)
}

/// Sums of whole numbers; for an average they are divided, with the digits that its column has more than the argument.
fn divided(
    measure: &Measure,
    sums: impl Iterator<Item = Option<i256>>,
    count: impl Fn(usize) -> i64,
) -> impl Iterator<Item = Option<Option<i256>>> {
    let is_average = measure.function == Function::Avg;
    let power = i256::from_i128(10).checked_pow(extra_digits(measure));
    sums.zip(0..).map(move |(sum, row)| {
        let sum = sum?;
        Some(match power.and_then(|power| sum.checked_mul(power)) {
            _ if !is_average => Some(sum),
            Some(scaled) => divide_half_even(scaled, i256::from_i128(count(row).into())),
            None => None,
        })
    })
}

/// Decimal digits that an average gains over its argument.
fn extra_digits(measure: &Measure) -> u32 {
    let scale = |data_type: &DataType| if let DataType::Decimal128(_, scale) = data_type { *scale } else { 0 };
    u32::try_from(scale(&measure.output) - scale(&measure.input)).unwrap_or(0)
}

/// `value / divisor` rounded half to even; `divisor` is positive, and far from the ends.
fn divide_half_even(value: i256, divisor: i256) -> Option<i256> {
    let (quotient, rest) = (value.checked_div(divisor)?, value.checked_rem(divisor)?.wrapping_abs());
    let is_odd = quotient.to_parts().0 & 1 == 1;
    let away = match (rest.wrapping_add(rest)).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => is_odd,
        std::cmp::Ordering::Greater => true,
    };
    let step = if value.is_negative() { i256::MINUS_ONE } else { i256::ONE };
    if away { quotient.checked_add(step) } else { Some(quotient) }
}

/// Whether `value` has at most `precision` digits.
fn has_digits(value: i256, precision: u8) -> bool {
    let limit = i256::from_i128(10).checked_pow(precision.into());
    limit.is_some_and(|limit| value < limit && value > limit.wrapping_neg())
}

/// Whole numbers as the measure's output type. A value is `Some(None)` where it could not be computed.
fn whole(measure: &Measure, values: impl Iterator<Item = Option<Option<i256>>>) -> Result<Finished, Error> {
    let narrow = |value: Option<i256>| value.and_then(i256::to_i128).and_then(|value| i64::try_from(value).ok());
    match &measure.output {
        DataType::Decimal128(precision, _) => {
            let fits = |value: &i256| has_digits(*value, *precision);
            let wide = |value: Option<i256>| value.filter(fits).and_then(i256::to_i128);
            column::<Decimal128Type>(values.map(|value| value.map(wide))).into_type(&measure.output)
        }
        DataType::Float32 | DataType::Float64 => {
            let floats = values.map(|value| value.map(|key| narrow(key).map(from_order_key)));
            column::<Float64Type>(floats).into_type(&measure.output)
        }
        DataType::Int32 | DataType::Date32 => {
            let short = |value: Option<i256>| narrow(value).filter(|value| i32::try_from(*value).is_ok());
            let integers = column::<Int64Type>(values.map(|value| value.map(short)));
            integers.into_type(&DataType::Int32)?.into_type(&measure.output)
        }
        output => column::<Int64Type>(values.map(|value| value.map(narrow))).into_type(output),
    }
}

/// The values, and the rows of those that are not null and have no value that fits.
fn column<T: ArrowPrimitiveType>(values: impl Iterator<Item = Option<Option<T::Native>>>) -> Finished {
    let (mut column, mut overflow) = (PrimitiveBuilder::<T>::new(), Vec::new());
    for (value, row) in values.zip(0..) {
        if value == Some(None) {
            overflow.push(row);
        }
        column.append_option(value.flatten());
    }
    let column: PrimitiveArray<T> = column.finish();
    Finished { column: Arc::new(column), overflow }
}

impl Finished {
    fn into_type(self, output: &DataType) -> Result<Self, Error> {
        let column = match (self.column.data_type(), output) {
            // The unscaled values are those of the output already.
            (DataType::Decimal128(..), DataType::Decimal128(..)) => {
                let decimals = self.column.as_primitive::<Decimal128Type>().clone();
                Arc::new(decimals.with_data_type(output.clone())) as ArrayRef
            }
            _ => cast(&self.column, output).map_err(Error::arrow("read out a measure"))?,
        };
        Ok(Self { column, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_half_to_even_on_both_sides_of_zero() {
        let cases = [
            (5, 2, 2),
            (7, 2, 4),
            (-5, 2, -2),
            (-7, 2, -4),
            (10, 4, 2),
            (11, 4, 3),
            (-11, 4, -3),
            (9, 3, 3),
            (-1, 3, 0),
            (-2, 3, -1),
        ];
        for (value, divisor, expected) in cases {
            let divided = divide_half_even(i256::from_i128(value), i256::from_i128(divisor));
            assert_eq!(divided, Some(i256::from_i128(expected)), "{value} / {divisor}");
        }
    }
}

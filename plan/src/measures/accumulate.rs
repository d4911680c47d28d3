//! The types of aggregates: what accumulators take, what they give, and with how many digits.

use std::ops::Range;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType};
use schemas::spec::Measure;

use crate::sql::{Lowered, Text};
use crate::types::{self, Kind, kind};
use crate::{Aggregate, Path, Problem, codes};

/// Digits that the average of a whole number or a decimal has more than it.
const AVERAGE_DIGITS: i8 = 4;

/// The argument in one of the types that accumulators take.
pub(super) fn argument(
    function: Aggregate,
    argument: Lowered,
    source: &Text<'_>,
    place: Option<Range<usize>>,
) -> Result<Lowered, Problem> {
    let numbers = "allowed are numbers of at most 38 digits";
    let values = "allowed are numbers of at most 38 digits, strings, booleans, dates and timestamps";
    let (name, target, allowed) = match function {
        Aggregate::CountAll | Aggregate::Count => return Ok(argument),
        Aggregate::Sum => ("sum", summed(&argument.data_type), numbers),
        Aggregate::Avg => ("avg", summed(&argument.data_type), numbers),
        Aggregate::Min => ("min", ordered(&argument.data_type), values),
        Aggregate::Max => ("max", ordered(&argument.data_type), values),
    };
    if target.as_ref() == Some(&argument.data_type) {
        return Ok(argument.in_calendar());
    }
    if let Some(target) = target {
        return Ok(argument.converted(&target));
    }
    let of = match argument.node.field() {
        Some(field) => format!("field '{field}', {}", types::a(&argument.data_type)),
        None => types::a(&argument.data_type),
    };
    Err(source.problem(codes::SQL_TYPE, place, format!("cannot take the {name} of {of}")).help(allowed))
}

/// The type in which values of a type are summed.
fn summed(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Some(DataType::Int64),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
        DataType::Decimal128(_, scale) if *scale >= 0 => Some(data_type.clone()),
        _ => None,
    }
}

/// The type in which values of a type are compared.
fn ordered(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => Some(DataType::Int32),
        DataType::UInt32 => Some(DataType::Int64),
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Date32
        | DataType::Timestamp(_, _) => Some(data_type.clone()),
        text if kind(text) == Kind::Text => Some(DataType::Utf8),
        _ => None,
    }
}

/// Digits after the point of the sum or average of floats as a decimal, if the manifest asks for one.
pub(super) fn scale(
    measure: &Measure,
    function: Aggregate,
    argument: Option<&Lowered>,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> Result<Option<i8>, ()> {
    let sums = matches!(function, Aggregate::Sum | Aggregate::Avg);
    let argument_type = argument.map(|argument| &argument.data_type).filter(|_| sums);
    let key = path.key("scale");
    match (measure.scale, argument_type) {
        (Some(scale), Some(DataType::Float64)) if scale > 18 => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("the scale {scale} is too large")).help("allowed are 0 to 18"),
            );
            Err(())
        }
        (Some(scale), Some(DataType::Float64)) => Ok(i8::try_from(scale).ok()),
        (Some(_), _) => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("measure '{}' has a scale of its own", measure.name))
                    .help("allowed for sum and avg of floats and doubles only"),
            );
            Err(())
        }
        (None, Some(DataType::Decimal128(_, scale))) if function == Aggregate::Avg && *scale > 34 => {
            let message = format!("cannot take the avg of a decimal with {scale} digits after the point");
            problems
                .push(Problem::new(codes::SQL_TYPE, path.key("expression"), message).help("allowed are at most 34"));
            Err(())
        }
        (None, _) => Ok(None),
    }
}

/// The type of the output column; `scale` is what [`scale`] gave.
pub(super) fn output_type(function: Aggregate, argument: Option<&Lowered>, scale: Option<i8>) -> DataType {
    let argument = argument.map(|argument| &argument.data_type);
    match (function, argument) {
        (Aggregate::CountAll | Aggregate::Count, _) | (_, None) => DataType::Int64,
        (Aggregate::Min | Aggregate::Max, Some(data_type)) => data_type.clone(),
        (_, Some(DataType::Float64)) => {
            scale.map_or(DataType::Float64, |scale| DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale))
        }
        (Aggregate::Sum, Some(DataType::Decimal128(_, scale))) => {
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)
        }
        (Aggregate::Avg, Some(DataType::Decimal128(_, scale))) => {
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale + AVERAGE_DIGITS)
        }
        (Aggregate::Sum, Some(_)) => DataType::Int64,
        (Aggregate::Avg, Some(_)) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, AVERAGE_DIGITS),
    }
}

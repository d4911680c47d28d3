//! The types of aggregates: what accumulators take, what they give, and with how many digits.

use std::ops::Range;

use arrow_schema::DataType;
use datafusion_expr::{Expr, cast};
use schemas::spec::Measure;

use crate::avro::Fields;
use crate::sql::{self, Lowered, Text};
use crate::types::{self, Kind, kind};
use crate::{Aggregate, Path, Problem, codes};

/// Digits kept of floats when the measure does not say.
const DEFAULT_SCALE: u8 = 6;

/// The argument in one of the types that accumulators take.
pub(super) fn argument(
    function: Aggregate,
    argument: Lowered,
    fields: &Fields,
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
        return Ok(argument);
    }
    let target_of = |target| sql::lower(cast(argument.expr.clone(), target), fields, true).ok();
    if let Some(lowered) = target.and_then(target_of) {
        return Ok(Lowered { columns: argument.columns, ..lowered });
    }
    let of = match &argument.expr {
        Expr::Column(column) => format!("field '{}', {}", column.name, types::a(&argument.data_type)),
        _ => types::a(&argument.data_type),
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

/// Digits after the point of what is summed.
pub(super) fn scale(
    measure: &Measure,
    function: Aggregate,
    argument: Option<&Lowered>,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> Option<i8> {
    let sums = matches!(function, Aggregate::Sum | Aggregate::Avg);
    let argument_type = argument.map(|argument| &argument.data_type).filter(|_| sums);
    let is_float = argument_type == Some(&DataType::Float64);
    let key = path.key("scale");
    match measure.scale {
        Some(_) if !is_float => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("measure '{}' has a scale of its own", measure.name))
                    .help("allowed for sum and avg of floats and doubles only"),
            );
            return None;
        }
        Some(scale) if scale > 18 => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("the scale {scale} is too large")).help("allowed are 0 to 18"),
            );
            return None;
        }
        _ => {}
    }
    let scale = match argument_type {
        Some(DataType::Decimal128(_, scale)) => *scale,
        Some(DataType::Float64) => measure.scale.unwrap_or(DEFAULT_SCALE) as i8,
        _ => 0,
    };
    if function == Aggregate::Avg && scale > 34 {
        let message = format!("cannot take the avg of a decimal with {scale} digits after the point");
        problems.push(Problem::new(codes::SQL_TYPE, path.key("expression"), message).help("allowed are at most 34"));
        return None;
    }
    Some(scale)
}

/// The type of the output column.
pub(super) fn output_type(function: Aggregate, argument: Option<&Lowered>, scale: i8) -> DataType {
    match (function, argument.map(|argument| &argument.data_type)) {
        (Aggregate::CountAll | Aggregate::Count, _) | (_, None) | (Aggregate::Sum, Some(DataType::Int64)) => {
            DataType::Int64
        }
        (Aggregate::Sum, Some(_)) => DataType::Decimal128(38, scale),
        (Aggregate::Avg, Some(_)) => DataType::Decimal128(38, scale + 4),
        (Aggregate::Min | Aggregate::Max, Some(data_type)) => data_type.clone(),
    }
}

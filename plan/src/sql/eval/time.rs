//! Times: parts, truncation, moving by intervals, and the time between two. What leaves the years 1 to 9999 is null.

use std::sync::Arc;

use arrow::array::types::IntervalMonthDayNanoType;
use arrow::array::{ArrayRef, AsArray};
use arrow_schema::DataType;

use super::arithmetic::nulls;
use super::{Result, Value, known, lanes, make};
use crate::sql::calendar::{self, Field, Truncation};
use crate::sql::node::Arithmetic;

pub(super) fn part(field: Field, value: &Value, len: usize) -> Result<ArrayRef> {
    let times = lanes::nanos(value)?;
    if field == Field::Epoch {
        let is_span = matches!(value.array.data_type(), DataType::Duration(_));
        let seconds = |nanos: i128| (is_span || calendar::is_known(nanos)).then(|| lanes::nearest(nanos, 9));
        return Ok(make::doubles(&times.map(len, seconds), nulls(value)));
    }
    Ok(make::wholes(&times.map(len, |time| field.of(time)), nulls(value), &DataType::Int64))
}

pub(super) fn truncate(truncation: Truncation, value: &Value, kind: &DataType, len: usize) -> Result<ArrayRef> {
    make::times(&lanes::nanos(value)?.map(len, |time| truncation.of(time)), nulls(value), kind)
}

/// A time plus or minus an interval or a span.
pub(super) fn shift(back: bool, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let times = lanes::nanos(&args[0])?;
    let sign = if back { -1 } else { 1 };
    let values: Vec<Option<i128>> = match args[1].array.as_primitive_opt::<IntervalMonthDayNanoType>() {
        Some(intervals) => {
            let one = |row: usize| {
                let step = intervals.value(if args[1].scalar { 0 } else { row });
                let by = |part: i64| part.checked_mul(sign);
                calendar::moved(
                    times.get(row),
                    by(step.months.into())?,
                    by(step.days.into())?,
                    i128::from(step.nanoseconds) * i128::from(sign),
                )
            };
            (0..len).map(one).collect()
        }
        None => {
            times.zip(&lanes::nanos(&args[1])?, len, |time, span| calendar::moved(time, 0, 0, span * i128::from(sign)))
        }
    };
    make::times(&values, known(args), kind)
}

/// The first time minus the second.
pub(super) fn elapsed(args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let (to, from) = (lanes::nanos(&args[0])?, lanes::nanos(&args[1])?);
    make::times(&to.zip(&from, len, |to, from| Some(to - from)), known(args), kind)
}

/// Spans added to and taken from each other.
pub(super) fn combine(op: Arithmetic, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let (a, b) = (lanes::nanos(&args[0])?, lanes::nanos(&args[1])?);
    let values = a.zip(&b, len, |a, b| Some(if op == Arithmetic::Subtract { a - b } else { a + b }));
    make::times(&values, known(args), kind)
}

/// Times of the calendar, and null for others.
pub(super) fn in_calendar(value: &Value, kind: &DataType, len: usize) -> Result<ArrayRef> {
    let times = lanes::nanos(value)?;
    if !times.any(|time| !calendar::is_known(time)) {
        return Ok(Arc::clone(&value.array));
    }
    make::times(&times.map(len, |time| calendar::is_known(time).then_some(time)), nulls(value), kind)
}

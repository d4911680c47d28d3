//! Evaluating compiled expressions over the rows of a fetch.
//!
//! What it keeps true: no record's value is an error. A row that makes an expression fail, or panic, has no value, as if the
//! expression had said so itself; the rows around it have theirs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::filter::filter_record_batch;

use crate::error::Error;
use crate::program::{Computed, Expression};

/// What an expression gives for the rows of a fetch.
pub(crate) struct Evaluated {
    pub values: ArrayRef,
    /// Rows that take no part although nothing that is read is missing; `None`: there are none.
    pub without: Option<Without>,
}

/// Rows without a usable value, and why; no row is in both.
#[derive(Clone)]
pub(crate) struct Without {
    /// The value can not be computed.
    pub no_value: BooleanBuffer,
    /// The value, or a floating-point field that a null comes from, is NaN or infinite.
    pub not_finite: BooleanBuffer,
}

impl Without {
    /// Rows that are in either.
    pub(crate) fn any(&self) -> BooleanBuffer {
        &self.no_value | &self.not_finite
    }

    /// Both together, a row that is not finite in one of them being so in all.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let not_finite = &self.not_finite | &other.not_finite;
        Self { no_value: &(&self.no_value | &other.no_value) & &!&not_finite, not_finite }
    }

    /// What of it lies in `rows`; nothing if that is none.
    pub(crate) fn within(self, rows: &BooleanBuffer) -> Option<Self> {
        Self { no_value: &self.no_value & rows, not_finite: &self.not_finite & rows }.some()
    }

    fn some(self) -> Option<Self> {
        (self.no_value.count_set_bits() + self.not_finite.count_set_bits() > 0).then_some(self)
    }
}

/// Evaluates `computed`, spreading a constant over all rows.
///
/// # Errors
/// It fails whatever the rows hold: it was compiled for others.
pub(crate) fn evaluate(computed: &Computed, rows: &RecordBatch, what: &str) -> Result<Evaluated, Error> {
    let (values, failed) = total(&computed.value, rows, what)?;
    let without = without(computed, rows, &values, failed, what)?;
    Ok(Evaluated { values, without })
}

/// Evaluates a predicate.
pub(crate) fn evaluate_boolean(
    computed: &Computed,
    rows: &RecordBatch,
    what: &str,
) -> Result<(BooleanArray, Option<Without>), Error> {
    let Evaluated { values, without } = evaluate(computed, rows, what)?;
    let found = values.data_type().clone();
    let array = values.as_boolean_opt().cloned();
    let array = array.ok_or_else(|| Error::ColumnType { what: format!("'{what}'"), expected: "boolean", found })?;
    Ok((array, without))
}

/// True where `array` is true, false where it is false or null.
pub(crate) fn known_true(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    }
}

fn without(
    Computed { no_value, floats, .. }: &Computed,
    rows: &RecordBatch,
    values: &ArrayRef,
    failed: Option<BooleanBuffer>,
    what: &str,
) -> Result<Option<Without>, Error> {
    let own = not_finite(values);
    let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
        let none = || BooleanBuffer::new_unset(values.len());
        return Ok(own.map(|not_finite| Without { no_value: none(), not_finite }));
    };
    let null = !nulls.inner();
    let read = floats.iter().filter_map(|column| not_finite(rows.column(*column)));
    let not_finite = read.map(|read| &read & &null).chain(own).reduce(|all, next| &all | &next);
    let not_finite = not_finite.unwrap_or_else(|| BooleanBuffer::new_unset(values.len()));
    let said = no_value.as_ref().map(|no_value| holds_of(no_value, rows, &null, what)).transpose()?;
    let no_value = failed.into_iter().chain(said).reduce(|all, next| &all | &next);
    let no_value = no_value.map_or_else(|| BooleanBuffer::new_unset(values.len()), |known| &known & &!&not_finite);
    Ok(Without { no_value, not_finite }.some())
}

/// Which of the rows `asked` a Boolean expression is true of; where it fails it counts as true.
fn holds_of(
    expression: &Expression,
    rows: &RecordBatch,
    asked: &BooleanBuffer,
    what: &str,
) -> Result<BooleanBuffer, Error> {
    let mask = BooleanArray::new(asked.clone(), None);
    let rows = filter_record_batch(rows, &mask).map_err(Error::arrow("choose rows"))?;
    let (values, failed) = total(expression, &rows, what)?;
    let found = values.data_type().clone();
    let values = values.as_boolean_opt();
    let wrong = || Error::ColumnType { what: format!("what '{what}' says of its nulls"), expected: "boolean", found };
    let holds = known_true(values.ok_or_else(wrong)?);
    let holds = failed.map_or_else(|| holds.clone(), |failed| &holds | &failed);
    let mut answers = holds.iter();
    Ok(asked.iter().map(|asked| asked && answers.next().unwrap_or_default()).collect())
}

/// The values for all rows, null at those that make the expression fail, and which these are.
fn total(expression: &Expression, rows: &RecordBatch, what: &str) -> Result<(ArrayRef, Option<BooleanBuffer>), Error> {
    if let Ok(values) = attempt(expression, rows) {
        return Ok((values, None));
    }
    // What fails without any record is not about a record.
    let none = attempt(expression, &rows.slice(0, 0))
        .map_err(|source| Error::Evaluate { what: format!("'{what}'"), source })?;
    let (mut parts, mut failed) = (Vec::new(), Vec::with_capacity(rows.num_rows()));
    bisect(expression, rows, none.data_type(), &mut parts, &mut failed);
    let parts: Vec<&dyn Array> = parts.iter().map(|part| part as &dyn Array).collect();
    let values = concat(&parts).map_err(Error::arrow("put values together"))?;
    Ok((values, Some(failed.into())))
}

/// Splits rows until those that fail stand alone, which are null.
fn bisect(
    expression: &Expression,
    rows: &RecordBatch,
    kind: &DataType,
    parts: &mut Vec<ArrayRef>,
    failed: &mut Vec<bool>,
) {
    let count = rows.num_rows();
    match attempt(expression, rows) {
        Ok(values) => {
            parts.push(values);
            failed.resize(failed.len() + count, false);
        }
        Err(_) if count <= 1 => {
            parts.push(new_null_array(kind, count));
            failed.resize(failed.len() + count, true);
        }
        Err(_) => {
            let half = count / 2;
            bisect(expression, &rows.slice(0, half), kind, parts, failed);
            bisect(expression, &rows.slice(half, count - half), kind, parts, failed);
        }
    }
}

/// A panic of a kernel is a failure like any other: it ends at the rows that it was given.
fn attempt(expression: &Expression, rows: &RecordBatch) -> Result<ArrayRef, Box<dyn std::error::Error + Send + Sync>> {
    let evaluate = || expression.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
    match catch_unwind(AssertUnwindSafe(evaluate)) {
        Ok(values) => Ok(values?),
        Err(panic) => {
            let words = panic.downcast::<String>().map(|words| *words);
            let words = words.or_else(|panic| panic.downcast::<&str>().map(|words| (*words).to_owned()));
            Err(words.unwrap_or_else(|_| "it panicked".to_owned()).into())
        }
    }
}

/// Where a floating-point column is NaN or infinite; nothing where it nowhere is, or is of another type.
fn not_finite(column: &ArrayRef) -> Option<BooleanBuffer> {
    let odd: BooleanBuffer = match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            if values.iter().all(|value| value.is_finite()) {
                return None;
            }
            values.iter().map(|value| !value.is_finite()).collect()
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().values();
            if values.iter().all(|value| value.is_finite()) {
                return None;
            }
            values.iter().map(|value| !value.is_finite()).collect()
        }
        _ => return None,
    };
    let odd = column.nulls().map_or_else(|| odd.clone(), |nulls| &odd & nulls.inner());
    (odd.count_set_bits() > 0).then_some(odd)
}

#[cfg(test)]
mod tests;

//! Evaluating compiled expressions over the rows of a fetch.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;

use crate::error::Error;
use crate::program::Computed;

/// Evaluates `expression`, spreading a constant over all rows.
pub(crate) fn evaluate(expression: &Computed, rows: &RecordBatch, what: &str) -> Result<ArrayRef, Error> {
    let value = expression.value.evaluate(rows).and_then(|value| value.into_array(rows.num_rows()));
    value.map_err(|source| Error::Evaluate { what: format!("'{what}'"), source: source.into() })
}

/// Evaluates a predicate.
pub(crate) fn evaluate_boolean(expression: &Computed, rows: &RecordBatch, what: &str) -> Result<BooleanArray, Error> {
    let array = evaluate(expression, rows, what)?;
    array.as_boolean_opt().cloned().ok_or_else(|| Error::ColumnType {
        what: format!("'{what}'"),
        expected: "boolean",
        found: array.data_type().clone(),
    })
}

/// True where `array` is true, false where it is false or null.
pub(crate) fn known_true(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    }
}

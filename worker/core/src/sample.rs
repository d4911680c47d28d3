//! What a report shows of a record that broke a rule, or for which an expression has no value: its id and the fields that the rule is about, never a redacted value.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;

use crate::emission::{Sample, Why};
use crate::fetch::Fetch;
use crate::program::{Program, Subject};
use crate::units::Offset;

/// Stands for a value that nobody is to see.
const REDACTED: &str = "(redacted)";
/// Most characters of a value that are shown.
const MOST: usize = 256;

/// The sample of `row`, an example of `why` for `subject`.
pub(crate) fn sample(program: &Program, subject: Subject, why: Why, fetch: &Fetch<'_>, row: usize) -> Sample {
    let rows = fetch.rows;
    let nulls_alone = matches!(subject, Subject::Rule(rule) if program.rules[rule].nulls_alone);
    let shown = |column: usize| !nulls_alone || rows.column(column).is_null(row);
    let columns: Vec<usize> = program.columns_of(subject).into_iter().filter(|column| shown(*column)).collect();
    let name = |column: usize| rows.schema_ref().field(column).name().clone();
    let names: Vec<String> = columns.iter().map(|column| name(*column)).collect();
    let value = match columns.as_slice() {
        [] => None,
        [column] => value(program, rows, *column, row),
        several => {
            let pair = |column: &usize| {
                let value = value(program, rows, *column, row);
                format!("{}={}", name(*column), value.as_deref().unwrap_or("null"))
            };
            Some(several.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    };
    Sample {
        subject,
        why,
        offset: Offset(fetch.offsets[row]),
        event_id: self::value(program, rows, program.event_id, row),
        field: (!names.is_empty()).then(|| names.join(", ")),
        value,
    }
}

/// A value as text; nothing when it is null, which is no secret.
fn value(program: &Program, rows: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let values: &ArrayRef = rows.column(column);
    if values.is_null(row) {
        return None;
    }
    if program.redacted.contains(&column) {
        return Some(REDACTED.to_owned());
    }
    let text = array_value_to_string(values, row).unwrap_or_default();
    Some(match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

//! Rules that the API server checks, written beside the fields that they are about.
//!
//! Each is a CEL expression over `self` (and `oldSelf` in edits) with a message that says what is allowed. Whatever they
//! refuse, the planner refuses too, so that a manifest means the same on a laptop.

use serde_json::{Value, json};

/// A rule about the annotated value.
pub(super) fn rule(cel: impl Into<String>, allowed: &str) -> Value {
    json!({ "rule": cel.into(), "message": allowed })
}

/// A rule whose refusal points at a field below the annotated value, for example `.size`.
pub(super) fn rule_at(field: &str, cel: impl Into<String>, allowed: &str) -> Value {
    json!({ "rule": cel.into(), "message": allowed, "fieldPath": field })
}

/// A rule against edits that can never be made.
pub(super) fn frozen(field: &str, cel: impl Into<String>, allowed: &str) -> Value {
    json!({ "rule": cel.into(), "message": allowed, "fieldPath": field, "reason": "FieldValueForbidden" })
}

/// A well-formed [`super::Duration`]: no more digits than its longest needs, and few enough for CEL's own durations.
const DURATION: &str = "^([0-9]{1,12}ms|[0-9]{1,9}s|[0-9]{1,8}m|[0-9]{1,6}h|[0-9]{1,5}d)$";

/// Whether a text is a duration of at most `longest` milliseconds.
pub(super) fn is_duration(text: &str, longest: i64) -> String {
    format!("{text}.matches('{DURATION}') && {} <= {longest}", millis(text))
}

/// `cel` holds if all these durations are well-formed. Those that are not are refused by a rule of their own.
pub(super) fn timed(durations: &[&str], cel: &str) -> String {
    let malformed: Vec<String> = durations.iter().map(|text| format!("!{text}.matches('{DURATION}')")).collect();
    format!("{} || {cel}", malformed.join(" || "))
}

/// The milliseconds of a well-formed duration. CEL's own durations know no days.
pub(super) fn millis(duration: &str) -> String {
    format!(
        "({duration}.endsWith('d') ? int({duration}.replace('d', '')) * 86400000 : \
         duration({duration}).getMilliseconds())"
    )
}

/// `cel` holds unless one of the optional fields is absent.
pub(super) fn when(fields: &[&str], cel: &str) -> String {
    let absent: Vec<String> = fields.iter().map(|field| format!("!has({field})")).collect();
    format!("{} || {cel}", absent.join(" || "))
}

/// An optional field is what it was, or is absent as it was.
pub(super) fn same_optional(field: &str) -> String {
    let old = field.replacen("self", "oldSelf", 1);
    format!("(has({field}) ? has({old}) && {field} == {old} : !has({old}))")
}

/// A list of CEL strings: `['a', 'b']`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", words.join(", "))
}

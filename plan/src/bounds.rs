//! The plain bounds of the resource (lengths, counts, ranges, patterns), as its schema states them.
//!
//! The API server checks them by the same schema, so a manifest that passes here passes there. What the other modules say about
//! a place in better words is not said again.

use std::sync::LazyLock;

use regex::Regex;
use schemas::spec::AnalyticsPipelineSpec;
use serde_json::Value;

use crate::{Path, Problem, codes};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<AnalyticsPipelineSpec>().to_value()
});

/// Adds every bound that `spec` breaks, unless a problem at that place or below it is known.
pub(crate) fn check(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) {
    let spec = serde_json::to_value(spec).expect("a manifest that was read can be written");
    let mut found = Vec::new();
    walk(&spec, &SCHEMA, &Path::of("spec"), &mut found);
    found.retain(|problem| !problems.iter().any(|other| other.path.0.starts_with(&problem.path.0)));
    problems.append(&mut found);
}

fn walk(value: &Value, schema: &Value, path: &Path, problems: &mut Vec<Problem>) {
    let choices = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    for choice in choices {
        walk(value, choice, path, problems);
    }
    match value {
        Value::String(text) => characters(text, schema, path, problems),
        Value::Number(number) => range(number.as_f64().unwrap_or_default(), number, schema, path, problems),
        Value::Array(items) => {
            count(items.len(), ["minItems", "maxItems"], "entries", schema, path, problems);
            for (index, item) in items.iter().enumerate() {
                walk(item, &schema["items"], &path.index(index), problems);
            }
        }
        Value::Object(fields) => {
            count(fields.len(), ["minProperties", "maxProperties"], "entries", schema, path, problems);
            for (key, field) in fields {
                let below = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                walk(field, below, &path.key(key), problems);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn characters(text: &str, schema: &Value, path: &Path, problems: &mut Vec<Problem>) {
    count(text.chars().count(), ["minLength", "maxLength"], "characters", schema, path, problems);
    let Some(pattern) = schema["pattern"].as_str() else { return };
    if !Regex::new(pattern).expect("the patterns of the schema are regular expressions").is_match(text) {
        let message = format!("'{text}' has another form than it must have");
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path.clone(), message)
                .help(format!("allowed is what matches '{pattern}'")),
        );
    }
}

fn count(found: usize, [least, most]: [&str; 2], what: &str, schema: &Value, path: &Path, problems: &mut Vec<Problem>) {
    let (least, most) = (schema[least].as_u64(), schema[most].as_u64());
    let found = found as u64;
    let help = match (least, most) {
        (Some(least), _) if found < least => format!("allowed are at least {least}"),
        (_, Some(most)) if found > most => format!("allowed are at most {most}"),
        _ => return,
    };
    problems.push(Problem::new(codes::RANGE, path.clone(), format!("there are {found} {what}")).help(help));
}

fn range(number: f64, shown: impl std::fmt::Display, schema: &Value, path: &Path, problems: &mut Vec<Problem>) {
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    let help = match (least, most) {
        (Some(least), _) if number < least => format!("allowed is at least {least}"),
        (_, Some(most)) if number > most => format!("allowed is at most {most}"),
        _ => return,
    };
    problems.push(Problem::new(codes::RANGE, path.clone(), format!("the number {shown} is out of range")).help(help));
}

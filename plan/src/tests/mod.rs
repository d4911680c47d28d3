//! The crate as its users see it: the quickstart manifest, one mutation, one expected answer.

mod evaluate;
mod problems;
mod quickstart;
mod times;

use schemas::spec::AnalyticsPipeline;
use serde_json::Value;

use crate::{Plan, Problems};

const QUICKSTART: &str = include_str!("../../../examples/revenue-5m.yaml");

/// The valid baseline.
fn quickstart() -> AnalyticsPipeline {
    serde_saphyr::from_str(QUICKSTART).expect("the quickstart manifest reads")
}

/// The baseline as JSON, to be changed.
fn manifest() -> Value {
    serde_json::to_value(quickstart()).expect("a manifest is plain data")
}

fn compile(manifest: Value) -> Result<Plan, Problems> {
    let pipeline: AnalyticsPipeline = serde_json::from_value(manifest).expect("the mutation keeps the shape");
    Plan::compile(&pipeline)
}

/// The baseline with one value set or, with null, removed. The pointer's last key may be new; `-` appends to a list.
fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = manifest();
    set(&mut manifest, pointer, value);
    manifest
}

fn set(manifest: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer");
    match manifest.pointer_mut(parent).unwrap_or_else(|| panic!("no node '{parent}'")) {
        Value::Object(object) if value.is_null() => drop(object.remove(key)),
        Value::Object(object) => drop(object.insert(key.to_owned(), value)),
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list[key.parse::<usize>().expect("an index")] = value,
        other => panic!("'{parent}' is {other}"),
    }
}

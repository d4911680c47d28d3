//! What the resource's JSON schema says about one node: the questions that the shape check asks, and nothing else of JSON
//! schema.
//!
//! Keeps true: the schema is generated from the types in `schemas::spec`, so there is no second list of fields.

use std::sync::OnceLock;

use schemas::spec::{AnalyticsPipeline, Duration};
use serde_json::Value;

/// What a node may be.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    schema: &'static Value,
    root: &'static Value,
}

/// The kinds of values that a node may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of kinds, not a state")]
pub struct Kinds {
    /// A mapping.
    pub map: bool,
    /// A sequence.
    pub list: bool,
    /// A string.
    pub text: bool,
    /// A whole number.
    pub whole: bool,
    /// True or false.
    pub boolean: bool,
    /// Nothing.
    pub null: bool,
}

impl Form {
    /// The whole resource.
    pub fn pipeline() -> Self {
        static SCHEMA: OnceLock<Value> = OnceLock::new();
        let root = SCHEMA.get_or_init(|| Value::from(schemars::schema_for!(AnalyticsPipeline)));
        Self { schema: root, root }
    }

    /// The alternatives, references followed: one, or several for "this or null", "integer or string".
    fn alternatives(self) -> Vec<&'static Value> {
        let mut found = Vec::new();
        let mut open = vec![self.schema];
        while let Some(schema) = open.pop() {
            if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
                open.push(&self.root["$defs"][name]);
            } else if let Some(several) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
                open.extend(several.iter().rev());
            } else {
                found.push(schema);
            }
        }
        found
    }

    fn sub(self, schema: &'static Value) -> Self {
        Self { schema, root: self.root }
    }

    /// The kinds that are allowed.
    pub fn kinds(self) -> Kinds {
        let mut kinds = Kinds::default();
        for schema in self.alternatives() {
            let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
            for name in &types {
                match name.as_str().unwrap_or_default() {
                    "object" => kinds.map = true,
                    "array" => kinds.list = true,
                    "string" => kinds.text = true,
                    "integer" => kinds.whole = true,
                    "boolean" => kinds.boolean = true,
                    "null" => kinds.null = true,
                    _ => {}
                }
            }
        }
        kinds
    }

    /// Names of the fields; empty for a mapping with free keys.
    pub fn fields(self) -> Vec<&'static str> {
        self.alternatives()
            .iter()
            .filter_map(|schema| schema["properties"].as_object())
            .flat_map(|fields| fields.keys())
            .map(String::as_str)
            .collect()
    }

    /// Names of the fields that must be there.
    pub fn required(self) -> Vec<&'static str> {
        self.alternatives()
            .iter()
            .filter_map(|schema| schema["required"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The form of a field, or of any value of a mapping with free keys.
    pub fn field(self, name: &str) -> Option<Self> {
        let of = |schema: &'static Value| {
            let free = schema.get("additionalProperties").filter(|form| form.is_object());
            schema["properties"].get(name).or(free)
        };
        self.alternatives().into_iter().find_map(of).map(|schema| self.sub(schema))
    }

    /// The form of a list's items.
    pub fn item(self) -> Option<Self> {
        self.alternatives().into_iter().find_map(|schema| schema.get("items")).map(|schema| self.sub(schema))
    }

    /// The words that are allowed, when only some are.
    pub fn words(self) -> Vec<&'static str> {
        let of = |schema: &'static Value| {
            schema.get("const").into_iter().chain(schema["enum"].as_array().into_iter().flatten())
        };
        self.alternatives().into_iter().flat_map(of).filter_map(Value::as_str).collect()
    }

    /// Whether it is a duration: it carries the rule that durations carry.
    pub fn is_duration(self) -> bool {
        static RULE: OnceLock<Value> = OnceLock::new();
        let rule =
            RULE.get_or_init(|| schemars::schema_for!(Duration).to_value()["x-kubernetes-validations"][0].clone());
        let carries =
            |schema: &&Value| schema["x-kubernetes-validations"].as_array().is_some_and(|all| all.contains(rule));
        self.alternatives().iter().any(carries)
    }

    /// The least and the greatest whole number.
    pub fn bounds(self) -> (i128, i128) {
        let whole = |schema: &&Value| schema["type"] == "integer" || schema["type"][0] == "integer";
        let Some(schema) = self.alternatives().into_iter().find(whole) else { return (i128::MIN, i128::MAX) };
        let (least, most) = match schema["format"].as_str().unwrap_or_default() {
            "uint8" => (0, i128::from(u8::MAX)),
            "uint16" => (0, i128::from(u16::MAX)),
            "uint32" => (0, i128::from(u32::MAX)),
            "uint64" => (0, i128::from(u64::MAX)),
            "int32" => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let given = |key: &str| schema[key].as_i64().map(i128::from);
        (given("minimum").unwrap_or(least).max(least), given("maximum").unwrap_or(most).min(most))
    }
}

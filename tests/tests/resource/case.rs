//! One entry of a table: a change of the baseline, and what is said to it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

/// JSON pointers and what to put there; null takes out.
pub type Change = BTreeMap<String, Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What to change first: the entry is then an edit.
    pub from: Option<Change>,
    /// What to change.
    pub set: Change,
    /// What the refusal says, among other things.
    #[serde(default)]
    pub says: String,
}

impl Case {
    /// `manifest` with the entry's change.
    pub fn applied(&self, manifest: &Value) -> Value {
        Self::put(manifest, &self.set)
    }

    /// `manifest` with a change.
    pub fn put(manifest: &Value, change: &Change) -> Value {
        let mut manifest = manifest.clone();
        for (pointer, value) in change {
            put_one(&mut manifest, pointer, value);
        }
        manifest
    }
}

fn put_one(manifest: &mut Value, pointer: &str, value: &Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer begins with '/'");
    let mut node = manifest;
    for step in parent.split('/').skip(1) {
        node = match node {
            Value::Array(items) => items.get_mut(index(step)).expect("the baseline has that entry"),
            other => &mut other[step],
        };
    }
    match (node, value) {
        (Value::Array(items), Value::Null) => drop(items.remove(index(key))),
        (Value::Array(items), value) => items[index(key)] = value.clone(),
        (Value::Object(fields), Value::Null) => drop(fields.shift_remove(key)),
        (node, value) => node[key] = value.clone(),
    }
}

fn index(step: &str) -> usize {
    step.parse().expect("an index of the list")
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |change: &Change| serde_json::to_string(change).expect("plain data");
        match &self.from {
            Some(from) => write!(f, "from {} set {}", shown(from), shown(&self.set)),
            None => write!(f, "set {}", shown(&self.set)),
        }
    }
}

/// The entries of a table.
pub fn cases(table: &str) -> Result<Vec<Case>> {
    Ok(serde_saphyr::from_str(table)?)
}

/// The manifest of the README.
pub fn baseline() -> Value {
    serde_saphyr::from_str(tests::pipeline::QUICKSTART).expect("the quickstart manifest reads")
}

//! An object of the Kubernetes API as plain JSON, with the few fields that all objects have.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(pub Value);

impl Object {
    /// The JSON of a typed object.
    ///
    /// # Panics
    /// Never for objects of the Kubernetes API: their maps have text keys.
    pub fn of(object: &impl Serialize) -> Self {
        Self(serde_json::to_value(object).expect("an API object's maps have text keys"))
    }

    /// The typed object, if it is one.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.0.clone()).ok()
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    /// `metadata.uid`; empty before the API server gave one.
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid").unwrap_or_default()
    }

    /// `metadata.generation`.
    pub fn generation(&self) -> Option<i64> {
        self.0.pointer("/metadata/generation").and_then(Value::as_i64)
    }

    /// One of the labels.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.pointer("/metadata/labels")?.get(key)?.as_str()
    }

    /// One of the annotations.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.pointer("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Whether deletion was asked for.
    pub fn is_terminating(&self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// Whether `uid` is the object's controller.
    pub fn is_controlled_by(&self, uid: &str) -> bool {
        let owners = self.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.is_some_and(|owners| {
            owners.iter().any(|owner| owner["uid"] == uid && owner["controller"] == Value::Bool(true))
        })
    }

    /// The text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer).and_then(Value::as_str)
    }

    /// The number at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.0.pointer(pointer).and_then(Value::as_i64)
    }
}

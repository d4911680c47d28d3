//! Whether an object is as wanted: what the operator sets must be there; what others add does not matter.
//!
//! The API server writes some values in another way (quantities, for one). What remains different in its answer to our own
//! write is remembered and is no drift, so that nothing is written at rest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::names;
use crate::world::Object;

/// A place and what stands there.
pub type Difference = (String, Value);

/// Where `live` is not as `wanted`.
pub fn differences(wanted: &Value, live: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(wanted, live, &mut String::new(), &mut found);
    found
}

fn compare(wanted: &Value, live: &Value, path: &mut String, found: &mut Vec<Difference>) {
    let at = path.len();
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            for (key, value) in wanted {
                path.push('/');
                path.push_str(key);
                compare(value, live.get(key).unwrap_or(&Value::Null), path, found);
                path.truncate(at);
            }
        }
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            for (number, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                path.push('/');
                path.push_str(&number.to_string());
                compare(wanted, live, path, found);
                path.truncate(at);
            }
        }
        // Empty is not there.
        (Value::Object(wanted), Value::Null) if wanted.is_empty() => {}
        (wanted, live) if wanted == live => {}
        (_, live) => found.push((path.clone(), live.clone())),
    }
}

/// What the API server made of our last writes.
#[derive(Debug, Default)]
pub struct Tolerated(Mutex<HashMap<String, (String, Vec<Difference>)>>);

impl Tolerated {
    /// Whether `live` differs from `wanted` in another way than the API server's answer did.
    pub fn is_drift(&self, wanted: &Object, live: &Object) -> bool {
        let found = differences(&wanted.0, &live.0);
        if found.is_empty() {
            return false;
        }
        let digest = wanted.annotation(names::DIGEST).unwrap_or_default();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(live.uid()).is_none_or(|(of, tolerated)| of != digest || *tolerated != found)
    }

    /// Remembers the answer to a write.
    pub fn answered(&self, wanted: &Object, live: &Object) {
        let found = differences(&wanted.0, &live.0);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            known.remove(live.uid());
            return;
        }
        tracing::debug!(name = live.name(), ?found, "the API server wrote it in another way");
        let digest = wanted.annotation(names::DIGEST).unwrap_or_default().to_owned();
        known.insert(live.uid().to_owned(), (digest, found));
    }

    /// Forgets objects that are gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let wanted = json!({"a": {"b": 1, "list": [{"x": 1}]}, "empty": {}});
        let cases = [
            (json!({"a": {"b": 1, "list": [{"x": 1, "default": true}], "more": 2}, "status": {}}), vec![]),
            (json!({"a": {"b": 2, "list": [{"x": 1}]}}), vec![("/a/b".to_owned(), json!(2))]),
            (json!({"a": {"list": [{"x": 1}]}}), vec![("/a/b".to_owned(), Value::Null)]),
            (
                json!({"a": {"b": 1, "list": [{"x": 1}, {"x": 2}]}}),
                vec![("/a/list".to_owned(), json!([{"x": 1}, {"x": 2}]))],
            ),
        ];
        for (live, expected) in cases {
            assert_eq!(differences(&wanted, &live), expected, "{live}");
        }
    }

    #[test]
    fn the_api_servers_own_spelling_is_tolerated_until_it_changes() {
        let object = |size: &str| {
            Object(json!({"metadata": {"uid": "u", "annotations": {"sluice.dev/digest": "d"}}, "size": size}))
        };
        let (wanted, canonical, changed) = (object("1024Mi"), object("1Gi"), object("2Gi"));
        let tolerated = Tolerated::default();
        assert!(tolerated.is_drift(&wanted, &canonical));
        tolerated.answered(&wanted, &canonical);
        assert!(!tolerated.is_drift(&wanted, &canonical));
        assert!(tolerated.is_drift(&wanted, &changed));
    }
}

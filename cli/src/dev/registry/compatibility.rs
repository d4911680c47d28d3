//! Whether a schema may follow the ones before it.
//!
//! apache-avro's check is taken strictly: what it calls partially compatible may fail on some record, so it is
//! incompatible here. The Java registries decide some rare cases otherwise (decimals, enum defaults); where it matters
//! they are the judge.

use apache_avro::Schema;
use apache_avro::error::CompatibilityError;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

/// What a new schema must be able to do; the names on the wire are Confluent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    name: &'static str,
    /// The new one reads what the old one wrote.
    backward: bool,
    /// The old one reads what the new one writes.
    forward: bool,
    /// With all versions, not only the last.
    transitive: bool,
}

const fn level(name: &'static str, backward: bool, forward: bool, transitive: bool) -> Level {
    Level { name, backward, forward, transitive }
}

const LEVELS: [Level; 7] = [
    level("NONE", false, false, false),
    Level::BACKWARD,
    level("BACKWARD_TRANSITIVE", true, false, true),
    level("FORWARD", false, true, false),
    level("FORWARD_TRANSITIVE", false, true, true),
    level("FULL", true, true, false),
    level("FULL_TRANSITIVE", true, true, true),
];

impl Level {
    /// The level of a registry that was told nothing.
    pub(super) const BACKWARD: Self = level("BACKWARD", true, false, false);

    pub(super) fn named(name: &str) -> Option<Self> {
        LEVELS.into_iter().find(|level| level.name == name)
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Why `new` may not follow `old`, which are in order of their versions; empty if it may.
    pub(super) fn objections(self, new: &Schema, old: &[&Schema]) -> Vec<String> {
        let looked_at = if self.transitive { old.len() } else { 1 };
        let mut objections = Vec::new();
        for old in old.iter().rev().take(looked_at) {
            if self.backward {
                objections.extend(objection(old, new, "the new schema cannot read the old one"));
            }
            if self.forward {
                objections.extend(objection(new, old, "the old schema cannot read the new one"));
            }
        }
        objections
    }
}

fn objection(writer: &Schema, reader: &Schema, what: &str) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        Ok(Compatibility::Partial) => Some(format!("{what}: some records would not resolve")),
        Err(error) => {
            let (path, reason) = place(&error);
            Some(format!("{what} at path '{path}': {reason}"))
        }
    }
}

/// Where the schemas differ, by the fields' names from the root, and how. The error tells one field at a time, the innermost
/// last.
fn place(error: &CompatibilityError) -> (String, String) {
    match error {
        CompatibilityError::FieldTypeMismatch(field, inner) => {
            let (path, reason) = place(inner);
            (format!("/{field}{}", if path == "/" { "" } else { &path }), reason)
        }
        CompatibilityError::MissingDefaultValue(field) => {
            (format!("/{field}"), format!("field '{field}' is new and has no default value"))
        }
        other => ("/".to_owned(), other.to_string()),
    }
}

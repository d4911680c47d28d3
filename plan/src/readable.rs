//! Whether a pipeline can read what another schema wrote, before a record of it has come.

use std::collections::BTreeSet;
use std::iter::once;

use apache_avro::error::CompatibilityError;
use apache_avro::schema_compatibility::SchemaCompatibility;

use crate::avro::{Expansion, Field, Schema};
use crate::{Outline, Plan};

impl Plan {
    /// Why records written by `writer` (Avro JSON) cannot be read, with the path of the field.
    ///
    /// Nothing is said where only the record's name differs (a subject may hold several kinds of events, and records of the others are
    /// refused one by one), nor of a schema that cannot be parsed by itself, as one with references.
    ///
    /// # Errors
    /// The reason.
    pub fn can_read(&self, writer: &str) -> Result<(), String> {
        can_read(writer, &self.reader_schema)
    }

    /// The same, where another name of the record is a reason too.
    ///
    /// # Errors
    /// The reason.
    pub fn can_read_named(&self, writer: &str) -> Result<(), String> {
        resolve(writer, &self.reader_schema).map_or(Ok(()), |error| Err(words(&error)))
    }
}

impl Outline {
    /// As [`Plan::can_read`].
    ///
    /// # Errors
    /// The reason.
    pub fn can_read(&self, writer: &str) -> Result<(), String> {
        can_read(writer, &self.reader_schema)
    }
}

fn can_read(writer: &str, reader: &str) -> Result<(), String> {
    match resolve(writer, reader) {
        Some(error) if !matches!(error, CompatibilityError::NameMismatch { .. }) => Err(words(&error)),
        _ => Ok(()),
    }
}

/// What speaks against it in the fields that are read. Both schemas are held to the bounds first, which the library does not know.
fn resolve(writer: &str, reader: &str) -> Option<CompatibilityError> {
    let (written, read) = (Schema::parse(writer).ok()?, Schema::parse(reader).ok()?);
    written.record().ok()?;
    let names = |field: &Field| once(field.name.clone()).chain(field.aliases.clone()).collect::<Vec<_>>();
    let read: BTreeSet<Box<str>> = read.record().ok()?.iter().flat_map(names).collect();
    let used = written.text(|name| read.contains(name)).ok()?;
    let bounded = Schema::parse(&used).ok()?;
    bounded.expand(bounded.root(), &mut Expansion::default()).ok()?;
    let parse = |text: &str| apache_avro::Schema::parse_str(text).ok();
    SchemaCompatibility::can_read(&parse(&used)?, &parse(reader)?).err()
}

fn words(error: &CompatibilityError) -> String {
    let (path, reason) = place(error);
    format!("at path '{path}': {reason}")
}

/// Where the schemas differ, by the fields' names from the root, and how.
fn place(error: &CompatibilityError) -> (String, String) {
    match error {
        CompatibilityError::FieldTypeMismatch(field, inner) => {
            let (path, reason) = place(inner);
            (format!("/{field}{}", if path == "/" { "" } else { &path }), reason)
        }
        CompatibilityError::MissingDefaultValue(field) => {
            (format!("/{field}"), format!("records have no field '{field}', and it has no default value"))
        }
        other => ("/".to_owned(), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::Plan;

    #[test]
    fn more_fields_and_other_names_are_fine_and_missing_ones_are_told() {
        let manifest = include_str!("../../examples/revenue-5m.yaml");
        let plan = Plan::compile(&serde_saphyr::from_str(manifest).expect("reads")).expect("is right");
        let written = |edit: &dyn Fn(&mut serde_json::Value)| {
            let mut schema: serde_json::Value = serde_json::from_str(&plan.full_schema).expect("JSON");
            edit(&mut schema);
            plan.can_read(&schema.to_string())
        };
        assert_eq!(written(&|_| ()), Ok(()));
        assert_eq!(written(&|it| it["name"] = "Other".into()), Ok(()));
        let more = serde_json::json!({"name": "more", "type": {"type": "array", "items": "string"}});
        assert_eq!(written(&|it| it["fields"].as_array_mut().expect("fields").push(more.clone())), Ok(()));
        assert_eq!(plan.can_read("no schema"), Ok(()), "what cannot be judged is not refused");
        let fewer =
            written(&|it| drop(it["fields"].as_array_mut().expect("fields").remove(0))).expect_err("is missing");
        assert!(fewer.contains("event_id"), "{fewer}");
        let other = written(&|it| it["fields"][0]["type"] = "boolean".into()).expect_err("is of another type");
        assert!(other.starts_with("at path '/event_id'"), "{other}");
    }
}

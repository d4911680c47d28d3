//! The reader schema: from Avro JSON to Arrow columns, and cut down to the fields that are used.
//!
//! Keeps true: the Arrow schema is the one that arrow-avro itself makes, so plan and decoder cannot disagree.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_schema::{DataType, FieldRef, SchemaRef};
use datafusion_common::DFSchema;
use serde_json::Value;

use crate::names::suggest;
use crate::sql::text::{byte_at, lower_first};
use crate::{Path, Problem, codes};

/// The fields of a reader schema.
#[derive(Debug)]
pub(crate) struct Fields {
    json: Value,
    text: String,
    arrow: SchemaRef,
    logical: DFSchema,
}

impl Fields {
    /// Reads an Avro schema.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let unreadable = |message: String| Problem::new(codes::SCHEMA, path.clone(), message);
        let json: Value = serde_json::from_str(text).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            unreadable(format!("the Avro schema is not JSON: {reason}")).at(json_span(
                text,
                error.line(),
                error.column(),
            ))
        })?;
        apache_avro::Schema::parse(&json).map_err(|error| {
            unreadable(format!("the Avro schema cannot be read: {}", lower_first(&error.to_string())))
        })?;
        if json["type"] != "record" {
            return Err(unreadable("the Avro schema is not a record".to_owned())
                .help("allowed is a record, one field per value"));
        }
        let unsupported = |error: &dyn std::fmt::Display| {
            Problem::new(codes::SCHEMA_UNSUPPORTED, path.clone(), format!("the Avro schema cannot be decoded: {error}"))
        };
        let arrow = arrow_of(text, text).map_err(|error| unsupported(&error))?;
        let logical = DFSchema::try_from(arrow.as_ref().clone()).map_err(|error| unsupported(&error))?;
        Ok(Self { json, text: text.to_owned(), arrow, logical })
    }

    /// The schema as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// All fields, for typing expressions.
    pub(crate) fn logical(&self) -> &DFSchema {
        &self.logical
    }

    /// Names of all fields.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.arrow.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Type and nullability of a field.
    pub(crate) fn get(&self, name: &str) -> Option<(&DataType, bool)> {
        self.arrow.field_with_name(name).ok().map(|field| (field.data_type(), field.is_nullable()))
    }

    /// Type and nullability of a field, or the problem that it does not exist.
    pub(crate) fn find(&self, name: &str, path: &Path) -> Result<(&DataType, bool), Problem> {
        self.get(name).ok_or_else(|| {
            Problem::new(codes::FIELD_UNKNOWN, path.clone(), format!("the schema has no field '{name}'"))
                .help(suggest(name, &self.names()))
        })
    }

    /// The Avro schema with only these fields, in the schema's order, and the Arrow schema for it. A field is kept as well
    /// when it defines a type that a kept one refers to.
    ///
    /// # Errors
    /// arrow-avro's, in words, or what it would say of every record.
    pub(crate) fn project(&self, used: &BTreeSet<String>) -> Result<(String, SchemaRef), String> {
        let mut json = self.json.clone();
        if let Some(fields) = json["fields"].as_array_mut() {
            let keep = with_definitions(fields, used);
            let mut position = 0;
            fields.retain(|_| {
                position += 1;
                keep[position - 1]
            });
        }
        let text = json.to_string();
        let arrow = arrow_of(&self.text, &text)?;
        let nulls = |field: &FieldRef| null_below(field.data_type(), field.name());
        match arrow.fields().iter().find_map(nulls) {
            Some(path) => Err(format!(
                "'{path}' can be nothing but null; allowed is null beside another type, for example [\"null\", \"string\"]"
            )),
            None => Ok((text, arrow)),
        }
    }
}

/// Marks the used fields, and those that define named types which marked ones refer to.
fn with_definitions(fields: &[Value], used: &BTreeSet<String>) -> Vec<bool> {
    let mut keep: Vec<bool> =
        fields.iter().map(|field| field["name"].as_str().is_some_and(|name| used.contains(name))).collect();
    loop {
        let mut needed = BTreeSet::new();
        fields
            .iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .for_each(|(field, _)| collect(&field["type"], &mut needed, &mut BTreeSet::new()));
        let mut grown = false;
        for (field, keep) in fields.iter().zip(&mut keep).filter(|(_, keep)| !**keep) {
            let mut defined = BTreeSet::new();
            collect(&field["type"], &mut BTreeSet::new(), &mut defined);
            if !defined.is_disjoint(&needed) {
                *keep = true;
                grown = true;
            }
        }
        if !grown {
            return keep;
        }
    }
}

/// Collects the type names (without namespaces) that a type refers to, and those that it defines.
fn collect(of: &Value, refers: &mut BTreeSet<String>, defines: &mut BTreeSet<String>) {
    let short = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    match of {
        Value::String(name) => {
            refers.insert(short(name));
        }
        Value::Array(branches) => branches.iter().for_each(|branch| collect(branch, refers, defines)),
        Value::Object(object) => {
            if let Some(name) = object.get("name").and_then(Value::as_str) {
                defines.insert(short(name));
            }
            for key in ["type", "items", "values"] {
                object.get(key).into_iter().for_each(|inner| collect(inner, refers, defines));
            }
            let fields = object.get("fields").and_then(Value::as_array);
            fields.into_iter().flatten().for_each(|field| collect(&field["type"], refers, defines));
        }
        _ => {}
    }
}

/// What arrow-avro makes of records written with one schema and read with another.
fn arrow_of(writer: &str, reader: &str) -> Result<SchemaRef, String> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(1), AvroSchema::new(writer.to_owned())).map_err(|error| error.to_string())?;
    let decoder = ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_reader_schema(AvroSchema::new(reader.to_owned()))
        .build_decoder()
        .map_err(|error| error.to_string())?;
    Ok(decoder.schema())
}

/// Where a value holds another one whose type is null: arrow-avro makes a column of it that must not be null, so no record would decode.
fn null_below(kind: &DataType, path: &str) -> Option<String> {
    let held = |name: &str, held: &DataType| {
        let path = format!("{path}{name}");
        if held.is_null() { Some(path) } else { null_below(held, &path) }
    };
    match kind {
        DataType::Struct(fields) => {
            fields.iter().find_map(|field| held(&format!(".{}", field.name()), field.data_type()))
        }
        DataType::List(item) => held("[]", item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) => entry.last().and_then(|value| held("{}", value.data_type())),
            _ => None,
        },
        // A branch of a union may be null.
        DataType::Union(branches, _) => branches.iter().find_map(|(_, branch)| null_below(branch.data_type(), path)),
        _ => None,
    }
}

/// The byte that `serde_json` stopped at (its columns count bytes from 1).
fn json_span(text: &str, line: usize, column: usize) -> Option<Range<usize>> {
    let start = byte_at(text, line, 1)? + column.saturating_sub(1);
    let start = start.min(text.len());
    Some(start..(start + 1).min(text.len()))
}

//! The reader schema: from Avro to Arrow columns, and cut down to the fields that are used.
//!
//! Keeps true: the Arrow schema is the one that arrow-avro itself makes, so plan and decoder cannot disagree; a field that cannot be a
//! column matters only where it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_schema::{DataType, FieldRef, Fields as Columns, Schema as ArrowSchema, SchemaRef};
use datafusion_common::DFSchema;
use serde_json::{Value, json};

use super::{Expansion, Field, Kind, MAX_EXPANDED, Schema, SchemaError, TypeId, json::has_comments};
use crate::names::{nearest, quoted, unknown_field};
use crate::sql::text::{byte_at, lower_first};
use crate::{Path, Problem, codes};

/// Most types in all columns together.
const MAX_COLUMNS: usize = 16 * MAX_EXPANDED;

/// The fields of a reader schema.
#[derive(Debug)]
pub(crate) struct Fields {
    schema: Schema,
    text: String,
    /// Those that can be columns.
    arrow: SchemaRef,
    /// Why the others cannot.
    unreadable: BTreeMap<String, String>,
    logical: DFSchema,
}

impl Fields {
    /// Reads an Avro schema: a record, or a list of types whose last record is meant.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let schema = Schema::parse(text).map_err(|error| unreadable(text, path, &error))?;
        let is_list = matches!(schema.get(schema.root()).kind, Kind::Union(_));
        let schema = schema.last_record();
        let Ok(fields) = schema.record() else {
            let message = "the Avro schema is not a record".to_owned();
            return Err(Problem::new(codes::SCHEMA, path.clone(), message)
                .help("allowed is a record, one field per value, or a list of types whose last record it is"));
        };
        let unsupported = |error: &dyn std::fmt::Display| {
            Problem::new(codes::SCHEMA_UNSUPPORTED, path.clone(), format!("the Avro schema cannot be decoded: {error}"))
        };
        let (columns, unreadable) = columns(&schema, fields);
        let arrow = SchemaRef::new(ArrowSchema::new(columns));
        let logical = DFSchema::try_from(arrow.as_ref().clone()).map_err(|error| unsupported(&error))?;
        // What is registered is one schema in plain JSON.
        let text = if is_list || has_comments(text) {
            schema.text(|_| true).map_err(|error| unsupported(&error))?
        } else {
            text.to_owned()
        };
        Ok(Self { schema, text, arrow, unreadable, logical })
    }

    /// The schema as written, or without comments and with the types of a list where they are used.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// All fields that can be read, for typing expressions.
    pub(crate) fn logical(&self) -> &DFSchema {
        &self.logical
    }

    /// Names of all fields that can be read.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.arrow.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Type and nullability of a field.
    pub(crate) fn get(&self, name: &str) -> Option<(&DataType, bool)> {
        self.arrow.field_with_name(name).ok().map(|field| (field.data_type(), field.is_nullable()))
    }

    /// The symbols of a field that is an enum.
    pub(crate) fn symbols(&self, name: &str) -> Option<Vec<&str>> {
        let field = self.schema.record().ok()?.iter().find(|field| *field.name == *name)?;
        let symbols = |id: &TypeId| match &self.schema.get(*id).kind {
            Kind::Enum(symbols) => Some(symbols.iter().map(|symbol| &**symbol).collect()),
            _ => None,
        };
        match &self.schema.get(field.of).kind {
            Kind::Union(branches) => branches.iter().find_map(symbols),
            _ => symbols(&field.of),
        }
    }

    /// Type and nullability of a field, or the problem that it does not exist.
    pub(crate) fn find(&self, name: &str, path: &Path) -> Result<(&DataType, bool), Problem> {
        self.get(name).ok_or_else(|| match self.why_not(name) {
            Some(why) => Problem::new(codes::SCHEMA_UNSUPPORTED, path.clone(), why).help(self.readable()),
            None => Problem::new(codes::FIELD_UNKNOWN, path.clone(), format!("the schema has no field '{name}'"))
                .help(self.instead(name)),
        })
    }

    /// Why a field of the schema cannot be read, if there is such a field.
    pub(crate) fn why_not(&self, name: &str) -> Option<String> {
        self.unreadable.get(name).map(|why| format!("field '{name}' cannot be read: {why}"))
    }

    /// What may be written in place of a field that cannot be read.
    pub(crate) fn readable(&self) -> String {
        format!("allowed are {}", quoted(self.names()))
    }

    /// What may be written in place of a field that the schema lacks.
    pub(crate) fn instead(&self, name: &str) -> String {
        let names: BTreeSet<&str> = self.names().into_iter().collect();
        if ["before", "after", "source", "op"].iter().all(|part| names.contains(part)) {
            return "the schema is the envelope of a change event: let the connector unwrap it with the transform \
                    'io.debezium.transforms.ExtractNewRecordState', so that the row's columns are fields"
                .to_owned();
        }
        unknown_field(name, &self.names())
    }

    /// The Avro schema with only these fields, in the schema's order, and the Arrow schema for it.
    ///
    /// # Errors
    /// arrow-avro's, in words, or what it would say of every record.
    pub(crate) fn project(&self, used: &BTreeSet<String>) -> Result<(String, SchemaRef), String> {
        let text = self.schema.text(|name| used.contains(name)).map_err(|error| error.to_string())?;
        let kept = Schema::parse(&text).map_err(|error| error.to_string())?;
        let whole = kept.expand(kept.root(), &mut Expansion::default()).map_err(|error| error.to_string())?;
        apache_avro::Schema::parse(&whole).map_err(|error| lower_first(&error.to_string()))?;
        let arrow = arrow_of(&whole)?;
        let nulls = |field: &FieldRef| null_below(field.data_type(), field.name());
        match arrow.fields().iter().find_map(nulls) {
            Some(path) => Err(format!(
                "'{path}' can be nothing but null; allowed is null beside another type, for example [\"null\", \"string\"]"
            )),
            None => Ok((text, arrow)),
        }
    }
}

/// What to say of a schema that cannot be read.
fn unreadable(text: &str, path: &Path, error: &SchemaError) -> Problem {
    let problem = |message: String| Problem::new(codes::SCHEMA, path.clone(), message);
    match error {
        SchemaError::ReadJson { source } => {
            let reason = source.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let span = json_span(text, source.line(), source.column());
            problem(format!("the Avro schema is not JSON: {reason}")).at(span)
        }
        SchemaError::Undefined { name } => {
            let short = name.rsplit('.').next().unwrap_or_default();
            let primitives = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
            let problem = problem(format!("the Avro schema uses type '{name}', which is not defined before its use"));
            match nearest(short, primitives) {
                Some(meant) => problem.help(format!("did you mean '{meant}'?")),
                None => problem.help(
                    "allowed is one text with everything in it: put the definition where the type is used first, or \
                     make the schema a list, with the definition before the record",
                ),
            }
        }
        other => problem(format!("the Avro schema cannot be read: {other}")),
    }
}

/// The columns of the fields that can be read, each by itself, and why the others cannot.
fn columns(schema: &Schema, fields: &[Field]) -> (Columns, BTreeMap<String, String>) {
    let one = |field: &Field, left: &mut usize| -> Result<Columns, String> {
        let mut expansion = Expansion::default();
        let of = schema.expand(field.of, &mut expansion).map_err(|error| error.to_string())?;
        *left = left.checked_sub(expansion.used()).ok_or("all fields together have too many types")?;
        let record = json!({"type": "record", "name": "R", "fields": [field.with_type(of)]});
        Ok(arrow_of(&record)?.fields().clone())
    };
    let mut left = MAX_COLUMNS;
    let (mut columns, mut unreadable) = (Vec::new(), BTreeMap::new());
    for field in fields {
        match one(field, &mut left) {
            Ok(found) => columns.extend(found.iter().cloned()),
            Err(why) => drop(unreadable.insert(field.name.to_string(), why)),
        }
    }
    (columns.into(), unreadable)
}

/// What arrow-avro makes of records that are written and read with a schema.
fn arrow_of(schema: &Value) -> Result<SchemaRef, String> {
    let schema = AvroSchema::new(schema.to_string());
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(1), schema.clone()).map_err(|error| error.to_string())?;
    let decoder = ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_reader_schema(schema)
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

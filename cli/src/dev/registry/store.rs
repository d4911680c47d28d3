//! Subjects, versions and ids.
//!
//! Keeps true: a schema has one id, in whatever subject it is; ids and versions count from 1 and never change; two texts
//! are the same schema if they differ in white space and in the order of attributes alone.

use std::collections::BTreeMap;

use apache_avro::Schema;
use serde_json::{Map, Value};
use thiserror::Error;

use super::compatibility::Level;

/// Why the registry refuses. The numbers are Confluent's.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum StoreError {
    #[error("Subject '{0}' not found.")]
    FindSubject(String),
    #[error("Version {0} not found.")]
    FindVersion(String),
    #[error("Schema {0} not found")]
    FindId(u32),
    #[error("Schema not found")]
    FindSchema,
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    FindLevel(String),
    #[error("Invalid schema: {0}")]
    ParseSchema(String),
    #[error("The specified version '{0}' is not a valid version id. Allowed values are positive integers and 'latest'")]
    ParseVersion(String),
    #[error(
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"
    )]
    ParseLevel,
    #[error(
        "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: {details:?}"
    )]
    Register { subject: String, details: Vec<String> },
}

impl StoreError {
    /// The `error_code` of the response; its HTTP status is the first three digits.
    pub(super) fn code(&self) -> u32 {
        match self {
            Self::FindSubject(_) => 40401,
            Self::FindVersion(_) => 40402,
            Self::FindId(_) | Self::FindSchema => 40403,
            Self::FindLevel(_) => 40408,
            Self::ParseSchema(_) => 42201,
            Self::ParseVersion(_) => 42202,
            Self::ParseLevel => 42203,
            Self::Register { .. } => 409,
        }
    }
}

/// A schema that parsed.
struct Stored {
    text: String,
    schema: Schema,
}

/// A schema's place in a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) subject: String,
    pub(super) number: u32,
    pub(super) id: u32,
    pub(super) text: String,
}

/// Everything that the registry knows.
pub(super) struct Store {
    /// The schema with id 1 first.
    schemas: Vec<Stored>,
    /// Ids by canonical text.
    ids: BTreeMap<String, u32>,
    /// Per subject the ids of its versions, version 1 first.
    subjects: BTreeMap<String, Vec<u32>>,
    level: Level,
    subject_levels: BTreeMap<String, Level>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            schemas: Vec::new(),
            ids: BTreeMap::new(),
            subjects: BTreeMap::new(),
            level: Level::BACKWARD,
            subject_levels: BTreeMap::new(),
        }
    }
}

/// A schema's text as one of ours, its canonical form, and what it means.
struct Parsed {
    text: String,
    canonical: String,
    schema: Schema,
}

fn parse(text: &str) -> Result<Parsed, StoreError> {
    let invalid = |error: &dyn std::fmt::Display| StoreError::ParseSchema(error.to_string());
    let schema = Schema::parse_str(text).map_err(|error| invalid(&error))?;
    let json: Value = serde_json::from_str(text).map_err(|error| invalid(&error))?;
    Ok(Parsed { text: json.to_string(), canonical: sorted(&json).to_string(), schema })
}

/// The same value with the keys of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(entries) => {
            let ordered: BTreeMap<_, _> = entries.iter().collect();
            let entries = ordered.into_iter().map(|(k, v)| (k.clone(), sorted(v)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

impl Store {
    /// The id of a schema in a subject, which is a new version of it unless it is there already.
    pub(super) fn register(&mut self, subject: &str, text: &str) -> Result<u32, StoreError> {
        let parsed = parse(text)?;
        let known = self.ids.get(&parsed.canonical).copied();
        let versions = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        if let Some(id) = known.filter(|id| versions.contains(id)) {
            return Ok(id);
        }
        let details = self.objections(subject, &parsed.schema);
        if !details.is_empty() {
            let subject = subject.to_owned();
            return Err(StoreError::Register { subject, details });
        }
        let id = known.unwrap_or_else(|| self.add(parsed));
        self.subjects.entry(subject.to_owned()).or_default().push(id);
        Ok(id)
    }

    fn add(&mut self, parsed: Parsed) -> u32 {
        self.schemas.push(Stored { text: parsed.text, schema: parsed.schema });
        let id = self.schemas.len() as u32;
        self.ids.insert(parsed.canonical, id);
        id
    }

    fn stored(&self, id: u32) -> Result<&Stored, StoreError> {
        let index = (id as usize).checked_sub(1);
        let stored = index.and_then(|index| self.schemas.get(index));
        stored.ok_or(StoreError::FindId(id))
    }

    fn objections(&self, subject: &str, schema: &Schema) -> Vec<String> {
        let level = self.subject_levels.get(subject).unwrap_or(&self.level);
        let versions = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let old: Vec<&Schema> =
            versions.iter().filter_map(|id| self.stored(*id).ok()).map(|stored| &stored.schema).collect();
        level.objections(schema, &old)
    }

    fn subject(&self, subject: &str) -> Result<&[u32], StoreError> {
        let versions = self.subjects.get(subject).map(Vec::as_slice);
        versions.ok_or_else(|| StoreError::FindSubject(subject.to_owned()))
    }

    /// Why the schema may not be registered in this subject; empty if it may, also if the subject is new. With a version,
    /// only that one is looked at.
    pub(super) fn check(&self, subject: &str, version: Option<&str>, text: &str) -> Result<Vec<String>, StoreError> {
        let schema = parse(text)?.schema;
        let Some(version) = version else {
            return Ok(self.objections(subject, &schema));
        };
        let id = self.version(subject, version)?.id;
        let level = self.subject_levels.get(subject).unwrap_or(&self.level);
        Ok(level.objections(&schema, &[&self.stored(id)?.schema]))
    }

    /// The version that a schema already is in a subject.
    pub(super) fn look_up(&self, subject: &str, text: &str) -> Result<Version, StoreError> {
        let versions = self.subject(subject)?;
        let id = self.ids.get(&parse(text)?.canonical);
        let place = versions.iter().position(|version| Some(version) == id);
        let place = place.ok_or(StoreError::FindSchema)?;
        self.version(subject, &(place + 1).to_string())
    }

    /// A version by its number, or `latest`.
    pub(super) fn version(&self, subject: &str, version: &str) -> Result<Version, StoreError> {
        let versions = self.subject(subject)?;
        let number = match version {
            "latest" | "-1" => versions.len() as u32,
            number => match number.parse() {
                Ok(number) if number > 0 => number,
                _ => return Err(StoreError::ParseVersion(version.to_owned())),
            },
        };
        let id = versions.get(number as usize - 1);
        let id = *id.ok_or_else(|| StoreError::FindVersion(version.to_owned()))?;
        Ok(Version { subject: subject.to_owned(), number, id, text: self.stored(id)?.text.clone() })
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str) -> Result<Vec<u32>, StoreError> {
        Ok((1..=self.subject(subject)?.len() as u32).collect())
    }

    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// The schema's text.
    pub(super) fn by_id(&self, id: u32) -> Result<&str, StoreError> {
        Ok(&self.stored(id)?.text)
    }

    /// Where a schema is used.
    pub(super) fn places(&self, id: u32) -> Result<Vec<(&str, u32)>, StoreError> {
        self.stored(id)?;
        let places = self.subjects.iter().filter_map(|(subject, versions)| {
            let place = versions.iter().position(|version| *version == id)?;
            Some((subject.as_str(), place as u32 + 1))
        });
        Ok(places.collect())
    }

    /// The level of one subject, or that of all which have none of their own.
    pub(super) fn level(&self, subject: Option<&str>) -> Result<Level, StoreError> {
        let Some(subject) = subject else {
            return Ok(self.level);
        };
        let level = self.subject_levels.get(subject).copied();
        level.ok_or_else(|| StoreError::FindLevel(subject.to_owned()))
    }

    pub(super) fn set_level(&mut self, subject: Option<&str>, name: &str) -> Result<(), StoreError> {
        let level = Level::named(&name.to_uppercase()).ok_or(StoreError::ParseLevel)?;
        match subject {
            None => self.level = level,
            Some(subject) => {
                self.subject_levels.insert(subject.to_owned(), level);
            }
        }
        Ok(())
    }
}

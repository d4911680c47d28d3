//! Subjects, versions and ids.
//!
//! Keeps true: a schema has one id, in whatever subject it is; ids and versions count from 1 and never change; two texts
//! are the same schema if they differ in white space and in the order of attributes alone.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::Schema;
use plan::avro;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
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
    #[error("Schema {0} not found")]
    FindGuid(String),
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
            Self::FindId(_) | Self::FindGuid(_) | Self::FindSchema => 40403,
            Self::FindLevel(_) => 40408,
            Self::ParseSchema(_) => 42201,
            Self::ParseVersion(_) => 42202,
            Self::ParseLevel => 42203,
            Self::Register { .. } => 409,
        }
    }
}

/// A name of a schema that another one uses types of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Reference {
    /// The name that is used.
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) version: u32,
}

/// A schema that parsed.
pub(super) struct Stored {
    pub(super) text: String,
    pub(super) references: Vec<Reference>,
    pub(super) guid: String,
    schema: Schema,
}

/// A schema's place in a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) subject: String,
    pub(super) number: u32,
    pub(super) id: u32,
    pub(super) text: String,
    pub(super) references: Vec<Reference>,
    pub(super) guid: String,
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
    references: Vec<Reference>,
    canonical: String,
    schema: Schema,
}

/// What is given of a schema: its text, and the names of others in it.
pub(super) struct Given {
    pub(super) text: String,
    pub(super) references: Vec<Reference>,
}

/// Parses a schema behind the texts that it refers to. Other registries take a default value that does not fit its type, so this one does.
fn parse(given: Given, before: &[&str]) -> Result<Parsed, StoreError> {
    let invalid = |error: &dyn std::fmt::Display| StoreError::ParseSchema(error.to_string());
    let Given { text, references } = given;
    let own = avro::read_json(&text).map_err(|error| invalid(&error))?;
    let whole = avro::Schema::parse_all(before, &text).map_err(|error| invalid(&error))?;
    let whole = whole.json(|_| true).map_err(|error| invalid(&error))?;
    let schema = Schema::parse(&whole).or_else(|error| Schema::parse(&without_defaults(&whole)).map_err(|_| error));
    let schema = schema.map_err(|error| invalid(&error))?;
    let mut canonical = sorted(&own).to_string();
    if !references.is_empty() {
        canonical = format!("{canonical} {}", json!(references));
    }
    Ok(Parsed { text: own.to_string(), references, canonical, schema })
}

fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_defaults).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(key, _)| *key != "default");
            Value::Object(entries.map(|(key, value)| (key.clone(), without_defaults(value))).collect())
        }
        other => other.clone(),
    }
}

/// A GUID that follows from the schema, as RFC 9562 lays out own kinds (version 8).
fn guid(canonical: &str) -> String {
    let hash = xxhash_rust::xxh3::xxh3_128(canonical.as_bytes());
    let hash = hash & !(0xF << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{hash:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
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
    pub(super) fn register(&mut self, subject: &str, given: Given) -> Result<u32, StoreError> {
        let parsed = self.parse(given)?;
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
        let Parsed { text, references, canonical, schema } = parsed;
        let guid = guid(&canonical);
        self.schemas.push(Stored { text, references, guid, schema });
        let id = self.schemas.len() as u32;
        self.ids.insert(canonical, id);
        id
    }

    fn parse(&self, given: Given) -> Result<Parsed, StoreError> {
        let (mut seen, mut before) = (BTreeSet::new(), Vec::new());
        self.gather(&given.references, &mut seen, &mut before)?;
        parse(given, &before)
    }

    /// The texts that references name, each behind those that it refers to itself. What is registered refers to what was there before.
    fn gather<'s>(
        &'s self,
        references: &[Reference],
        seen: &mut BTreeSet<u32>,
        texts: &mut Vec<&'s str>,
    ) -> Result<(), StoreError> {
        for reference in references {
            let id = self.version(&reference.subject, &reference.version.to_string())?.id;
            let stored = self.stored(id)?;
            if seen.insert(id) {
                self.gather(&stored.references, seen, texts)?;
                texts.push(&stored.text);
            }
        }
        Ok(())
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
    pub(super) fn check(&self, subject: &str, version: Option<&str>, given: Given) -> Result<Vec<String>, StoreError> {
        let schema = self.parse(given)?.schema;
        let Some(version) = version else {
            return Ok(self.objections(subject, &schema));
        };
        let id = self.version(subject, version)?.id;
        let level = self.subject_levels.get(subject).unwrap_or(&self.level);
        Ok(level.objections(&schema, &[&self.stored(id)?.schema]))
    }

    /// The version that a schema already is in a subject.
    pub(super) fn look_up(&self, subject: &str, given: Given) -> Result<Version, StoreError> {
        let versions = self.subject(subject)?;
        let id = self.ids.get(&self.parse(given)?.canonical);
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
        let Stored { text, references, guid, .. } = self.stored(id)?;
        let (text, references, guid) = (text.clone(), references.clone(), guid.clone());
        Ok(Version { subject: subject.to_owned(), number, id, text, references, guid })
    }

    /// The numbers of a subject's versions.
    pub(super) fn versions(&self, subject: &str) -> Result<Vec<u32>, StoreError> {
        Ok((1..=self.subject(subject)?.len() as u32).collect())
    }

    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    /// The schema.
    pub(super) fn by_id(&self, id: u32) -> Result<&Stored, StoreError> {
        self.stored(id)
    }

    /// The id of a GUID.
    pub(super) fn id_of(&self, guid: &str) -> Result<u32, StoreError> {
        let place = self.schemas.iter().position(|stored| stored.guid == guid);
        place.map(|place| place as u32 + 1).ok_or_else(|| StoreError::FindGuid(guid.to_owned()))
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

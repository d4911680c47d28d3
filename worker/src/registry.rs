//! Owns the talk with the schema registry (Confluent's HTTP interface): which schema an id names, and a subject's registration.
//!
//! Kept true: "there is no such schema" is said only when the registry itself says so; a proxy's page, a wrong path, a time-out or a
//! refusal are "unreachable", because a record must never be dead-lettered for a question that was not answered.
//!
//! The client blocks; call it from a plain thread.

mod memory;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use url::Url;

use crate::decode::{RegistryUnreachable, WriterSchema, WriterSchemas};
use memory::Folder;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const CONNECT_WAIT: Duration = Duration::from_secs(2);
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// An id that the registry did not have is asked for again after this.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// Pauses between questions to a registry that does not answer.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Unknown ids remembered; beyond it they are all forgotten, which only costs questions.
const UNKNOWN_IDS: usize = 4096;

/// The registry could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// The address is not one.
    #[error("'{url}' is not the address of a schema registry, expected http://host:port or https://host:port")]
    ReadAddress {
        /// As given.
        url: String,
    },
    /// No answer, or not a registry's. The environment must act; retry.
    #[error("schema registry {url}: {message}")]
    Reach {
        /// What was asked.
        url: String,
        /// What happened.
        message: String,
    },
    /// The registry answers no. The user must act.
    #[error("schema registry refuses ({code}): {message}")]
    Refuse {
        /// The registry's error code, such as 409 or 42201.
        code: u32,
        /// The registry's words.
        message: String,
    },
}

impl RegistryError {
    /// Whether the same question may be answered later.
    pub fn retry(&self) -> bool {
        matches!(self, Self::Reach { .. })
    }
}

/// A registry's refusal.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundSchema {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct FoundId {
    id: u32,
}

/// One registry.
pub struct RegistryClient {
    address: Result<Url, RegistryError>,
    client: Result<Client, String>,
}

impl RegistryClient {
    /// The registry at `address`; user and password may stand in it. Nothing is asked yet.
    pub fn new(address: &str) -> Self {
        let refused = || RegistryError::ReadAddress { url: address.to_owned() };
        let parsed = Url::parse(address).ok().filter(|url| !url.cannot_be_a_base() && url.has_host());
        let client = Client::builder().connect_timeout(CONNECT_WAIT).timeout(ANSWER_WAIT).build();
        Self { address: parsed.ok_or_else(refused), client: client.map_err(|error| error.to_string()) }
    }

    /// The schema of an id; `Unknown` is the registry's own word.
    pub fn schema(&self, id: u32) -> Result<WriterSchema, RegistryError> {
        let url = self.url(&["schemas", "ids", &id.to_string()])?;
        let found: FoundSchema = match self.ask(&url, |client| client.get(url.clone())) {
            Ok(found) => found,
            Err(RegistryError::Refuse { code: 40400..=40499, .. }) => return Ok(WriterSchema::Unknown),
            Err(RegistryError::Refuse { code, message }) => {
                return Err(RegistryError::Reach { url: shown(&url), message: format!("refused ({code}): {message}") });
            }
            Err(error) => return Err(error),
        };
        Ok(match found.schema_type.as_deref() {
            None | Some("AVRO") if found.references.is_empty() => WriterSchema::Avro(found.schema.into()),
            None | Some("AVRO") => {
                WriterSchema::Unusable("references to other subjects are not supported, expected one schema".into())
            }
            Some(other) => {
                WriterSchema::Unusable(format!("schema type '{other}' is not supported, expected AVRO").into())
            }
        })
    }

    /// Looks `schema` up in `subject` and registers it if it is not there; returns its id.
    pub fn ensure_subject(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = json!({ "schema": schema });
        let url = self.url(&["subjects", subject])?;
        match self.ask::<FoundId>(&url, |client| client.post(url.clone()).json(&body)) {
            Ok(found) => return Ok(found.id),
            Err(RegistryError::Refuse { code: 40400..=40499, .. }) => {}
            Err(error) => return Err(error),
        }
        let url = self.url(&["subjects", subject, "versions"])?;
        let registered: FoundId = self.ask(&url, |client| client.post(url.clone()).json(&body))?;
        Ok(registered.id)
    }

    /// Sets a subject's compatibility level, such as `BACKWARD`.
    pub fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryError> {
        let url = self.url(&["config", subject])?;
        let body = json!({ "compatibility": level });
        self.ask::<serde_json::Value>(&url, |client| client.put(url.clone()).json(&body)).map(drop)
    }

    fn url(&self, segments: &[&str]) -> Result<Url, RegistryError> {
        let mut url = self.address.clone()?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(url)
    }

    fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        url: &Url,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<T, RegistryError> {
        let failed = |message: String| RegistryError::Reach { url: shown(url), message };
        let client = self.client.as_ref().map_err(|error| failed(error.clone()))?;
        let request = request(client).header("content-type", CONTENT_TYPE).header("accept", CONTENT_TYPE);
        let answer = request.send().map_err(|error| failed(innermost(&error)))?;
        let status = answer.status();
        let body = answer.text().map_err(|error| failed(innermost(&error)))?;
        if status.is_success() {
            return serde_json::from_str(&body)
                .map_err(|error| failed(format!("the answer is not a registry's: {error}")));
        }
        let definite = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
        match serde_json::from_str::<Refusal>(&body) {
            Ok(Refusal { error_code, message }) if definite => Err(RegistryError::Refuse { code: error_code, message }),
            Ok(Refusal { message, .. }) => Err(failed(format!("answers {status}: {message}"))),
            Err(_) => Err(failed(format!("answers {status} and no error code, which a schema registry would give"))),
        }
    }
}

/// The address without user and password.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that have no host, which `new` refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// The cause that says most: reqwest's own words hide it.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The registry with a memory, for lanes.
pub struct SchemaCache {
    registry: RegistryClient,
    folder: Option<Folder>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: HashMap<u32, WriterSchema>,
    unknown: HashMap<u32, Instant>,
    /// Not asked again before this, because of that.
    away: Option<(Instant, Duration, RegistryUnreachable)>,
}

impl SchemaCache {
    /// The registry at `address`. Nothing is asked yet.
    pub fn new(address: &str) -> Self {
        Self { registry: RegistryClient::new(address), folder: None, memory: Mutex::default() }
    }

    /// The same, with the schemas that it has met kept in `folder`, so that a restart knows them without asking.
    pub fn kept_in(address: &str, folder: &Path) -> Self {
        Self { folder: Some(Folder::new(folder, address)), ..Self::new(address) }
    }

    fn look_up(&self, id: u32, now: Instant) -> Result<WriterSchema, RegistryUnreachable> {
        // Held while asking: lanes that need the same schema wait for one answer.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.known.get(&id) {
            return Ok(known.clone());
        }
        if let Some(schema) = self.folder.as_ref().and_then(|folder| folder.find(id)) {
            let known = WriterSchema::Avro(schema.into());
            memory.remember(id, &known, now);
            return Ok(known);
        }
        if memory.unknown.get(&id).is_some_and(|since| now.duration_since(*since) < UNKNOWN_FOR) {
            return Ok(WriterSchema::Unknown);
        }
        let mut pause = PAUSE.0;
        if let Some((until, last_pause, why)) = &memory.away {
            if now < *until {
                return Err(why.clone());
            }
            pause = (*last_pause * 2).min(PAUSE.1);
        }
        match self.registry.schema(id) {
            Ok(answer) => {
                memory.away = None;
                memory.remember(id, &answer, now);
                if let (Some(folder), WriterSchema::Avro(schema)) = (&self.folder, &answer) {
                    folder.keep(id, schema);
                }
                Ok(answer)
            }
            Err(error) => {
                let why = RegistryUnreachable { message: error.to_string() };
                memory.away = Some((now + pause, pause, why.clone()));
                Err(why)
            }
        }
    }
}

impl Memory {
    fn remember(&mut self, id: u32, answer: &WriterSchema, now: Instant) {
        if *answer != WriterSchema::Unknown {
            self.unknown.remove(&id);
            self.known.insert(id, answer.clone());
            return;
        }
        if self.unknown.len() >= UNKNOWN_IDS {
            self.unknown.clear();
        }
        self.unknown.insert(id, now);
    }
}

impl WriterSchemas for SchemaCache {
    fn writer_schema(&self, id: u32) -> Result<WriterSchema, RegistryUnreachable> {
        self.look_up(id, Instant::now())
    }
}

#[cfg(test)]
mod tests;

//! Owns the talk with the schema registry (Confluent's HTTP interface): which schema an id names, and a subject's registration.
//!
//! Kept true: "there is no such schema" is said only when the registry itself says so; a proxy's page, a wrong path, a time-out or a
//! refusal are "unreachable", because a record must never be dead-lettered for a question that was not answered.
//!
//! The client blocks; call it from a plain thread.

mod answer;
mod client;
mod memory;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plan::Login;
use thiserror::Error;

use crate::decode::{RegistryUnreachable, SchemaKey, WriterSchema, WriterSchemas};
pub use answer::{MAX_ANSWER, innermost, without_user};
pub use client::RegistryClient;
use memory::Folder;

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

/// The registry with a memory, for lanes.
pub struct SchemaCache {
    registry: RegistryClient,
    folder: Option<Folder>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: HashMap<SchemaKey, WriterSchema>,
    unknown: HashMap<SchemaKey, Instant>,
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

    /// The same for somebody.
    #[must_use]
    pub fn login(mut self, login: Option<&Login>) -> Self {
        self.registry = self.registry.login(login);
        self
    }

    fn look_up(&self, key: SchemaKey, now: Instant) -> Result<WriterSchema, RegistryUnreachable> {
        // Held while asking: lanes that need the same schema wait for one answer.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.known.get(&key) {
            return Ok(known.clone());
        }
        if let Some(schema) = self.folder.as_ref().and_then(|folder| folder.find(key)) {
            let known = WriterSchema::Avro(schema.into());
            memory.remember(key, &known, now);
            return Ok(known);
        }
        if memory.unknown.get(&key).is_some_and(|since| now.duration_since(*since) < UNKNOWN_FOR) {
            return Ok(WriterSchema::Unknown);
        }
        let mut pause = PAUSE.0;
        if let Some((until, last_pause, why)) = &memory.away {
            if now < *until {
                return Err(why.clone());
            }
            pause = (*last_pause * 2).min(PAUSE.1);
        }
        match self.registry.schema(key) {
            Ok(answer) => {
                memory.away = None;
                memory.remember(key, &answer, now);
                if let (Some(folder), WriterSchema::Avro(schema)) = (&self.folder, &answer) {
                    folder.keep(key, schema);
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
    fn remember(&mut self, key: SchemaKey, answer: &WriterSchema, now: Instant) {
        if *answer != WriterSchema::Unknown {
            self.unknown.remove(&key);
            self.known.insert(key, answer.clone());
            return;
        }
        if self.unknown.len() >= UNKNOWN_IDS {
            self.unknown.clear();
        }
        self.unknown.insert(key, now);
    }
}

impl WriterSchemas for SchemaCache {
    fn writer_schema(&self, key: SchemaKey) -> Result<WriterSchema, RegistryUnreachable> {
        self.look_up(key, Instant::now())
    }
}

#[cfg(test)]
mod tests;

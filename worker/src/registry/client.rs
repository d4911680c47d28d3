//! Owns the questions: a schema by its id or GUID, with all that it refers to, and a subject's registration.

use std::collections::HashSet;

use plan::Login;
use plan::avro::{MAX_BYTES, Schema};
use reqwest::blocking::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::RegistryError;
use super::answer::{self, Address};
use crate::decode::{SchemaKey, WriterSchema};

/// Most schemas that one refers to, directly and through others.
const MAX_REFERENCES: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundSchema {
    schema: String,
    schema_type: Option<String>,
    references: Option<Vec<Reference>>,
}

/// A name of another subject's version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
struct Reference {
    subject: String,
    version: i32,
}

#[derive(Deserialize)]
struct FoundId {
    id: u32,
}

/// Why what a schema refers to cannot be used, or cannot be asked for now.
enum Unresolved {
    Unusable(String),
    Unanswered(RegistryError),
}

/// One registry.
pub struct RegistryClient {
    address: Result<Address, RegistryError>,
    client: Result<Client, String>,
}

impl RegistryClient {
    /// The registry at `address`; user and password may stand in it. Nothing is asked yet.
    pub fn new(address: &str) -> Self {
        Self { address: Address::read(address), client: answer::client() }
    }

    /// The same for somebody, who need not stand in the address then.
    #[must_use]
    pub fn login(mut self, login: Option<&Login>) -> Self {
        if let (Ok(address), Some(login)) = (&mut self.address, login) {
            address.credentials = Some((login.user.clone(), Some(login.password.clone())));
        }
        self
    }

    /// A schema with the definitions of all that it refers to; `Unknown` is the registry's own word.
    pub fn schema(&self, key: SchemaKey) -> Result<WriterSchema, RegistryError> {
        let (kind, name) = match key {
            SchemaKey::Id(id) => ("ids", id.to_string()),
            SchemaKey::Guid(_) => ("guids", key.to_string()),
        };
        let url = self.url(&["schemas", kind, &name])?;
        let found: FoundSchema = match self.ask(&url, |client| client.get(url.clone())) {
            Ok(found) => found,
            Err(RegistryError::Refuse { code: 40400..=40499, .. }) => return Ok(WriterSchema::Unknown),
            // A registry that gives no GUIDs has given none of this schema.
            Err(RegistryError::Refuse { code: 404, .. }) if kind == "guids" => return Ok(WriterSchema::Unknown),
            Err(error) => return Err(unanswered(&url, error)),
        };
        match found.schema_type.as_deref() {
            None | Some("AVRO") => {}
            Some(other) => {
                let message = format!("schema type '{other}' is not supported, expected AVRO");
                return Ok(WriterSchema::Unusable(message.into()));
            }
        }
        let references = found.references.unwrap_or_default();
        if references.is_empty() {
            return Ok(WriterSchema::Avro(found.schema.into()));
        }
        match self.with_references(&found.schema, &references) {
            Ok(schema) => Ok(WriterSchema::Avro(schema.into())),
            Err(Unresolved::Unusable(message)) => Ok(WriterSchema::Unusable(message.into())),
            Err(Unresolved::Unanswered(error)) => Err(error),
        }
    }

    /// One text of a schema and what it refers to.
    fn with_references(&self, schema: &str, references: &[Reference]) -> Result<String, Unresolved> {
        let mut gathered = Gathered { bytes: schema.len(), ..Gathered::default() };
        self.gather(references, &mut gathered)?;
        let before: Vec<&str> = gathered.texts.iter().map(String::as_str).collect();
        let unusable = |why: &dyn std::fmt::Display| Unresolved::Unusable(format!("with what it refers to: {why}"));
        let whole = Schema::parse_all(&before, schema).map_err(|error| unusable(&error))?;
        whole.text(|_| true).map_err(|error| unusable(&error))
    }

    /// The texts of references, each behind those that it refers to itself.
    fn gather(&self, references: &[Reference], gathered: &mut Gathered) -> Result<(), Unresolved> {
        for reference in references {
            if gathered.done.contains(reference) {
                continue;
            }
            let Reference { subject, version } = reference;
            if !gathered.begun.insert(reference.clone()) {
                let message = format!("subject '{subject}' version {version} refers to itself through others");
                return Err(Unresolved::Unusable(message));
            }
            if gathered.begun.len() > MAX_REFERENCES {
                let message = format!("it refers to more than {MAX_REFERENCES} other schemas");
                return Err(Unresolved::Unusable(message));
            }
            let found = self.version(reference)?;
            gathered.bytes += found.schema.len();
            if gathered.bytes > MAX_BYTES {
                let message = format!("with what it refers to it has more than {MAX_BYTES} bytes");
                return Err(Unresolved::Unusable(message));
            }
            self.gather(&found.references.unwrap_or_default(), gathered)?;
            gathered.texts.push(found.schema);
            gathered.done.insert(reference.clone());
        }
        Ok(())
    }

    fn version(&self, Reference { subject, version }: &Reference) -> Result<FoundSchema, Unresolved> {
        let url = self.url(&["subjects", subject, "versions", &version.to_string()]).map_err(Unresolved::Unanswered)?;
        match self.ask(&url, |client| client.get(url.clone())) {
            Ok(found) => Ok(found),
            Err(RegistryError::Refuse { code: 40400..=40499, .. }) => {
                let message = format!("it refers to subject '{subject}' version {version}, which the registry lacks");
                Err(Unresolved::Unusable(message))
            }
            Err(error) => Err(Unresolved::Unanswered(unanswered(&url, error))),
        }
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
        self.register(subject, schema)
    }

    /// Registers `schema` in `subject`, which may hold it already; returns its id.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let url = self.url(&["subjects", subject, "versions"])?;
        let body = json!({ "schema": schema });
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
        let mut url = self.address.as_ref().map_err(Clone::clone)?.url.clone();
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
        let address = self.address.as_ref().map_err(Clone::clone)?;
        let failed = |message: &String| RegistryError::Reach { url: url.to_string(), message: message.clone() };
        answer::ask(address, url, request(self.client.as_ref().map_err(failed)?))
    }
}

/// What has been gathered of references.
#[derive(Default)]
struct Gathered {
    texts: Vec<String>,
    bytes: usize,
    begun: HashSet<Reference>,
    done: HashSet<Reference>,
}

/// A refusal that says nothing of the schema: nothing can be said of the record.
fn unanswered(url: &Url, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Refuse { code, message } => {
            RegistryError::Reach { url: url.to_string(), message: format!("refused ({code}): {message}") }
        }
        other => other,
    }
}

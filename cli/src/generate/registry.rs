//! Registers the sample schemas with a schema registry, by plain HTTP.
//!
//! Keeps true: the ids are the registry's own; version 2 is version 1 with one more optional field, so it is backward
//! compatible. Blocking: call it outside of an asynchronous runtime.

use serde::Deserialize;
use serde_json::{Value, json};

use super::domain::SALES_EVENT_AVSC;
use super::stream::SchemaIds;

/// Why a schema has no id.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// No answer.
    #[error("cannot reach the schema registry at '{url}'")]
    Reach {
        /// The address that was asked.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The registry said no.
    #[error("the schema registry at '{url}' refused the schema with status {status}: {body}")]
    Refused {
        /// The address that was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

/// The sample schema with the optional field `channel`.
///
/// # Panics
/// Never: the embedded schema is a record with fields, as the tests see.
pub fn second_version() -> String {
    let mut schema: Value = serde_json::from_str(SALES_EVENT_AVSC).expect("the embedded schema is JSON");
    let fields = schema["fields"].as_array_mut().expect("the embedded schema is a record");
    fields.push(json!({"name": "channel", "type": ["null", "string"], "default": null}));
    schema.to_string()
}

/// Registers the sample schema under `<topic>-value`, and its second version if asked to, and gives their ids.
///
/// # Errors
/// The registry cannot be reached or refuses.
pub fn register(registry: &str, topic: &str, with_second: bool) -> Result<SchemaIds, RegisterError> {
    let client = reqwest::blocking::Client::new();
    let url = format!("{}/subjects/{topic}-value/versions", registry.trim_end_matches('/'));
    let first = post(&client, &url, SALES_EVENT_AVSC)?;
    let second = if with_second { Some(post(&client, &url, &second_version())?) } else { None };
    Ok(SchemaIds { first, second })
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

fn post(client: &reqwest::blocking::Client, url: &str, schema: &str) -> Result<u32, RegisterError> {
    let unreachable = |source| RegisterError::Reach { url: url.to_owned(), source };
    let answer = client
        .post(url)
        .header("Content-Type", "application/vnd.schemaregistry.v1+json")
        .body(json!({"schema": schema}).to_string())
        .send()
        .map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        let body = answer.text().unwrap_or_default();
        return Err(RegisterError::Refused { url: url.to_owned(), status: status.as_u16(), body });
    }
    answer.json::<Registered>().map(|registered| registered.id).map_err(unreachable)
}

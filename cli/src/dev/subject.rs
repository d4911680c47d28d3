//! The registry's subject for a run: the schema is registered where the manifest says so, and a subject that others filled is
//! left as it is.

use plan::{Plan, Register};
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use worker::registry::innermost;

use super::servers::PrepareError;

/// The subject's latest version cannot be read with the manifest's schema. The user must act.
#[derive(Debug, Error)]
#[error("the schema cannot read version {version} of subject '{subject}' {reason}")]
pub struct UnfitSubject {
    subject: String,
    version: u32,
    reason: String,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
    schema: String,
}

/// Registers the pipeline's schema where it is to be registered. The compatibility level is set in an embedded registry only,
/// which has nobody else to register anything: a shared one belongs to others as well.
///
/// # Errors
/// The registry does not answer or refuses, or the subject holds what cannot be read.
pub fn prepare(plan: &Plan, embedded: bool) -> Result<(), PrepareError> {
    let (client, subject) = (Client::new(), &plan.source.subject);
    let url = format!("{}/subjects/{subject}/versions", plan.registry_url);
    let register = |body: &Value| ask(client.post(&url).body(body.to_string()), plan).map(drop);
    let schema = json!({"schema": plan.full_schema});
    if embedded {
        let level = json!({"compatibility": compatibility(plan.source.compatibility)});
        let config = format!("{}/config/{subject}", plan.registry_url);
        ask(client.put(config).body(level.to_string()), plan)?;
        return register(&schema);
    }
    if plan.source.register == Register::Always {
        return register(&schema);
    }
    let latest = ask(client.get(format!("{url}/latest")), plan)?;
    let Some(Version { version, schema: written }) = latest.and_then(|text| serde_json::from_str(&text).ok()) else {
        return if plan.source.register == Register::IfEmpty { register(&schema) } else { Ok(()) };
    };
    let unfit = |reason| UnfitSubject { subject: subject.clone(), version, reason };
    Ok(plan.can_read(&written).map_err(unfit)?)
}

/// The answer's text; nothing where the registry says that there is no such thing.
fn ask(request: RequestBuilder, plan: &Plan) -> Result<Option<String>, PrepareError> {
    let request = request.header("Content-Type", "application/vnd.schemaregistry.v1+json");
    let unreachable = |error: reqwest::Error| PrepareError::ReachRegistry {
        url: super::pipeline::Registry::of(&plan.registry_url).address,
        message: innermost(&error),
    };
    let answer = request.send().map_err(unreachable)?;
    let status = answer.status();
    let body = answer.text().map_err(unreachable)?;
    if status.is_success() {
        return Ok(Some(body));
    }
    if status == StatusCode::NOT_FOUND && says_absent(&body) {
        return Ok(None);
    }
    Err(PrepareError::Register { subject: plan.source.subject.clone(), status: status.as_u16(), body })
}

/// Whether the registry itself says that there is no such subject or version, rather than that there is no such address.
fn says_absent(body: &str) -> bool {
    let code = serde_json::from_str::<Value>(body).ok().and_then(|body| body["error_code"].as_u64());
    code.is_some_and(|code| (40_400..40_500).contains(&code))
}

/// Confluent's name of a level.
fn compatibility(level: plan::Compatibility) -> &'static str {
    match level {
        plan::Compatibility::None => "NONE",
        plan::Compatibility::Backward => "BACKWARD",
        plan::Compatibility::BackwardTransitive => "BACKWARD_TRANSITIVE",
        plan::Compatibility::Forward => "FORWARD",
        plan::Compatibility::ForwardTransitive => "FORWARD_TRANSITIVE",
        plan::Compatibility::Full => "FULL",
        plan::Compatibility::FullTransitive => "FULL_TRANSITIVE",
    }
}

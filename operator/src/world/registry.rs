//! A schema registry through Confluent's HTTP interface.
//!
//! Kept true: "no such subject" and "incompatible" are said only when the registry itself says so; a proxy's page, a wrong
//! path or a time-out are "does not answer". A registry that is away is asked again only after a pause that grows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{self, http_client, innermost};
use super::{Registry, RegistryAccess, RegistryError, SubjectState};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Pauses between questions to a registry that does not answer.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Every registry that a pipeline names.
#[derive(Default)]
pub struct ConfluentRegistry {
    client: Client,
    away: Mutex<HashMap<RegistryAccess, (Instant, Duration, RegistryError)>>,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Found {
    id: u32,
}

#[derive(Deserialize)]
struct Version {
    schema: String,
}

#[derive(Deserialize)]
struct Level {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

impl ConfluentRegistry {
    async fn ask<T: DeserializeOwned>(
        &self,
        access: &RegistryAccess,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<T, RegistryError> {
        self.is_away(access, Instant::now())?;
        let answer = self.ask_now(access, method, path, body).await;
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Err(why @ RegistryError::Reach { .. }) => {
                let pause = away.get(access).map_or(PAUSE.0, |(_, last, _)| (*last * 2).min(PAUSE.1));
                away.insert(access.clone(), (Instant::now() + pause, pause, why.clone()));
            }
            _ => drop(away.remove(access)),
        }
        answer
    }

    fn is_away(&self, access: &RegistryAccess, now: Instant) -> Result<(), RegistryError> {
        match self.away.lock().unwrap_or_else(PoisonError::into_inner).get(access) {
            Some((until, _, why)) if now < *until => Err(why.clone()),
            _ => Ok(()),
        }
    }

    async fn ask_now<T: DeserializeOwned>(
        &self,
        access: &RegistryAccess,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<T, RegistryError> {
        let failed = |message: String| RegistryError::Reach { url: access.url.clone(), message };
        let mut url = Url::parse(&access.url).map_err(|error| failed(error.to_string()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if path[0] == "compatibility" {
            url.query_pairs_mut().append_pair("verbose", "true");
        }
        let mut request = self.client.request(method, url).timeout(ANSWER_WAIT).header("accept", CONTENT_TYPE);
        if let Some((user, password)) = &access.credentials {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = body {
            request = request.header("content-type", CONTENT_TYPE).body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| failed(innermost(&error)))?;
        let status = answer.status();
        let body = answer::body(answer).await.map_err(failed)?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| failed(format!("the answer is not a registry's: {error}")));
        }
        Err(refusal(access, status, &body))
    }
}

/// What an answer that is no success means.
fn refusal(access: &RegistryAccess, status: StatusCode, body: &[u8]) -> RegistryError {
    let url = access.url.clone();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return RegistryError::Authenticate { url, message: format!("answers {status}") };
    }
    let definite = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error_code: 409, message }) if definite => RegistryError::Incompatible { message },
        Ok(Refusal { error_code, message }) if definite => RegistryError::Refuse { code: error_code, message },
        Ok(Refusal { message, .. }) => RegistryError::Reach { url, message: format!("answers {status}: {message}") },
        Err(_) => {
            let message = format!("answers {status} and no error code, which a schema registry would give");
            RegistryError::Reach { url, message }
        }
    }
}

/// Absent where the registry says that there is no such subject, version or schema, or no level of the subject's own.
fn found<T>(answer: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(RegistryError::Refuse { code: 404 | 40400..=40499, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl ConfluentRegistry {
    /// Nothing is asked yet.
    pub fn new() -> Self {
        Self { client: http_client(), away: Mutex::default() }
    }
}

impl Registry for ConfluentRegistry {
    async fn subject(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> Result<SubjectState, RegistryError> {
        let body = json!({ "schema": schema });
        let id = found(self.ask::<Found>(access, Method::POST, &["subjects", subject], Some(body)).await)?;
        let level = found(self.ask::<Level>(access, Method::GET, &["config", subject], None).await)?;
        let latest = if id.is_none() {
            let path = ["subjects", subject, "versions", "latest"];
            found(self.ask::<Version>(access, Method::GET, &path, None).await)?.map(|version| version.schema)
        } else {
            None
        };
        Ok(SubjectState { latest, id: id.map(|found| found.id), level: level.map(|found| found.level) })
    }

    async fn probe(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<Vec<String>, RegistryError> {
        let path = ["compatibility", "subjects", subject, "versions"];
        let body = json!({ "schema": schema });
        let verdict = found(self.ask::<Verdict>(access, Method::POST, &path, Some(body)).await)?;
        Ok(match verdict {
            None | Some(Verdict { is_compatible: true, .. }) => Vec::new(),
            Some(Verdict { messages, .. }) if messages.is_empty() => {
                vec!["the registry says that it is not compatible with an earlier version".to_owned()]
            }
            Some(Verdict { messages, .. }) => messages,
        })
    }

    async fn set_level(&self, access: &RegistryAccess, subject: &str, level: &str) -> Result<(), RegistryError> {
        let body = json!({ "compatibility": level });
        self.ask::<Value>(access, Method::PUT, &["config", subject], Some(body)).await.map(drop)
    }

    async fn register(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = json!({ "schema": schema });
        let path = ["subjects", subject, "versions"];
        self.ask::<Found>(access, Method::POST, &path, Some(body)).await.map(|found| found.id)
    }

    async fn delete_subject(&self, access: &RegistryAccess, subject: &str) -> Result<(), RegistryError> {
        found(self.ask::<Value>(access, Method::DELETE, &["subjects", subject], None).await).map(drop)
    }
}

#[cfg(test)]
mod tests;

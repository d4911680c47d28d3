//! Owns one question and its answer: within a time, of a bounded size, without going elsewhere, and never with the password in words.

use std::io::Read;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use serde::Deserialize;
use url::Url;

use super::RegistryError;

pub(super) const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const CONNECT_WAIT: Duration = Duration::from_secs(2);
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
pub const MAX_ANSWER: u64 = 1 << 20;

/// A registry's refusal.
#[derive(Deserialize)]
struct Refusal {
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// A registry's address without its user, and who asks.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) url: Url,
    pub(super) credentials: Option<(String, Option<String>)>,
}

impl Address {
    /// Takes user and password out of an address.
    pub(super) fn read(address: &str) -> Result<Self, RegistryError> {
        let parsed = Url::parse(address).ok().filter(|url| !url.cannot_be_a_base() && url.has_host());
        let Some(mut url) = parsed else {
            return Err(RegistryError::ReadAddress { url: without_user(address) });
        };
        let plain = |text: &str| percent_decoded(text);
        let credentials = (!url.username().is_empty() || url.password().is_some())
            .then(|| (plain(url.username()), url.password().map(plain)));
        // Both fail only for addresses without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, credentials })
    }
}

/// An address without what stands before its '@', whether it is an address or not.
pub fn without_user(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some(at) = authority.rfind('@') else { return address.to_owned() };
    let rest = &rest[at + 1..];
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |place: usize| bytes.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A client that gives up soon and follows no redirect: the address is the manifest's, not a stranger's.
pub(super) fn client() -> Result<Client, String> {
    let builder = Client::builder().connect_timeout(CONNECT_WAIT).timeout(ANSWER_WAIT).redirect(Policy::none());
    builder.build().map_err(|error| error.to_string())
}

/// Asks, and reads what a registry answers.
pub(super) fn ask<T: for<'a> Deserialize<'a>>(
    address: &Address,
    url: &Url,
    request: RequestBuilder,
) -> Result<T, RegistryError> {
    let failed = |message: String| RegistryError::Reach { url: url.to_string(), message };
    let mut request = request.header("content-type", CONTENT_TYPE).header("accept", CONTENT_TYPE);
    if let Some((user, password)) = &address.credentials {
        request = request.basic_auth(user, password.as_ref());
    }
    let answer = request.send().map_err(|error| failed(innermost(&error)))?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(failed(format!("answers {status} and sends elsewhere, expected the registry's own address")));
    }
    let body = body(answer).map_err(failed)?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|error| failed(format!("the answer is not a registry's: {error}")));
    }
    refusal(status, &body).map_err(failed).and_then(Err)
}

/// What an answer that is no success says: the registry's no, or else why it is none.
fn refusal(status: StatusCode, body: &[u8]) -> Result<RegistryError, String> {
    let definite = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error_code, message }) if definite => Ok(RegistryError::Refuse { code: error_code, message }),
        Ok(Refusal { message, .. }) => Err(format!("answers {status}: {message}")),
        Err(_) => Err(format!("answers {status} and no error code, which a schema registry would give")),
    }
}

fn body(answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    answer.take(MAX_ANSWER + 1).read_to_end(&mut body).map_err(|error| error.to_string())?;
    if body.len() as u64 > MAX_ANSWER {
        return Err(format!("the answer has more than {MAX_ANSWER} bytes"));
    }
    Ok(body)
}

/// The cause that says most: reqwest's own words hide it.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

//! The HTTP face of the store, in the words of Confluent's interface, version 1.
//!
//! Every answer is JSON, refusals too: clients parse `error_code` from whatever they get, also from addresses that this
//! registry does not know.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::{Given, Reference, Store, StoreError, Stored, Version};

type Shared = State<Arc<Mutex<Store>>>;

/// All addresses over an empty store.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { answer(Ok(json!({}))) }))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(look_up))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route("/schemas/types", get(|| async { answer(Ok(json!(["AVRO"]))) }))
        .route("/schemas/ids/{id}", get(by_id))
        .route("/schemas/ids/{id}/versions", get(places))
        .route("/schemas/guids/{guid}", get(by_guid))
        .route("/schemas/guids/{guid}/ids", get(ids_of_guid))
        .route("/config", get(level).put(set_level))
        .route("/config/{subject}", get(subject_level).put(set_subject_level))
        .route("/compatibility/subjects/{subject}/versions", post(check_subject))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(check_version))
        .route("/mode", get(|| async { answer(Ok(json!({"mode": "READWRITE"}))) }))
        .fallback(|| async { refusal(404, "HTTP 404 Not Found") })
        .method_not_allowed_fallback(|| async { refusal(405, "HTTP 405 Method Not Allowed") })
        .with_state(Arc::default())
}

fn refusal(code: u32, message: &str) -> Response {
    // 404, or 40401: the first three digits are the status.
    let status = if code < 1000 { code } else { code / 100 };
    let status = u16::try_from(status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let body = json!({"error_code": code, "message": message});
    json_response(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/vnd.schemaregistry.v1+json")];
    (status, kind, body.to_string()).into_response()
}

fn answer(result: Result<Value, StoreError>) -> Response {
    match result {
        Ok(body) => json_response(StatusCode::OK, &body),
        Err(error) => refusal(error.code(), &error.to_string()),
    }
}

/// Answers with what `ask` finds in the store.
fn with(store: &Shared, ask: impl FnOnce(&mut Store) -> Result<Value, StoreError>) -> Response {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    answer(ask(&mut store))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

/// The Avro schema in a request. Clients name several content types, so that header is not looked at.
fn schema_of(body: &Bytes) -> Result<Given, StoreError> {
    let body: SchemaBody = serde_json::from_slice(body).map_err(|error| StoreError::ParseSchema(error.to_string()))?;
    if body.schema_type.is_some_and(|kind| kind != "AVRO") {
        return Err(StoreError::ParseSchema("allowed is the type 'AVRO'".into()));
    }
    Ok(Given { text: body.schema, references: body.references.unwrap_or_default() })
}

fn described(version: &Version) -> Value {
    json!({
        "subject": version.subject,
        "version": version.number,
        "id": version.id,
        "guid": version.guid,
        "schemaType": "AVRO",
        "references": version.references,
        "schema": version.text,
    })
}

fn stored(id: u32, schema: &Stored) -> Value {
    json!({
        "id": id,
        "guid": schema.guid,
        "schemaType": "AVRO",
        "references": schema.references,
        "schema": schema.text,
    })
}

async fn subjects(store: Shared) -> Response {
    with(&store, |store| Ok(json!(store.subjects())))
}

async fn versions(store: Shared, Path(subject): Path<String>) -> Response {
    with(&store, |store| Ok(json!(store.versions(&subject)?)))
}

async fn register(store: Shared, Path(subject): Path<String>, body: Bytes) -> Response {
    with(&store, |store| {
        let id = store.register(&subject, schema_of(&body)?)?;
        Ok(json!({"id": id, "guid": store.by_id(id)?.guid}))
    })
}

async fn look_up(store: Shared, Path(subject): Path<String>, body: Bytes) -> Response {
    with(&store, |store| Ok(described(&store.look_up(&subject, schema_of(&body)?)?)))
}

async fn version(store: Shared, Path((subject, version)): Path<(String, String)>) -> Response {
    with(&store, |store| Ok(described(&store.version(&subject, &version)?)))
}

async fn by_id(store: Shared, Path(id): Path<u32>) -> Response {
    with(&store, |store| Ok(stored(id, store.by_id(id)?)))
}

async fn by_guid(store: Shared, Path(guid): Path<String>) -> Response {
    with(&store, |store| {
        let id = store.id_of(&guid)?;
        Ok(stored(id, store.by_id(id)?))
    })
}

async fn ids_of_guid(store: Shared, Path(guid): Path<String>) -> Response {
    with(&store, |store| Ok(json!([{"id": store.id_of(&guid)?}])))
}

async fn places(store: Shared, Path(id): Path<u32>) -> Response {
    with(&store, |store| {
        let places = store.places(id)?.into_iter();
        let described = places.map(|(subject, version)| json!({"subject": subject, "version": version}));
        Ok(described.collect())
    })
}

async fn level(store: Shared) -> Response {
    with(&store, |store| Ok(json!({"compatibilityLevel": store.level(None)?.name()})))
}

async fn subject_level(store: Shared, Path(subject): Path<String>) -> Response {
    with(&store, |store| Ok(json!({"compatibilityLevel": store.level(Some(&subject))?.name()})))
}

fn change_level(store: &Shared, subject: Option<&str>, body: &Bytes) -> Response {
    with(store, |store| {
        let body: Value = serde_json::from_slice(body).map_err(|_| StoreError::ParseLevel)?;
        let name = body["compatibility"].as_str().ok_or(StoreError::ParseLevel)?;
        store.set_level(subject, name)?;
        Ok(json!({"compatibility": store.level(subject)?.name()}))
    })
}

async fn set_level(store: Shared, body: Bytes) -> Response {
    change_level(&store, None, &body)
}

async fn set_subject_level(store: Shared, Path(subject): Path<String>, body: Bytes) -> Response {
    change_level(&store, Some(&subject), &body)
}

fn check(store: &Shared, subject: &str, version: Option<&str>, body: &Bytes) -> Response {
    with(store, |store| {
        let objections = store.check(subject, version, schema_of(body)?)?;
        Ok(json!({"is_compatible": objections.is_empty(), "messages": objections}))
    })
}

async fn check_subject(store: Shared, Path(subject): Path<String>, body: Bytes) -> Response {
    check(&store, &subject, None, &body)
}

async fn check_version(store: Shared, Path((subject, version)): Path<(String, String)>, body: Bytes) -> Response {
    check(&store, &subject, Some(&version), &body)
}

//! Against a registry that answers what it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::*;

/// Status, body, and what is to be made of them.
type Case = (u16, &'static str, fn(&RegistryError) -> bool);

struct Script {
    asked: AtomicUsize,
    answer: (u16, &'static str),
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    script.asked.fetch_add(1, Ordering::Relaxed);
    let user = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // base64 of "user:right"
    if user.is_some_and(|user| user != "Basic dXNlcjpyaWdodA==") {
        return (StatusCode::UNAUTHORIZED, "{}").into_response();
    }
    let (status, body) = script.answer;
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

async fn serve(status: u16, body: &'static str) -> (RegistryAccess, Arc<Script>) {
    let script = Arc::new(Script { asked: AtomicUsize::new(0), answer: (status, body) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("is bound"));
    let router = axum::Router::new().fallback(answer).with_state(script.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (RegistryAccess { url, credentials: None }, script)
}

#[tokio::test]
async fn who_must_act_is_told_by_the_answer() {
    let cases: [Case; 6] = [
        (
            409,
            r#"{"error_code":409,"message":"incompatible at '/fields/2'"}"#,
            |error| matches!(error, RegistryError::Incompatible { message } if message.contains("/fields/2")),
        ),
        (422, r#"{"error_code":42201,"message":"not Avro"}"#, |error| {
            matches!(error, RegistryError::Refuse { code: 42201, .. })
        }),
        (401, "", |error| matches!(error, RegistryError::Authenticate { .. })),
        (500, r#"{"error_code":50001,"message":"down"}"#, |error| matches!(error, RegistryError::Reach { .. })),
        (429, "slow down", |error| matches!(error, RegistryError::Reach { .. })),
        (404, "<html>no such page</html>", |error| matches!(error, RegistryError::Reach { .. })),
    ];
    for (status, body, expected) in cases {
        let (access, _) = serve(status, body).await;
        let error = ConfluentRegistry::new().register(&access, "s", "{}").await.expect_err("it is no success");
        assert!(expected(&error), "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn what_the_registry_does_not_have_is_not_there() {
    let (access, _) = serve(404, r#"{"error_code":40401,"message":"no subject"}"#).await;
    let registry = ConfluentRegistry::new();
    assert_eq!(registry.subject(&access, "s", "{}").await, Ok(SubjectState::default()));
    assert_eq!(registry.probe(&access, "s", "{}").await, Ok(Vec::new()));
    assert_eq!(registry.delete_subject(&access, "s").await, Ok(()));
}

#[tokio::test]
async fn the_probe_gives_the_registrys_reasons() {
    let (access, _) =
        serve(200, r#"{"is_compatible":false,"messages":["reader field missing default at /fields/3"]}"#).await;
    let problems = ConfluentRegistry::new().probe(&access, "s", "{}").await;
    assert_eq!(problems, Ok(vec!["reader field missing default at /fields/3".to_owned()]));
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_right_one_is_not() {
    let (mut access, _) = serve(200, r#"{"id":7}"#).await;
    let credentials = |password: &str| Some(("user".to_owned(), password.to_owned()));
    access.credentials = credentials("wrong");
    let registry = ConfluentRegistry::new();
    let refused = registry.register(&access, "s", "{}").await;
    assert!(matches!(refused, Err(RegistryError::Authenticate { .. })), "{refused:?}");
    access.credentials = credentials("right");
    assert_eq!(registry.register(&access, "s", "{}").await, Ok(7));
}

#[tokio::test]
async fn a_registry_that_is_away_is_not_asked_at_once_again() {
    let (access, script) = serve(503, "").await;
    let registry = ConfluentRegistry::new();
    let first = registry.register(&access, "s", "{}").await;
    assert_eq!(registry.register(&access, "s", "{}").await, first);
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
}

//! What others answer over HTTP, read up to a bound: a stranger may answer without end, or send on to somebody else.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// Most bytes of an answer that are read.
pub const MOST_BYTES: usize = 1 << 20;

const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// A client whose connections fail soon, and which goes where it was told and nowhere else.
pub fn http_client() -> Client {
    let client = Client::builder().connect_timeout(CONNECT_WAIT).redirect(Policy::none()).no_proxy();
    client.build().unwrap_or_default()
}

/// The whole answer.
///
/// # Errors
/// It breaks off, or has more than [`MOST_BYTES`].
pub async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| innermost(&error))? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(format!("the answer has more than {MOST_BYTES} bytes"));
        }
        body.extend_from_slice(&piece);
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::response::Redirect;
    use axum::routing::get;
    use futures::stream;

    use super::*;

    async fn asked(path: &str) -> Response {
        let endless = || async { Body::from_stream(stream::repeat(Ok::<_, Infallible>(vec![b' '; 65_536]))) };
        let router = axum::Router::new()
            .route("/endless", get(endless))
            .route("/short", get(|| async { "{}" }))
            .route("/elsewhere", get(|| async { Redirect::temporary("/short") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}{path}", listener.local_addr().expect("is bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        http_client().get(url).send().await.expect("it answers")
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        let said = body(asked("/endless").await).await;
        assert_eq!(said, Err("the answer has more than 1048576 bytes".to_owned()));
        assert_eq!(body(asked("/short").await).await, Ok(b"{}".to_vec()));
    }

    #[tokio::test]
    async fn nobody_is_sent_on_to_somebody_else() {
        assert_eq!(asked("/elsewhere").await.status(), 307);
    }
}

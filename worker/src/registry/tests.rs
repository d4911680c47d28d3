//! The client against a scripted HTTP server on loopback.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::*;

/// Answers one request per script entry (`status`, body), then stops listening. Returns the requests as `METHOD path body`.
struct Server {
    address: String,
    thread: JoinHandle<Vec<String>>,
}

fn server(script: &[(u16, &str)]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script: Vec<_> = script.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let thread = std::thread::spawn(move || {
        let serve = |(status, body): (u16, String)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).unwrap();
            let answer =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).unwrap();
            let request = first.trim().trim_end_matches(" HTTP/1.1");
            format!("{request} {}", String::from_utf8(sent).unwrap()).trim().to_owned()
        };
        script.into_iter().map(serve).collect()
    });
    Server { address, thread }
}

const NOT_FOUND: &str = r#"{"error_code":40403,"message":"Schema not found"}"#;

#[test]
fn a_schema_is_asked_for_once() {
    let server = server(&[(200, r#"{"schema":"\"string\""}"#)]);
    let cache = SchemaCache::new(&format!("{}/apis/ccompat/v7/", server.address));
    for _ in 0..2 {
        assert_eq!(cache.writer_schema(7), Ok(WriterSchema::Avro("\"string\"".into())));
    }
    assert_eq!(server.thread.join().unwrap(), ["GET /apis/ccompat/v7/schemas/ids/7"]);
}

#[test]
fn other_kinds_of_schema_are_unusable() {
    let script = [
        (200, r#"{"schema":"syntax","schemaType":"PROTOBUF"}"#),
        (200, r#"{"schema":"{}","schemaType":"AVRO","references":[{"name":"n","subject":"s","version":1}]}"#),
    ];
    let client = RegistryClient::new(&server(&script).address);
    let unusable = |id| match client.schema(id).unwrap() {
        WriterSchema::Unusable(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(&*unusable(1), "schema type 'PROTOBUF' is not supported, expected AVRO");
    assert_eq!(&*unusable(2), "references to other subjects are not supported, expected one schema");
}

#[test]
fn unknown_is_final_for_half_a_minute() {
    let server = server(&[(404, NOT_FOUND), (200, r#"{"schema":"{}"}"#)]);
    let cache = SchemaCache::new(&server.address);
    let begun = Instant::now();
    assert_eq!(cache.look_up(3, begun), Ok(WriterSchema::Unknown));
    assert_eq!(cache.look_up(3, begun + Duration::from_secs(29)), Ok(WriterSchema::Unknown));
    assert_eq!(cache.look_up(3, begun + Duration::from_secs(30)), Ok(WriterSchema::Avro("{}".into())));
    assert_eq!(server.thread.join().unwrap().len(), 2);
}

#[test]
fn what_is_not_a_registrys_no_is_unreachable() {
    let script = [
        (404, "<html>nginx</html>"),
        (500, r#"{"error_code":50001,"message":"store"}"#),
        (503, ""),
        (401, r#"{"error_code":40101,"message":"who"}"#),
        (429, r#"{"error_code":42901,"message":"slow"}"#),
        (200, "<html>welcome</html>"),
    ];
    let server = server(&script);
    let client = RegistryClient::new(&server.address.replace("http://", "http://me:secret@"));
    let shown = format!("schema registry {}/schemas/ids/1: ", server.address);
    let expected = [
        "answers 404 Not Found and no error code, which a schema registry would give",
        "answers 500 Internal Server Error: store",
        "answers 503 Service Unavailable and no error code, which a schema registry would give",
        "refused (40101): who",
        "answers 429 Too Many Requests: slow",
        "the answer is not a registry's: expected value at line 1 column 1",
    ];
    for message in expected {
        let error = client.schema(1).unwrap_err();
        assert_eq!(error.to_string(), format!("{shown}{message}"));
        assert!(error.retry());
    }
}

#[test]
fn a_registry_that_is_away_is_not_asked_all_the_time_and_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let cache = SchemaCache::new(&address);
    let mut now = Instant::now();
    let first = cache.look_up(1, now).unwrap_err();
    assert_eq!(first.message, format!("schema registry {address}/schemas/ids/1: Connection refused (os error 111)"));
    assert_eq!(cache.look_up(2, now), Err(first), "the same answer without asking");
    for _ in 0..10 {
        now += PAUSE.1;
        assert!(cache.look_up(1, now).is_err());
    }
    let pause = cache.memory.lock().unwrap().away.clone().unwrap().1;
    assert_eq!(pause, PAUSE.1);
    let back = server(&[(200, r#"{"schema":"{}"}"#)]);
    let cache = SchemaCache { registry: RegistryClient::new(&back.address), ..cache };
    assert!(cache.look_up(1, now).is_err(), "still within the pause");
    assert_eq!(cache.look_up(1, now + PAUSE.1), Ok(WriterSchema::Avro("{}".into())));
}

#[test]
fn a_subject_is_looked_up_before_it_is_registered() {
    let found = server(&[(200, r#"{"subject":"s","id":4,"version":1,"schema":"{}"}"#)]);
    assert_eq!(RegistryClient::new(&found.address).ensure_subject("s", "{}"), Ok(4));
    assert_eq!(found.thread.join().unwrap(), [r#"POST /subjects/s {"schema":"{}"}"#]);

    let fresh = server(&[(404, r#"{"error_code":40401,"message":"no subject"}"#), (200, r#"{"id":1}"#)]);
    assert_eq!(RegistryClient::new(&fresh.address).ensure_subject("a/b", "{}"), Ok(1));
    let requests = fresh.thread.join().unwrap();
    assert_eq!(requests[1], r#"POST /subjects/a%2Fb/versions {"schema":"{}"}"#);

    let clash = server(&[(404, NOT_FOUND), (409, r#"{"error_code":409,"message":"incompatible"}"#)]);
    let error = RegistryClient::new(&clash.address).ensure_subject("s", "{}").unwrap_err();
    assert_eq!(error.to_string(), "schema registry refuses (409): incompatible");
    assert!(!error.retry());
}

#[test]
fn lanes_that_need_the_same_schema_wait_for_one_answer() {
    let server = server(&[(200, r#"{"schema":"{}"}"#)]);
    let cache = Arc::new(SchemaCache::new(&server.address));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(cache.writer_schema(1), Ok(WriterSchema::Avro("{}".into()))));
        }
    });
    assert_eq!(server.thread.join().unwrap().len(), 1);
}

#[test]
fn an_address_that_is_none_is_named() {
    let error = RegistryClient::new("registry:8081").schema(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "'registry:8081' is not the address of a schema registry, expected http://host:port or https://host:port"
    );
}

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

const ONE: SchemaKey = SchemaKey::Id(1);
const NOT_FOUND: &str = r#"{"error_code":40403,"message":"Schema not found"}"#;

#[test]
fn a_schema_is_asked_for_once() {
    let server = server(&[(200, r#"{"schema":"\"string\""}"#)]);
    let cache = SchemaCache::new(&format!("{}/apis/ccompat/v7/", server.address));
    for _ in 0..2 {
        assert_eq!(cache.writer_schema(SchemaKey::Id(7)), Ok(WriterSchema::Avro("\"string\"".into())));
    }
    assert_eq!(server.thread.join().unwrap(), ["GET /apis/ccompat/v7/schemas/ids/7"]);
}

#[test]
fn other_kinds_of_schema_are_unusable() {
    let script = [(200, r#"{"schema":"syntax","schemaType":"PROTOBUF"}"#)];
    let client = RegistryClient::new(&server(&script).address);
    let unusable = WriterSchema::Unusable("schema type 'PROTOBUF' is not supported, expected AVRO".into());
    assert_eq!(client.schema(ONE), Ok(unusable));
}

#[test]
fn unknown_is_final_for_half_a_minute() {
    let server = server(&[(404, NOT_FOUND), (200, r#"{"schema":"{}"}"#)]);
    let cache = SchemaCache::new(&server.address);
    let begun = Instant::now();
    assert_eq!(cache.look_up(SchemaKey::Id(3), begun), Ok(WriterSchema::Unknown));
    assert_eq!(cache.look_up(SchemaKey::Id(3), begun + Duration::from_secs(29)), Ok(WriterSchema::Unknown));
    assert_eq!(cache.look_up(SchemaKey::Id(3), begun + Duration::from_secs(30)), Ok(WriterSchema::Avro("{}".into())));
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
        let error = client.schema(ONE).unwrap_err();
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
    let first = cache.look_up(ONE, now).unwrap_err();
    assert_eq!(first.message, format!("schema registry {address}/schemas/ids/1: Connection refused (os error 111)"));
    assert_eq!(cache.look_up(SchemaKey::Id(2), now), Err(first), "the same answer without asking");
    for _ in 0..10 {
        now += PAUSE.1;
        assert!(cache.look_up(ONE, now).is_err());
    }
    let pause = cache.memory.lock().unwrap().away.clone().unwrap().1;
    assert_eq!(pause, PAUSE.1);
    let back = server(&[(200, r#"{"schema":"{}"}"#)]);
    let cache = SchemaCache { registry: RegistryClient::new(&back.address), ..cache };
    assert!(cache.look_up(ONE, now).is_err(), "still within the pause");
    assert_eq!(cache.look_up(ONE, now + PAUSE.1), Ok(WriterSchema::Avro("{}".into())));
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
            scope.spawn(|| assert_eq!(cache.writer_schema(ONE), Ok(WriterSchema::Avro("{}".into()))));
        }
    });
    assert_eq!(server.thread.join().unwrap().len(), 1);
}

#[test]
fn an_address_that_is_none_is_named() {
    let error = RegistryClient::new("registry:8081").schema(ONE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "'registry:8081' is not the address of a schema registry, expected http://host:port or https://host:port"
    );
}

fn found(schema: &str, references: &str) -> String {
    serde_json::json!({"schema": schema, "references": serde_json::from_str::<serde_json::Value>(references).unwrap()})
        .to_string()
}

const ITEM: &str = r#"{"type":"record","name":"m.Item","fields":[{"name":"size","type":"m.Size"}]}"#;
const SIZE: &str = r#"{"type":"enum","name":"m.Size","symbols":["S","L"]}"#;
const ORDER: &str =
    r#"{"type":"record","name":"Order","fields":[{"name":"item","type":"m.Item"},{"name":"size","type":"m.Size"}]}"#;

#[test]
fn what_a_schema_refers_to_is_put_into_it() {
    let size = r#"[{"name":"m.Size","subject":"size","version":3}]"#;
    let both = r#"[{"name":"m.Item","subject":"item","version":1},{"name":"m.Size","subject":"size","version":3}]"#;
    let script = [(200, found(ORDER, both)), (200, found(ITEM, size)), (200, found(SIZE, "null"))];
    let script: Vec<_> = script.iter().map(|(status, body)| (*status, body.as_str())).collect();
    let server = server(&script);
    let Ok(WriterSchema::Avro(whole)) = RegistryClient::new(&server.address).schema(ONE) else { panic!("no schema") };
    let whole = plan::avro::Schema::parse(&whole).unwrap();
    assert_eq!(whole.record().unwrap().len(), 2);
    let requests = server.thread.join().unwrap();
    assert_eq!(requests, ["GET /schemas/ids/1", "GET /subjects/item/versions/1", "GET /subjects/size/versions/3"]);
}

#[test]
fn references_that_cannot_be_followed_make_a_schema_unusable() {
    let to = |subject: &str| format!(r#"[{{"name":"n","subject":"{subject}","version":1}}]"#);
    let circle = [(200, found(ORDER, &to("a"))), (200, found(ITEM, &to("b"))), (200, found(SIZE, &to("a")))];
    let gone = [(200, found(ORDER, &to("a"))), (404, NOT_FOUND.to_owned())];
    let broken = [(200, found(ORDER, &to("a"))), (200, found("{", "[]"))];
    let lacking = [(200, found(ORDER, &to("a"))), (200, found(SIZE, "[]"))];
    let away = [(200, found(ORDER, &to("a"))), (503, String::new())];
    let cases: [(&[(u16, String)], &str); 5] = [
        (&circle, "subject 'a' version 1 refers to itself through others"),
        (&gone, "it refers to subject 'a' version 1, which the registry lacks"),
        (&broken, "with what it refers to: the schema is not JSON: EOF while parsing an object at line 1 column 1"),
        (&lacking, "with what it refers to: type 'm.Item' is not defined before its use"),
        (&away, "answers 503"),
    ];
    for (script, expected) in cases {
        let script: Vec<_> = script.iter().map(|(status, body)| (*status, body.as_str())).collect();
        let server = server(&script);
        match RegistryClient::new(&server.address).schema(ONE) {
            Ok(WriterSchema::Unusable(why)) => assert_eq!(&*why, expected),
            Err(error) => assert!(error.retry() && error.to_string().contains(expected), "{error}"),
            other => panic!("{other:?}"),
        }
        server.thread.join().unwrap();
    }
}

#[test]
fn a_schema_is_asked_for_by_its_guid() {
    let guid = SchemaKey::Guid(*b"0123456789abcdef");
    let server = server(&[
        (200, r#"{"schema":"\"string\""}"#),
        (404, NOT_FOUND),
        (404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
    ]);
    let client = RegistryClient::new(&server.address);
    assert_eq!(client.schema(guid), Ok(WriterSchema::Avro("\"string\"".into())));
    assert_eq!(client.schema(guid), Ok(WriterSchema::Unknown));
    assert_eq!(client.schema(guid), Ok(WriterSchema::Unknown), "a registry without guids gave none");
    let path = "GET /schemas/guids/30313233-3435-3637-3839-616263646566";
    assert_eq!(server.thread.join().unwrap(), [path; 3]);
}

#[test]
fn an_answer_is_cut_off_and_leads_nowhere_else() {
    let endless = format!(r#"{{"schema":"{}"}}"#, "x".repeat(2 << 20));
    let large = server(&[(200, &endless)]);
    let error = RegistryClient::new(&large.address).schema(ONE).unwrap_err();
    assert!(error.to_string().ends_with("the answer has more than 1048576 bytes") && error.retry(), "{error}");
    let elsewhere = server(&[(302, "")]);
    let error = RegistryClient::new(&elsewhere.address).schema(ONE).unwrap_err();
    assert!(error.to_string().contains("302 Found and sends elsewhere") && error.retry(), "{error}");
}

#[test]
fn no_words_hold_the_password() {
    let unreachable = RegistryClient::new("http://me:s3cret@127.0.0.1:1").schema(ONE).unwrap_err().to_string();
    let wrong = RegistryClient::new("registry://me:s3cret@").schema(ONE).unwrap_err().to_string();
    assert!(!format!("{unreachable}{wrong}").contains("s3cret"), "{unreachable} {wrong}");
    assert_eq!(without_user("https://a:b@c/d@e"), "https://c/d@e");
    assert_eq!(without_user("a:b@c"), "c");
    assert_eq!(without_user("http://c:1/x"), "http://c:1/x");
}

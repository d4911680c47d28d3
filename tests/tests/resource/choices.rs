//! Values for places of a manifest, for making manifests of them.

use schemas::spec::{TUNABLE_PROPERTIES, TunableValues};
use serde_json::{Value, json};

/// Values for places of the manifest, right ones and odd ones in no order.
pub fn choices() -> Vec<(&'static str, Vec<Value>)> {
    [addresses(), settings()].concat()
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

fn addresses() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "/spec/kafka/bootstrapServers",
            texts(&[
                "kafka:9092",
                "kafka://kafka:9092",
                "PLAINTEXT://kafka:9092",
                "kafka",
                "a:9092, b:9092",
                "a:9092,",
                "[::1]:9092",
                "::1:9092",
                "[fe80::1%eth0]:9092",
                "kafka:0",
                "kafka:65536",
                "kafka:+9092",
                "-:9092",
                "u@kafka:9092",
                "kafka:9092/x",
                "käfka:9092",
                "kafka\u{0}:9092",
                "kafka\n:9092",
                " ",
                "a_b.c-d.:1",
                "127.0.0.1:1",
            ]),
        ),
        (
            "/spec/schemaRegistry/url",
            texts(&[
                "http://registry:8081",
                "https://registry/apis/ccompat/v7/",
                "http://a:8081,http://b:8081",
                "http://a,b",
                "http://user:password@registry:8081",
                "http://@registry",
                "registry:8081",
                "http://",
                "http:///x",
                "http://[::1]:8081",
                "http://[::1",
                "http://registry:0",
                "http://registry:99999",
                "http://registry?x=1",
                "http://registry#x",
                "HTTP://registry",
                "http://reg istry",
                "http://registry/%zz",
                "http://%zz",
                "http://registry\\x",
                "http://registry/\n",
                "ftp://registry",
                "http://a_b",
                "http://-",
                "http://ä",
                "http://1.2.3.4.5",
                "http://0x7f",
            ]),
        ),
        (
            "/spec/sink/path",
            texts(&[
                "file:///data",
                "file:///data/",
                "file:///a b/ü",
                "s3://bucket/prefix",
                "gs://bucket",
                "hdfs://nodes/data",
                "./data",
                "data",
                "/data",
                "file://data",
                "file:data",
                "file:///",
                "file:////",
                "file:///a//b",
                "file:///a/../b",
                "file:///.",
                "file:///a\u{0}b",
                "file:///a%20b",
                "file:///a?b",
                "file:///a#b",
                "file:///proc/self",
                "file:///etc",
                "FILE:///data",
                "file:///a\\b",
                "file:/data",
            ]),
        ),
    ]
}

fn settings() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        (
            "/spec/kafka/security",
            vec![
                Value::Null,
                json!({"protocol": "Plaintext"}),
                json!({"protocol": "Ssl"}),
                json!({"protocol": "SaslSsl"}),
                json!({"protocol": "SaslSsl", "mechanism": "Plain", "credentialsSecretRef": {"name": "kafka"}}),
                json!({"protocol": "SaslPlaintext", "mechanism": "ScramSha256", "credentialsSecretRef": {"name": "kafka"}}),
                json!({"protocol": "SaslPlaintext", "mechanism": "ScramSha512", "credentialsSecretRef": {"name": "kafka"}}),
                json!({"protocol": "Plaintext", "mechanism": "Plain"}),
            ],
        ),
        ("/spec/kafka/properties", properties()),
        ("/spec/source/isolation", texts(&["ReadCommitted", "ReadUncommitted"])),
        ("/spec/source/topic/name", texts(&["sales.events.v1", "..", "a/b", "ä", "x"])),
        (
            "/metadata/name",
            texts(&["revenue-5m", "a", "a-name-of-fifty-characters-is-just-about-the-limit", "-", "A", "5m"]),
        ),
        ("/spec/source/topic/partitions", vec![json!(1), json!(3), json!(0), json!(10_000)]),
        ("/spec/workers/lanes", vec![Value::Null, json!(1), json!(0), json!(3)]),
        ("/spec/partials", vec![Value::Null, json!({"partitions": 3}), json!({"partitions": 0})]),
        ("/spec/window/size", texts(&["5m", "7m", "1d", "48h", "0s", "1024ms"])),
        ("/spec/source/watermark/delay", texts(&["10m", "0s", "1ms", "10000d"])),
        (
            "/spec/filter",
            vec![
                Value::Null,
                json!("amount > 0"),
                json!("amount / 0 > 1"),
                json!("regexp_like(region, '(')"),
                json!("region"),
            ],
        ),
        (
            "/spec/measures/0/expression",
            texts(&[
                "sum(amount)",
                "max(region)",
                "sum(amount) / count(*)",
                "avg(amount) filter (where region like '%')",
                "min(nothing)",
            ]),
        ),
        ("/spec/deadLetter", vec![Value::Null]),
    ]
}

/// Kafka properties at the ends of what is allowed, in changing company, and a few that are not.
fn properties() -> Vec<Value> {
    let ends = |values: &TunableValues| match values {
        TunableValues::Whole(least, most) => vec![least.to_string(), most.to_string()],
        TunableValues::Switch => vec!["false".to_owned(), "true".to_owned()],
        TunableValues::OneOf(words) => words.iter().map(|&word| word.to_owned()).collect(),
        TunableValues::Text => vec!["x".to_owned(), "~ ".repeat(64)],
    };
    let company = |turn: usize| {
        let chosen = TUNABLE_PROPERTIES.iter().enumerate().filter_map(|(place, tunable)| {
            let (ends, mixed) = (ends(&tunable.values), turn.wrapping_mul(0x9e37_79b9).rotate_right(place as u32) % 97);
            // The first two are all at their lower and all at their upper ends.
            let end = if turn < 2 { turn * (ends.len() - 1) } else { mixed % ends.len() };
            (turn < 2 || mixed % 3 > 0).then(|| (tunable.name.to_owned(), json!(ends[end])))
        });
        Value::Object(chosen.collect())
    };
    let odd = [json!({"linger.ms": "5"}), json!({"plugin.library.paths": "x"}), json!({"session.timeout.ms": "5999"})];
    (0..16).map(company).chain(odd).collect()
}

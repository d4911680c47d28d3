//! Addresses: Kafka, registry, store.

use serde_json::json;

use super::{compile, refused, with};

#[test]
#[allow(clippy::too_many_lines)]
fn addresses() {
    refused(&[
        (
            "/spec/kafka/bootstrapServers",
            json!("kafka"),
            &[
                "SL0601 spec.kafka.bootstrapServers: 'kafka' is not a broker's address (write 'kafka:9092', with the broker's port; allowed is 'host:port', several separated by commas)",
            ],
        ),
        (
            "/spec/kafka/bootstrapServers",
            json!("a:9092,b:x"),
            &[
                "SL0601 spec.kafka.bootstrapServers: 'b:x' is not a broker's address (allowed is 'host:port', several separated by commas)",
            ],
        ),
        (
            "/spec/kafka/properties",
            json!({"linger.ms": "5"}),
            &[
                "SL0602 spec.kafka.properties.linger.ms: the Kafka property 'linger.ms' cannot be set (write 'queue.buffering.max.ms', librdkafka's own name)",
            ],
        ),
        (
            "/spec/kafka/properties",
            json!({"compression.codec": "brotli", "check.crcs": "yes", "fetch.wait.max.ms": "5001", "client.id": "a\u{1b}b"}),
            &[
                "SL0602 spec.kafka.properties.check.crcs: 'yes' is no value of 'check.crcs' (allowed are 'true' and 'false')",
                "SL0602 spec.kafka.properties.client.id: 'a\\u{1b}b' is no value of 'client.id' (allowed are 1 to 128 printable ASCII characters)",
                "SL0602 spec.kafka.properties.compression.codec: 'brotli' is no value of 'compression.codec' (allowed are 'none', 'gzip', 'snappy', 'lz4', 'zstd')",
                "SL0602 spec.kafka.properties.fetch.wait.max.ms: '5001' is no value of 'fetch.wait.max.ms' (allowed are whole numbers from 0 to 5000)",
            ],
        ),
        (
            "/spec/partials",
            json!({"config": {"cleanup.policy": "compact", "max.message.bytes": "4000000"}}),
            &[
                "SL0605 spec.partials.config.cleanup.policy: 'cleanup.policy' of the partials topic is set by Sluice (allowed are topic settings that Sluice does not set itself)",
            ],
        ),
        (
            "/spec/kafka/security",
            json!({"protocol": "SaslSsl"}),
            &[
                "SL0603 spec.kafka.security.protocol: the protocol needs a 'mechanism' (allowed are 'Plain', 'ScramSha256' and 'ScramSha512')",
                "SL0603 spec.kafka.security.protocol: the protocol needs a 'credentialsSecretRef' (name a secret with 'username' and 'password')",
            ],
        ),
        (
            "/spec/kafka/security",
            json!({"protocol": "Ssl", "mechanism": "Plain"}),
            &[
                "SL0603 spec.kafka.security.mechanism: the protocol has no mechanism (allowed with 'SaslPlaintext' and 'SaslSsl' only)",
            ],
        ),
        (
            "/spec/schemaRegistry/url",
            json!("registry:8081"),
            &[
                "SL0601 spec.schemaRegistry.url: 'registry:8081' is not the address of a registry (write 'http://registry:8081'; allowed is 'http://host:port' or 'https://…')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("/data"),
            &[
                "SL0601 spec.sink.path: '/data' is not the address of a store (write 'file:///data'; allowed is 'file:///path')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("file://data"),
            &[
                "SL0601 spec.sink.path: 'file://data' is not the address of a store (write three slashes, 'file:///data'; allowed is 'file:///path')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("s3://bucket/prefix"),
            &[
                "SL0601 spec.sink.path: the store 's3://bucket/prefix' is of the kind 's3', which this version does not write to (allowed is 'file:///path', a folder; it may be one that is mounted)",
            ],
        ),
        (
            "/spec/sink/partitionBy",
            json!(["region"]),
            &["SL0604 spec.sink.partitionBy[0]: cannot make folders by 'region' (allowed are 'date')"],
        ),
        (
            "/spec/sink/partitionBy",
            json!(["dat"]),
            &["SL0604 spec.sink.partitionBy[0]: cannot make folders by 'dat' (did you mean 'date'?)"],
        ),
        (
            "/spec/sink/partitionBy",
            json!(["date", "date"]),
            &["SL0103 spec.sink.partitionBy[1]: 'date' is there twice (remove it)"],
        ),
    ]);
}

/// What loads code, reads files, undoes a guarantee, hides who is at the other end, or is another name of what is allowed.
#[test]
fn kafka_properties_that_are_not_tuning() {
    let names = [
        "acks",
        "auto.offset.reset",
        "builtin.features",
        "debug",
        "enable.auto.commit",
        "enable.ssl.certificate.verification",
        "fetch.max.bytes",
        "group.id",
        "isolation.level",
        "oauthbearer_token_refresh_cb",
        "plugin.library.paths",
        "receive.message.max.bytes",
        "sasl.kerberos.kinit.cmd",
        "sasl.oauthbearer.token.endpoint.url",
        "ssl.ca.location",
        "ssl.endpoint.identification.algorithm",
        "ssl.engine.location",
        "ssl.key.location",
        "statistics.interval.ms",
        "topic.acks",
        "topic.auto.offset.reset",
        "topic.client.id",
        "CLIENT.ID",
        " client.id",
        "",
    ];
    for name in names {
        let problems = compile(with("/spec/kafka/properties", json!({name: "1"}))).expect_err("refused").0;
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let message = format!(": the Kafka property '{name}' cannot be set (allowed are 'batch.num.messages', ");
        assert!(found[0].starts_with("SL0602 ") && found[0].contains(&message), "{name}: {found:?}");
    }
}

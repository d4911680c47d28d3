//! Addresses: Kafka, registry, store.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn addresses() {
    refused(&[
        (
            "/spec/kafka/bootstrapServers",
            json!("kafka"),
            &[
                "SL0601 spec.kafka.bootstrapServers: 'kafka' is not a broker's address (allowed is 'host:port', several separated by commas)",
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
            json!({"group.id": "x"}),
            &[
                "SL0602 spec.kafka.properties.group.id: the Kafka property 'group.id' is set by Sluice (allowed are properties that its guarantees do not rest on; addresses and security have fields of their own)",
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
                "SL0601 spec.schemaRegistry.url: 'registry:8081' is not the address of a registry (allowed is 'http://host:port' or 'https://…')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("/data"),
            &[
                "SL0601 spec.sink.path: '/data' is not the address of a store (allowed is 'file:///path' or 's3://bucket/prefix')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("file://data"),
            &[
                "SL0601 spec.sink.path: 'file://data' is not the address of a store (allowed is 'file:///path' or 's3://bucket/prefix')",
            ],
        ),
        (
            "/spec/sink/path",
            json!("s3://"),
            &[
                "SL0601 spec.sink.path: 's3://' is not the address of a store (allowed is 'file:///path' or 's3://bucket/prefix')",
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

//! The outside systems that a pipeline reads from: Kafka, its topics, the schema registry.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{frozen, list, rule, rule_at, when};
use super::tuning::TUNABLE_PROPERTIES;

/// A name of an object, or a key in a secret or `ConfigMap`.
pub(super) const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
pub(super) const KEY_NAME: &str = "^[-._a-zA-Z0-9]+$";

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to start from, `host:port`, separated by commas.
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule(are_brokers(), "allowed is 'host:port', several separated by commas"),
    ]))]
    pub bootstrap_servers: String,
    /// Encryption and authentication. Absent: plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// Further librdkafka properties for the clients, by their librdkafka names: those that tune fetches, queues, sockets, sessions,
    /// batches and compression.
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[schemars(extend("x-kubernetes-validations" = [rule(
        format!("self.all(key, key in {})", list(TUNABLE_PROPERTIES.iter().map(|tunable| tunable.name))),
        &tunable_names(),
    )]))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// Which properties are allowed, for people.
fn tunable_names() -> String {
    let names: Vec<&str> = TUNABLE_PROPERTIES.iter().map(|tunable| tunable.name).collect();
    format!("allowed are {}; addresses and security have fields of their own", names.join(", "))
}

/// CEL: addresses separated by commas.
fn are_brokers() -> String {
    let port = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
    let host = "([a-zA-Z0-9._-]+|[[][0-9a-fA-F:.]+[]])";
    let broker = format!("[[:space:]]*{host}:{port}[[:space:]]*");
    format!("self.matches('^{broker}(,{broker})*$')")
}

/// Encryption and authentication towards Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".mechanism", "!self.protocol.startsWith('Sasl') || has(self.mechanism)",
        "'SaslPlaintext' and 'SaslSsl' need a 'mechanism': allowed are 'Plain', 'ScramSha256' and 'ScramSha512'"),
    rule_at(".credentialsSecretRef", "!self.protocol.startsWith('Sasl') || has(self.credentialsSecretRef)",
        "'SaslPlaintext' and 'SaslSsl' need a 'credentialsSecretRef': name a secret with 'username' and 'password'"),
    rule_at(".mechanism", "self.protocol.startsWith('Sasl') || !has(self.mechanism)",
        "'mechanism' is allowed with 'SaslPlaintext' and 'SaslSsl' only"),
    rule_at(".credentialsSecretRef", "self.protocol.startsWith('Sasl') || !has(self.credentialsSecretRef)",
        "'credentialsSecretRef' is allowed with 'SaslPlaintext' and 'SaslSsl' only"),
    rule_at(".caSecretRef", when(&["self.caSecretRef"], "self.protocol.endsWith('Ssl')"),
        "'caSecretRef' is allowed with 'Ssl' and 'SaslSsl' only"),
]))]
pub struct Security {
    /// Encryption and whether SASL is used.
    pub protocol: Protocol,
    /// SASL mechanism. Needed with `SaslPlaintext` and `SaslSsl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Mechanism>,
    /// Secret with the keys `username` and `password`, and the label `sluice.dev/use: pipelines`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// Secret key that holds the certificate authority in PEM; the secret has the label `sluice.dev/use: pipelines`. Absent: the system's
    /// authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
}

/// Security protocol of the Kafka listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

/// SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// `PLAIN`.
    Plain,
    /// `SCRAM-SHA-256`.
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
}

/// A secret in the pipeline's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
}

/// One key of a secret in the pipeline's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// Name of the secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
    /// Key within the secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = KEY_NAME))]
    #[serde(default = "ca_key")]
    pub key: String,
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}

/// How to reach the schema registry (Confluent's API).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaRegistry {
    /// Base address, `http://` or `https://`, without user and password: those stand in a secret.
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^https?://[^/?#@,[:space:]]+(/[^?#@,[:space:]]*)?$')",
            "allowed is 'http://host:port' or 'https://…', without user and password"),
    ]))]
    pub url: String,
    /// Secret with the keys `username` and `password` for basic authentication, and the label `sluice.dev/use: pipelines`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

/// A Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    frozen(".partitions", "self.name != oldSelf.name || self.partitions >= oldSelf.partitions",
        "partitions may grow, never shrink"),
]))]
pub struct Topic {
    /// Name: letters, digits, '.', '_' and '-', at most 249.
    #[schemars(length(min = 1, max = 249))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^[a-zA-Z0-9._-]+$') && !(self in ['.', '..'])",
            "allowed are letters, digits, '.', '_' and '-', at most 249"),
    ]))]
    pub name: String,
    /// Number of partitions. It may grow, never shrink.
    #[serde(default = "one_partition")]
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: u32,
    /// Copies of each partition. Absent: the broker's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32_767))]
    pub replication_factor: Option<u16>,
    /// Topic settings by their Kafka names, for example `retention.ms`.
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Whether Sluice creates and grows the topic.
    #[serde(default)]
    pub management: Management,
}

pub(super) fn one_partition() -> u32 {
    1
}

/// Who looks after a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Management {
    /// Sluice creates it and adds partitions.
    #[default]
    Managed,
    /// It exists already; Sluice only reads or writes records.
    Existing,
}

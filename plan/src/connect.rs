//! How to reach the outside: Kafka, its topics, the registry.

use std::collections::BTreeMap;

use schemas::spec::{
    AnalyticsPipelineSpec, DeadLetter, Kafka, Management, Mechanism, OWN_PARTIALS_CONFIG, PROPERTY_ALIASES, Protocol,
    Security, TUNABLE_PROPERTIES, Topic,
};

use crate::address::{self, Refusal};
use crate::names::{is_topic, quoted};
use crate::{KafkaPlan, Path, Problem, TopicPlan, codes};

/// Compiles `spec.kafka`.
pub(crate) fn kafka(kafka: &Kafka, problems: &mut Vec<Problem>) -> KafkaPlan {
    let path = Path::of("spec.kafka");
    let brokers: Vec<&str> = kafka.bootstrap_servers.split(',').map(str::trim).collect();
    problems.extend(brokers.iter().filter_map(|broker| {
        let Refusal { message, help } = address::broker(broker).err()?;
        Some(Problem::new(codes::ADDRESS, path.key("bootstrapServers"), message).help(help))
    }));
    for (key, value) in &kafka.properties {
        problems.extend(property(key, value, &path.key("properties").key(key)));
    }
    let mut properties = security(kafka, &path.key("security"), problems);
    properties.extend(kafka.properties.iter().map(|(key, value)| (key.clone(), value.clone())));
    KafkaPlan { bootstrap: brokers.join(","), properties }
}

/// What is wrong with one of `spec.kafka.properties`.
fn property(key: &str, value: &str, path: &Path) -> Option<Problem> {
    let Some(tunable) = TUNABLE_PROPERTIES.iter().find(|tunable| tunable.name == key) else {
        let canonical = PROPERTY_ALIASES.iter().find(|(alias, _)| *alias == key);
        let help = if let Some((_, name)) = canonical {
            format!("write '{name}', librdkafka's own name")
        } else {
            let names = quoted(TUNABLE_PROPERTIES.iter().map(|tunable| tunable.name));
            format!("allowed are {names}; addresses and security have fields of their own")
        };
        let message = format!("the Kafka property '{key}' cannot be set");
        return Some(Problem::new(codes::KAFKA_PROPERTY, path.clone(), message).help(help));
    };
    let message = format!("'{}' is no value of '{key}'", value.escape_debug());
    (!tunable.values.allow(value))
        .then(|| Problem::new(codes::KAFKA_PROPERTY, path.clone(), message).help(tunable.values.allowed()))
}

fn security(kafka: &Kafka, path: &Path, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let Some(security) = &kafka.security else { return Vec::new() };
    security_fits(security, path, problems);
    let uses_sasl = uses_sasl(security);
    let protocol = match security.protocol {
        Protocol::Plaintext => "plaintext",
        Protocol::Ssl => "ssl",
        Protocol::SaslPlaintext => "sasl_plaintext",
        Protocol::SaslSsl => "sasl_ssl",
    };
    let mut properties = vec![("security.protocol".to_owned(), protocol.to_owned())];
    properties.extend(security.mechanism.filter(|_| uses_sasl).map(|mechanism| {
        let name = match mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        ("sasl.mechanism".to_owned(), name.to_owned())
    }));
    properties
}

fn uses_sasl(security: &Security) -> bool {
    matches!(security.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl)
}

/// What the protocol needs is there, and nothing that it has no use for.
fn security_fits(security: &Security, path: &Path, problems: &mut Vec<Problem>) {
    let sasl = uses_sasl(security);
    let tls = matches!(security.protocol, Protocol::Ssl | Protocol::SaslSsl);
    let (mechanism, credentials) = (security.mechanism.is_some(), security.credentials_secret_ref.is_some());
    let with_sasl = "allowed with 'SaslPlaintext' and 'SaslSsl' only";
    let mechanisms = "allowed are 'Plain', 'ScramSha256' and 'ScramSha512'";
    let secret = "name a secret with 'username' and 'password'";
    let authority = security.ca_secret_ref.is_some();
    let refusals = [
        (sasl && !mechanism, "protocol", "the protocol needs a 'mechanism'", mechanisms),
        (sasl && !credentials, "protocol", "the protocol needs a 'credentialsSecretRef'", secret),
        (!sasl && mechanism, "mechanism", "the protocol has no mechanism", with_sasl),
        (!sasl && credentials, "credentialsSecretRef", "the protocol has no credentials", with_sasl),
        (!tls && authority, "caSecretRef", "the protocol has no certificates", "allowed with 'Ssl' and 'SaslSsl' only"),
    ];
    for (_, key, message, help) in refusals.into_iter().filter(|(refused, ..)| *refused) {
        problems.push(Problem::new(codes::SECURITY, path.key(key), message).help(help));
    }
}

/// Compiles `spec.schemaRegistry.url`.
pub(crate) fn registry(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> String {
    let url = spec.schema_registry.url.trim_end_matches('/');
    if let Err(Refusal { message, help }) = address::registry(url) {
        let path = Path::of("spec.schemaRegistry.url");
        problems.push(Problem::new(codes::ADDRESS, path, message).help(help));
    }
    url.to_owned()
}

/// The topics of a pipeline.
pub(crate) struct Topics {
    pub(crate) source: TopicPlan,
    pub(crate) dead_letter: TopicPlan,
    pub(crate) partials: TopicPlan,
}

/// Compiles the topics.
pub(crate) fn topics(name: &str, spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> Topics {
    let source_path = Path::of("spec.source.topic");
    let dead_path = Path::of("spec.deadLetter.topic");
    let source = topic(&spec.source.topic, &source_path, problems);
    let dead_letter = match &spec.dead_letter {
        Some(DeadLetter { topic: dead_letter, max_share }) => {
            if *max_share > 1_000_000 {
                let message = format!("a share of {max_share} per million is more than all");
                let path = Path::of("spec.deadLetter.maxShare");
                problems.push(Problem::new(codes::RANGE, path, message).help("allowed are 0 to 1000000"));
            }
            topic(dead_letter, &dead_path, problems)
        }
        None => internal(format!("{name}.dlq.v1"), 1, source.replication_factor),
    };
    let partials = &spec.partials;
    let (own, config) = (format!("{name}.partials.v1"), &partials.config);
    let partials = internal(own, partials.partitions, partials.replication_factor).with(config);
    let pairs = [
        (&source, &partials, &source_path),
        (&dead_letter, &source, &dead_path),
        (&dead_letter, &partials, &dead_path),
    ];
    for (one, other, path) in pairs {
        if one.name == other.name {
            let message = format!("the topic '{}' has another use in this pipeline", one.name);
            problems.push(Problem::new(codes::NAME_DUPLICATE, path.key("name"), message).help("choose another topic"));
        }
    }
    Topics { source, dead_letter, partials }
}

/// Checks `spec.partials`.
pub(crate) fn partials(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) {
    problems.extend(at_least_one(spec.partials.partitions, &Path::of("spec.partials.partitions")));
    let own = |key: &&String| OWN_PARTIALS_CONFIG.contains(&key.as_str());
    problems.extend(spec.partials.config.keys().filter(own).map(|key| {
        let path = Path::of("spec.partials.config").key(key);
        Problem::new(codes::TOPIC_CONFIG, path, format!("'{key}' of the partials topic is set by Sluice"))
            .help("allowed are topic settings that Sluice does not set itself")
    }));
}

fn topic(topic: &Topic, path: &Path, problems: &mut Vec<Problem>) -> TopicPlan {
    if !is_topic(&topic.name) {
        let message = format!("'{}' is not a topic name", topic.name);
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path.key("name"), message)
                .help("allowed are letters, digits, '.', '_' and '-', at most 249"),
        );
    }
    problems.extend(at_least_one(topic.partitions, &path.key("partitions")));
    let managed = topic.management == Management::Managed;
    let mut config = topic.config.clone();
    if managed {
        config.entry(TIMESTAMP_TYPE.to_owned()).or_insert_with(|| LOG_APPEND.to_owned());
    }
    TopicPlan {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        config: config.into_iter().collect(),
        managed,
    }
}

const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const LOG_APPEND: &str = "LogAppendTime";

fn internal(name: String, partitions: u32, replication_factor: Option<u16>) -> TopicPlan {
    let config = vec![(TIMESTAMP_TYPE.to_owned(), LOG_APPEND.to_owned())];
    TopicPlan { name, partitions, replication_factor, config, managed: true }
}

impl TopicPlan {
    /// The same with these settings too.
    fn with(mut self, config: &BTreeMap<String, String>) -> Self {
        self.config.extend(config.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.config.sort();
        self
    }
}

fn at_least_one(partitions: u32, path: &Path) -> Option<Problem> {
    (partitions == 0).then(|| {
        Problem::new(codes::RANGE, path.clone(), "a topic without partitions holds nothing")
            .help("allowed is at least 1")
    })
}

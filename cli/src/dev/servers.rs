//! Kafka and registry for a run: embedded or real, with the pipeline's topics and its schema in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use plan::{Plan, TopicPlan};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde_json::json;
use thiserror::Error;
use worker::registry::innermost;

use super::DevArgs;
use super::broker::{Broker, BrokerError};
use super::pipeline::Addresses;
use super::reach;
use super::registry::{Registry, RegistryError};

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why the servers are not ready.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The embedded broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The embedded registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Kafka does not answer.
    #[error("cannot reach the broker at '{bootstrap}': {message}")]
    ReachKafka {
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        message: String,
    },
    /// Kafka does not make a topic.
    #[error("Kafka refused to make topic '{topic}': {source}")]
    MakeTopic {
        /// The topic.
        topic: String,
        /// Why.
        source: RDKafkaErrorCode,
    },
    /// A client needs threads and sockets.
    #[error("cannot start a client: {0}")]
    StartClient(std::io::Error),
    /// The topic is not there.
    #[error("there is no topic '{0}'")]
    NoTopic(String),
    /// The registry does not answer.
    #[error("cannot reach the schema registry at '{url}': {message}")]
    ReachRegistry {
        /// Its address.
        url: String,
        /// Why.
        message: String,
    },
    /// The registry does not take the schema.
    #[error("the schema registry refused the schema of subject '{subject}' with status {status}: {body}")]
    Register {
        /// The subject.
        subject: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
}

/// The servers of a run. Embedded ones stop when this is dropped.
pub struct Servers {
    kafka: String,
    registry: String,
    embedded: Option<(Broker, Registry)>,
}

impl Servers {
    /// Starts what is not given. The embedded broker keeps its records in `folder`.
    ///
    /// # Errors
    /// An embedded server does not start.
    pub fn start(args: &DevArgs, folder: &Path) -> Result<Self, PrepareError> {
        if let (Some(kafka), Some(registry)) = (&args.kafka, &args.registry) {
            return Ok(Self { kafka: kafka.clone(), registry: registry.clone(), embedded: None });
        }
        let (broker, registry) = (Broker::start(folder)?, Registry::start()?);
        Ok(Self { kafka: broker.bootstrap_servers(), registry: registry.url(), embedded: Some((broker, registry)) })
    }

    /// Where they are.
    pub fn addresses(&self) -> Addresses<'_> {
        Addresses { kafka: &self.kafka, registry: &self.registry, embedded: self.embedded.is_some() }
    }

    /// Waits for servers that are not embedded, makes the topics that are Sluice's to make, and registers the schema.
    ///
    /// # Errors
    /// A server does not answer within `wait`, or refuses.
    pub fn prepare(&self, plan: &Plan, wait: Duration) -> Result<(), PrepareError> {
        if self.embedded.is_none() {
            let (bootstrap, url) = (&plan.kafka.bootstrap, &plan.registry_url);
            reach::broker(bootstrap, &client(plan), wait)
                .map_err(|message| PrepareError::ReachKafka { bootstrap: bootstrap.clone(), message })?;
            reach::registry(url, wait).map_err(|message| PrepareError::ReachRegistry { url: url.clone(), message })?;
        }
        make_topics(plan)?;
        register(plan, self.embedded.is_some())
    }
}

fn unreachable(plan: &Plan) -> impl Fn(KafkaError) -> PrepareError + Copy {
    move |error| PrepareError::ReachKafka { bootstrap: plan.kafka.bootstrap.clone(), message: error.to_string() }
}

fn client(plan: &Plan) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in &plan.kafka.properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &plan.kafka.bootstrap);
    config
}

fn make_topics(plan: &Plan) -> Result<(), PrepareError> {
    let unreachable = unreachable(plan);
    let admin: AdminClient<DefaultClientContext> = client(plan).create().map_err(unreachable)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PrepareError::StartClient)?;
    let managed: Vec<NewTopic<'_>> = plan.topics.iter().filter(|topic| topic.managed).map(new_topic).collect();
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    for answer in runtime.block_on(admin.create_topics(&managed, &options)).map_err(unreachable)? {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, source)) => return Err(PrepareError::MakeTopic { topic, source }),
        }
    }
    Ok(())
}

fn new_topic(topic: &TopicPlan) -> NewTopic<'_> {
    let copies = TopicReplication::Fixed(topic.replication_factor.map_or(-1, i32::from));
    let new = NewTopic::new(&topic.name, topic.partitions.cast_signed(), copies);
    topic.config.iter().fold(new, |new, (name, value)| new.set(name, value))
}

/// The start and the end of each partition of the source topic.
///
/// # Errors
/// Kafka does not answer, or has no such topic.
pub fn offsets(plan: &Plan) -> Result<BTreeMap<i32, (i64, i64)>, PrepareError> {
    let unreachable = unreachable(plan);
    let admin: AdminClient<DefaultClientContext> = client(plan).create().map_err(unreachable)?;
    let (client, topic) = (admin.inner(), &plan.source.topic);
    let metadata = client.fetch_metadata(Some(topic), TIMEOUT).map_err(unreachable)?;
    let partitions = metadata.topics().iter().find(|found| found.name() == topic).map(|found| found.partitions().len());
    let partitions = partitions.filter(|count| *count > 0).ok_or_else(|| PrepareError::NoTopic(topic.clone()))?;
    let of = |partition| Ok((partition, client.fetch_watermarks(topic, partition, TIMEOUT).map_err(unreachable)?));
    (0..partitions as i32).map(of).collect()
}

/// Registers the pipeline's schema. The compatibility level is set in an embedded registry only: a shared one belongs to
/// others as well.
fn register(plan: &Plan, embedded: bool) -> Result<(), PrepareError> {
    let client = reqwest::blocking::Client::new();
    let subject = &plan.source.subject;
    if embedded {
        let level = compatibility(plan.source.compatibility);
        let url = format!("{}/config/{subject}", plan.registry_url);
        ask(client.put(url), &json!({"compatibility": level}), plan)?;
    }
    let url = format!("{}/subjects/{subject}/versions", plan.registry_url);
    ask(client.post(url), &json!({"schema": plan.full_schema}), plan)
}

fn ask(request: reqwest::blocking::RequestBuilder, body: &serde_json::Value, plan: &Plan) -> Result<(), PrepareError> {
    let request = request.header("Content-Type", "application/vnd.schemaregistry.v1+json").body(body.to_string());
    let unreachable = |error: reqwest::Error| PrepareError::ReachRegistry {
        url: plan.registry_url.clone(),
        message: innermost(&error),
    };
    let answer = request.send().map_err(unreachable)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let (subject, body) = (plan.source.subject.clone(), answer.text().unwrap_or_default());
    Err(PrepareError::Register { subject, status: status.as_u16(), body })
}

/// Confluent's name of a level.
fn compatibility(level: plan::Compatibility) -> &'static str {
    match level {
        plan::Compatibility::None => "NONE",
        plan::Compatibility::Backward => "BACKWARD",
        plan::Compatibility::BackwardTransitive => "BACKWARD_TRANSITIVE",
        plan::Compatibility::Forward => "FORWARD",
        plan::Compatibility::ForwardTransitive => "FORWARD_TRANSITIVE",
        plan::Compatibility::Full => "FULL",
        plan::Compatibility::FullTransitive => "FULL_TRANSITIVE",
    }
}

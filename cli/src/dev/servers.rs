//! Kafka and registry for a run: embedded or real, with the pipeline's topics and its schema in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use plan::{Plan, TopicPlan};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;
use worker::agree::{Disagreement, disagreement};

use super::DevArgs;
use super::broker::{Broker, BrokerError};
use super::pipeline::Addresses;
use super::reach;
use super::registry::{Registry, RegistryError};
use super::shared::{Busy, busy};
use super::subject::{self, UnfitSubject};

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
    /// Topic and manifest disagree.
    #[error(transparent)]
    Disagree(#[from] Disagreement),
    /// Others read in the run's group.
    #[error(transparent)]
    Busy(#[from] Busy),
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
    /// The registry's subject does not fit.
    #[error(transparent)]
    Subject(#[from] UnfitSubject),
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
    pub fn prepare(&self, plan: &Plan, wait: Duration, take_over: bool) -> Result<(), PrepareError> {
        if self.embedded.is_none() {
            let (bootstrap, url) = (&plan.kafka.bootstrap, &plan.registry_url);
            reach::broker(bootstrap, &client(plan), wait)
                .map_err(|message| PrepareError::ReachKafka { bootstrap: bootstrap.clone(), message })?;
            let shown = super::pipeline::Registry::of(url).address;
            reach::registry(url, &shown, wait)
                .map_err(|message| PrepareError::ReachRegistry { url: shown.clone(), message })?;
        }
        make_topics(plan)?;
        let unreachable = unreachable(plan);
        let asker: BaseConsumer = client(plan).create().map_err(unreachable)?;
        if let Some(disagreement) = disagreement(plan, &asker, TIMEOUT).map_err(unreachable)? {
            return Err(disagreement.into());
        }
        if self.embedded.is_none()
            && let Some(busy) = busy(plan, take_over).map_err(unreachable)?
        {
            return Err(busy.into());
        }
        subject::prepare(plan, self.embedded.is_some())
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

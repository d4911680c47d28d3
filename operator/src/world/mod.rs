//! Everything that the operator talks to, as traits that say what it needs and nothing about how it is had.
//!
//! A reconcile is generic over [`World`], so that a test can stop it before and after each single call. Kept true: no
//! call of these traits does two writes, and every write can be done again without another effect.

mod answer;
mod cache;
mod error;
mod kafka;
mod kind;
mod kubernetes;
mod object;
mod real;
mod registry;
mod workers;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

use plan::TopicPlan;
use schemas::report::WorkerReport;
use schemas::status::{AnalyticsPipelineStatus, EventReason};

pub use cache::Cache;
pub use error::{BrokerError, ClusterError, RegistryError, UnreachableWorker};
pub use kafka::KafkaAdmin;
pub use kind::Kind;
pub use kubernetes::{KubernetesApi, MayWrite, object, serves};
pub use object::Object;
pub use real::RealWorld;
pub use registry::ConfluentRegistry;
pub use workers::WorkerHttp;

/// The Kubernetes API.
pub trait Cluster {
    /// The pipeline of that name, as it was last told or written.
    fn pipeline(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Object>, ClusterError>> + Send;
    /// The objects that are labelled as a pipeline's, as they were last told or written.
    fn labelled(
        &self,
        kind: Kind,
        namespace: &str,
        pipeline: &str,
    ) -> impl Future<Output = Result<Vec<Object>, ClusterError>> + Send;
    /// One object as it is at this moment, if it exists.
    fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Object>, ClusterError>> + Send;
    /// Whether the API server knows the kind.
    fn serves(&self, kind: Kind) -> impl Future<Output = Result<bool, ClusterError>> + Send;
    /// Makes an object that does not exist; refused when it does.
    fn create(&self, kind: Kind, object: &Object) -> impl Future<Output = Result<Object, ClusterError>> + Send;
    /// Makes the object what is given here (server-side apply, taking over fields that others changed).
    fn apply(&self, kind: Kind, object: &Object) -> impl Future<Output = Result<Object, ClusterError>> + Send;
    /// Deletes the very object, told by its uid; what it owns stays when it is orphaned. One that is gone is no error.
    fn delete(
        &self,
        kind: Kind,
        object: &Object,
        dependents: Dependents,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;
    /// Asks for more room on a volume claim.
    fn grow_claim(
        &self,
        namespace: &str,
        name: &str,
        size: &str,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;
    /// Puts the list of finalizers in place of the one that `pipeline` was read with.
    fn set_finalizers(
        &self,
        pipeline: &Object,
        finalizers: &[String],
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;
    /// Writes the status.
    fn write_status(
        &self,
        pipeline: &Object,
        status: &AnalyticsPipelineStatus,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;
    /// What went wrong with the object of this uid lately, newest last: the notes of Kubernetes' warning events.
    fn warnings(&self, namespace: &str, uid: &str) -> impl Future<Output = Result<Vec<String>, ClusterError>> + Send;
    /// Tells what happened, as an event about the pipeline.
    fn tell(&self, pipeline: &Object, happening: &Happening) -> impl Future<Output = Result<(), ClusterError>> + Send;
}

/// What becomes of the objects that a deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependents {
    /// They are deleted too.
    Delete,
    /// They stay.
    Orphan,
}

/// Something that happened, for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// What, in one word.
    pub reason: EventReason,
    /// Whether a person should look at it.
    pub warning: bool,
    /// The words.
    pub note: String,
}

/// How Kafka is reached by an administrator's client: librdkafka properties, credentials among them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KafkaAccess {
    /// `host:port,…`.
    pub bootstrap: String,
    /// Property and value.
    pub properties: Vec<(String, String)>,
}

impl fmt::Debug for KafkaAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaAccess").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

/// A topic as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicState {
    /// Number of partitions.
    pub partitions: u32,
    /// Copies of the first partition.
    pub replication_factor: u16,
    /// Its settings; absent when the broker does not let them be read.
    pub config: Option<BTreeMap<String, String>>,
}

/// Kafka's topics.
pub trait Broker {
    /// The topics as they are, in the order of the names; absent where there is none.
    fn topics(
        &self,
        access: &KafkaAccess,
        names: &[String],
    ) -> impl Future<Output = Result<Vec<Option<TopicState>>, BrokerError>> + Send;
    /// Creates a topic. One that exists already is no error.
    fn create_topic(
        &self,
        access: &KafkaAccess,
        topic: &TopicPlan,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;
    /// Gives a topic more partitions. One that has them is no error.
    fn grow_topic(
        &self,
        access: &KafkaAccess,
        name: &str,
        partitions: u32,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;
    /// Deletes a topic. One that does not exist is no error.
    fn delete_topic(&self, access: &KafkaAccess, name: &str) -> impl Future<Output = Result<(), BrokerError>> + Send;
}

/// How the registry is reached.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryAccess {
    /// Base address without a trailing slash.
    pub url: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for RegistryAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A subject as it is, seen from one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectState {
    /// The schema of the latest version, if the subject has one and does not hold the schema that it is seen from.
    pub latest: Option<String>,
    /// The id of the schema, if the subject holds it.
    pub id: Option<u32>,
    /// The subject's own compatibility level, such as `BACKWARD`.
    pub level: Option<String>,
}

/// The schema registry.
pub trait Registry {
    /// The subject, seen from `schema`.
    fn subject(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> impl Future<Output = Result<SubjectState, RegistryError>> + Send;
    /// What makes `schema` incompatible with what the subject holds; empty: nothing.
    fn probe(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> impl Future<Output = Result<Vec<String>, RegistryError>> + Send;
    /// Sets the subject's compatibility level.
    fn set_level(
        &self,
        access: &RegistryAccess,
        subject: &str,
        level: &str,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send;
    /// Registers the schema, or finds it; its id.
    fn register(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> impl Future<Output = Result<u32, RegistryError>> + Send;
    /// Deletes the subject. One that does not exist is no error.
    fn delete_subject(
        &self,
        access: &RegistryAccess,
        subject: &str,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send;
}

/// The workers' HTTP endpoints.
pub trait Workers {
    /// The report of the worker in the pod with this IP.
    fn report(&self, pod_ip: &str) -> impl Future<Output = Result<WorkerReport, UnreachableWorker>> + Send;

    /// Tells the worker in that pod that no worker of its name will follow soon. Can be repeated.
    fn farewell(&self, pod_ip: &str) -> impl Future<Output = Result<(), UnreachableWorker>> + Send;
}

/// The time.
pub trait Clock {
    /// Milliseconds since 1970 UTC.
    fn now(&self) -> i64;
}

/// All of it.
pub trait World: Cluster + Broker + Registry + Workers + Clock + Send + Sync {}

impl<W: Cluster + Broker + Registry + Workers + Clock + Send + Sync> World for W {}

/// This machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }
}

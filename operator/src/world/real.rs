//! The real world: Kubernetes, Kafka, registries, workers and this machine's clock behind one value.

use plan::TopicPlan;
use schemas::report::WorkerReport;
use schemas::status::AnalyticsPipelineStatus;

use super::{
    Broker, BrokerError, Clock, Cluster, ClusterError, ConfluentRegistry, Dependents, Happening, KafkaAccess,
    KafkaAdmin, Kind, KubernetesApi, Object, Registry, RegistryAccess, RegistryError, SubjectState, SystemClock,
    TopicState, UnreachableWorker, WorkerHttp, Workers,
};

/// All of it; each call goes to the part that it belongs to.
pub struct RealWorld {
    cluster: KubernetesApi,
    broker: KafkaAdmin,
    registry: ConfluentRegistry,
    workers: WorkerHttp,
}

impl RealWorld {
    /// With this way to Kubernetes; the others are named by each pipeline.
    pub fn new(cluster: KubernetesApi) -> Self {
        Self { cluster, broker: KafkaAdmin::default(), registry: ConfluentRegistry::new(), workers: WorkerHttp::new() }
    }
}

impl Cluster for RealWorld {
    async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        self.cluster.get(kind, namespace, name).await
    }

    async fn pipeline(&self, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        self.cluster.pipeline(namespace, name).await
    }

    async fn labelled(&self, kind: Kind, namespace: &str, pipeline: &str) -> Result<Vec<Object>, ClusterError> {
        self.cluster.labelled(kind, namespace, pipeline).await
    }

    async fn serves(&self, kind: Kind) -> Result<bool, ClusterError> {
        self.cluster.serves(kind).await
    }

    async fn create(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        self.cluster.create(kind, object).await
    }

    async fn apply(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        self.cluster.apply(kind, object).await
    }

    async fn delete(&self, kind: Kind, object: &Object, dependents: Dependents) -> Result<(), ClusterError> {
        self.cluster.delete(kind, object, dependents).await
    }

    async fn grow_claim(&self, namespace: &str, name: &str, size: &str) -> Result<(), ClusterError> {
        self.cluster.grow_claim(namespace, name, size).await
    }

    async fn set_finalizers(&self, pipeline: &Object, finalizers: &[String]) -> Result<(), ClusterError> {
        self.cluster.set_finalizers(pipeline, finalizers).await
    }

    async fn write_status(&self, pipeline: &Object, status: &AnalyticsPipelineStatus) -> Result<(), ClusterError> {
        self.cluster.write_status(pipeline, status).await
    }

    async fn warnings(&self, namespace: &str, uid: &str) -> Result<Vec<String>, ClusterError> {
        self.cluster.warnings(namespace, uid).await
    }

    async fn tell(&self, pipeline: &Object, happening: &Happening) -> Result<(), ClusterError> {
        self.cluster.tell(pipeline, happening).await
    }
}

impl Broker for RealWorld {
    async fn topics(&self, access: &KafkaAccess, names: &[String]) -> Result<Vec<Option<TopicState>>, BrokerError> {
        self.broker.topics(access, names).await
    }

    async fn create_topic(&self, access: &KafkaAccess, topic: &TopicPlan) -> Result<(), BrokerError> {
        self.broker.create_topic(access, topic).await
    }

    async fn grow_topic(&self, access: &KafkaAccess, name: &str, partitions: u32) -> Result<(), BrokerError> {
        self.broker.grow_topic(access, name, partitions).await
    }

    async fn delete_topic(&self, access: &KafkaAccess, name: &str) -> Result<(), BrokerError> {
        self.broker.delete_topic(access, name).await
    }
}

impl Registry for RealWorld {
    async fn subject(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> Result<SubjectState, RegistryError> {
        self.registry.subject(access, subject, schema).await
    }

    async fn probe(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<Vec<String>, RegistryError> {
        self.registry.probe(access, subject, schema).await
    }

    async fn set_level(&self, access: &RegistryAccess, subject: &str, level: &str) -> Result<(), RegistryError> {
        self.registry.set_level(access, subject, level).await
    }

    async fn register(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        self.registry.register(access, subject, schema).await
    }

    async fn delete_subject(&self, access: &RegistryAccess, subject: &str) -> Result<(), RegistryError> {
        self.registry.delete_subject(access, subject).await
    }
}

impl Workers for RealWorld {
    async fn report(&self, pod_ip: &str) -> Result<WorkerReport, UnreachableWorker> {
        self.workers.report(pod_ip).await
    }

    async fn farewell(&self, pod_ip: &str) -> Result<(), UnreachableWorker> {
        self.workers.farewell(pod_ip).await
    }
}

impl Clock for RealWorld {
    fn now(&self) -> i64 {
        SystemClock.now()
    }
}

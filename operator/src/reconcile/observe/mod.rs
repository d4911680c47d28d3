//! Looks at the world: the pipeline, what it refers to, its objects, then topics, subject and workers. Writes nothing.
//!
//! Kept true: what could not be read is an error or an unknown, never taken for empty.

mod pods;
mod secrets;

use futures::future::join_all;
use schemas::report::WorkerReport;
use schemas::spec::SourceSchema;
use schemas::status::AnalyticsPipelineStatus;

use super::Identity;
use super::validate::Valid;
use crate::api::AnalyticsPipeline;
use crate::names;
use crate::world::{
    BrokerError, ClusterError, KafkaAccess, Kind, Object, RegistryAccess, RegistryError, SubjectState, TopicState,
    World,
};

pub use pods::{Claim, Pod};
pub use secrets::{Secrets, Source, sources};

/// A pipeline and what the cluster holds for it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The pipeline as it was read.
    pub object: Object,
    /// Who it is.
    pub identity: Identity,
    /// The same with types, or why it cannot be read: it was written under another version of the CRD.
    pub pipeline: Result<AnalyticsPipeline, String>,
    /// The status that was written last.
    pub status: AnalyticsPipelineStatus,
    /// The reader schema, or the words on what is missing.
    pub schema: Result<String, String>,
    /// The secrets that the manifest names.
    pub secrets: Secrets,
    /// The objects that the pipeline owns.
    pub children: Vec<(Kind, Object)>,
    /// The workers' pods.
    pub pods: Vec<Pod>,
    /// The workers' volume claims.
    pub claims: Vec<Claim>,
    /// Why the stateful set's pods do not exist, or a claim has no volume: Kubernetes' words.
    pub warnings: Warnings,
    /// Whether the API server knows `ServiceMonitor`.
    pub service_monitors: bool,
}

/// Kubernetes' words about what it could not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    /// About pods that do not exist.
    pub pods: Option<String>,
    /// About a claim without a volume, or one that does not grow.
    pub claims: Option<String>,
}

impl Seen {
    /// The child of a kind that has one.
    pub fn child(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.children.iter().find(|(of, object)| *of == kind && object.name() == name).map(|(_, object)| object)
    }

    /// The stateful set of the workers.
    pub fn stateful_set(&self) -> Option<&Object> {
        self.child(Kind::StatefulSet, &self.identity.name)
    }
}

/// Reads the pipeline and everything in the cluster that it refers to or owns. `None`: there is no such pipeline.
pub async fn cluster<W: World>(world: &W, namespace: &str, name: &str) -> Result<Option<Seen>, ClusterError> {
    let Some(object) = world.get(Kind::Pipeline, namespace, name).await? else { return Ok(None) };
    let identity = Identity::of(&object);
    let pipeline: Result<AnalyticsPipeline, String> =
        serde_json::from_value(object.0.clone()).map_err(|error| error.to_string());
    let status = object.0.get("status").and_then(|status| serde_json::from_value(status.clone()).ok());
    let (schema, secrets) = match &pipeline {
        Ok(pipeline) => (
            schema(world, namespace, &pipeline.spec.source.schema).await?,
            secrets::read(world, namespace, &pipeline.spec).await?,
        ),
        Err(_) => (Err(String::new()), Secrets::default()),
    };
    let selector = names::selector(name);
    let service_monitors = world.serves(Kind::ServiceMonitor).await?;
    let children = children(world, &identity, &selector, service_monitors).await?;
    let pods = world.list(Kind::Pod, namespace, &selector).await?.into_iter().map(Pod::of).collect::<Vec<_>>();
    let claims = world.list(Kind::Claim, namespace, &selector).await?.into_iter().map(Claim::of).collect::<Vec<_>>();
    let mut seen = Seen {
        object,
        identity,
        pipeline,
        status: status.unwrap_or_default(),
        schema,
        secrets,
        children,
        pods,
        claims,
        warnings: Warnings::default(),
        service_monitors,
    };
    seen.warnings = warnings(world, &seen).await?;
    Ok(Some(seen))
}

async fn schema<W: World>(
    world: &W,
    namespace: &str,
    schema: &SourceSchema,
) -> Result<Result<String, String>, ClusterError> {
    let Some(reference) = &schema.config_map_key_ref else {
        return Ok(Ok(schema.avro.clone().unwrap_or_default()));
    };
    let Some(found) = world.get(Kind::ConfigMap, namespace, &reference.name).await? else {
        return Ok(Err(format!("ConfigMap '{}' of the Avro schema does not exist", reference.name)));
    };
    let text = found.0["data"].get(&reference.key).and_then(|text| text.as_str());
    Ok(text.map(str::to_owned).ok_or_else(|| {
        format!("ConfigMap '{}' has no key '{}', where the Avro schema should be", reference.name, reference.key)
    }))
}

async fn children<W: World>(
    world: &W,
    identity: &Identity,
    selector: &str,
    service_monitors: bool,
) -> Result<Vec<(Kind, Object)>, ClusterError> {
    let mut children = Vec::new();
    for kind in Kind::OWNED.into_iter().filter(|kind| *kind != Kind::ServiceMonitor || service_monitors) {
        let found = world.list(kind, &identity.namespace, selector).await?;
        let owned = found.into_iter().filter(|object| object.is_controlled_by(&identity.uid));
        children.extend(owned.map(|object| (kind, object)));
    }
    Ok(children)
}

/// Asks why only where something is missing.
async fn warnings<W: World>(world: &W, seen: &Seen) -> Result<Warnings, ClusterError> {
    let namespace = &seen.identity.namespace;
    let mut warnings = Warnings::default();
    if let Some(set) = seen.stateful_set()
        && set.number("/spec/replicas") > Some(seen.pods.len() as i64)
    {
        warnings.pods = world.warnings(namespace, set.uid()).await?.pop();
    }
    let wanting = seen.claims.iter().find(|claim| !claim.bound || claim.requested != claim.capacity);
    if let Some(claim) = wanting {
        warnings.claims = world.warnings(namespace, claim.object.uid()).await?.pop();
    }
    Ok(warnings)
}

/// What is outside of the cluster's API.
#[derive(Debug, Clone)]
pub struct Outside {
    /// The topics, in the order of the plan's; absent when a secret is missing.
    pub topics: Option<Result<Vec<Option<TopicState>>, BrokerError>>,
    /// The subject and what the registry's probe says of the schema; absent when a secret is missing.
    pub subject: Option<Result<Subject, RegistryError>>,
    /// What each pod with a running container reports; absent: unknown.
    pub reports: Vec<(String, Option<WorkerReport>)>,
}

/// The subject, seen from the pipeline's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// What the registry holds.
    pub state: SubjectState,
    /// What makes the schema incompatible; empty: nothing, or the subject holds it.
    pub problems: Vec<String>,
}

/// Looks at topics, subject and workers, each on its own: one that is away hides nothing of the others.
pub async fn outside<W: World>(world: &W, seen: &Seen, valid: Option<&Valid>) -> Outside {
    let kafka = valid.and_then(|valid| valid.kafka.as_ref().zip(Some(valid)));
    let topics = async {
        let (access, valid) = kafka?;
        let names: Vec<String> = valid.topics.iter().map(|topic| topic.name.clone()).collect();
        Some(world.topics(access, &names).await)
    };
    let subject = async {
        let valid = valid?;
        let access = valid.registry.as_ref()?;
        Some(subject(world, access, valid).await)
    };
    let (topics, subject, reports) = futures::join!(topics, subject, reports(world, &seen.pods));
    Outside { topics, subject, reports }
}

async fn subject<W: World>(world: &W, access: &RegistryAccess, valid: &Valid) -> Result<Subject, RegistryError> {
    let (name, schema) = (&valid.plan.source.subject, &valid.plan.full_schema);
    let state = world.subject(access, name, schema).await?;
    let problems = if state.id.is_some() { Vec::new() } else { world.probe(access, name, schema).await? };
    Ok(Subject { state, problems })
}

/// The reports of all pods whose container runs.
pub async fn reports<W: World>(world: &W, pods: &[Pod]) -> Vec<(String, Option<WorkerReport>)> {
    let running = pods.iter().filter(|pod| pod.running);
    join_all(running.filter_map(|pod| Some((pod.name(), pod.ip.as_deref()?))).map(|(name, ip)| async move {
        let report = world.report(ip).await;
        if let Err(error) = &report {
            tracing::debug!(pod = name, %error, "no report");
        }
        (name.to_owned(), report.ok())
    }))
    .await
}

/// How Kafka is reached with the secrets' credentials.
pub fn kafka_access(valid: &plan::KafkaPlan, secrets: &Secrets) -> KafkaAccess {
    let mut properties = valid.properties.clone();
    let mut add = |property: &str, value: Option<&String>| {
        properties.extend(value.map(|value| (property.to_owned(), value.clone())));
    };
    add("sasl.username", secrets.get("kafka/username"));
    add("sasl.password", secrets.get("kafka/password"));
    add("ssl.ca.pem", secrets.get("kafka/ca.crt"));
    KafkaAccess { bootstrap: valid.bootstrap.clone(), properties }
}

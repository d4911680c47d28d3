//! Looks at the world: the pipeline, what it refers to, its objects, then topics, subject and workers. Writes nothing.
//!
//! Kept true: what could not be read is an error or an unknown, never taken for empty.

mod outside;
mod pods;
mod secrets;
mod warnings;

use schemas::spec::SourceSchema;
use schemas::status::AnalyticsPipelineStatus;

use super::Identity;
use super::policy::Policy;
use crate::api::AnalyticsPipeline;
use crate::names;
use crate::world::{ClusterError, Kind, Object, World};

pub use outside::{LastLook, Outside, Subject, kafka_access, outside};
pub use pods::{Claim, Pod};
pub use secrets::{Secrets, Source, sources};
pub use warnings::{Asked, Warnings};

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
pub async fn cluster<W: World>(
    world: &W,
    policy: &Policy,
    asked: &Asked,
    namespace: &str,
    name: &str,
) -> Result<Option<Seen>, ClusterError> {
    let Some(object) = world.pipeline(namespace, name).await? else { return Ok(None) };
    let identity = Identity::of(&object);
    let pipeline: Result<AnalyticsPipeline, String> =
        serde_json::from_value(object.0.clone()).map_err(|error| error.to_string());
    let status = object.0.get("status").and_then(|status| serde_json::from_value(status.clone()).ok());
    let (schema, secrets) = match &pipeline {
        Ok(pipeline) => (
            schema(world, namespace, &pipeline.spec.source.schema).await?,
            secrets::read(world, policy, namespace, &pipeline.spec).await?,
        ),
        Err(_) => (Err(String::new()), Secrets::default()),
    };
    let service_monitors = world.serves(Kind::ServiceMonitor).await?;
    let children = children(world, &identity, service_monitors).await?;
    let set = children.iter().find(|(kind, object)| *kind == Kind::StatefulSet && object.name() == name);
    let set = set.map(|(_, set)| set.uid());
    // A name that the stateful set would use matters to it, whoever took it. Any other is a stranger's.
    let pods = world.labelled(Kind::Pod, namespace, name).await?.into_iter();
    let pods = pods.filter(|pod| names::is_numbered(pod.name(), name)).map(|pod| Pod::of(pod, set)).collect();
    let claims = world.labelled(Kind::Claim, namespace, name).await?.into_iter();
    let claims = claims.filter(|claim| names::is_claim(claim.name(), name)).map(Claim::of).collect();
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
    seen.warnings = warnings::warnings(world, asked, &seen).await?;
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
    service_monitors: bool,
) -> Result<Vec<(Kind, Object)>, ClusterError> {
    let mut children = Vec::new();
    for kind in Kind::OWNED.into_iter().filter(|kind| *kind != Kind::ServiceMonitor || service_monitors) {
        let found = world.labelled(kind, &identity.namespace, &identity.name).await?;
        let owned = found.into_iter().filter(|object| object.is_controlled_by(&identity.uid));
        children.extend(owned.map(|object| (kind, object)));
    }
    Ok(children)
}

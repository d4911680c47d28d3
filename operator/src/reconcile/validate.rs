//! From what a person wrote to a pipeline that can be built: every name resolved, every expression typed. Pure.
//!
//! What [`validate`] gives needs no checking later: building objects from it cannot fail.

use plan::{Outline, TopicPlan};
use schemas::spec::{AnalyticsPipeline, AnalyticsPipelineSpec, DeletionPolicy, Workers};
use schemas::status::Reason;

use super::Settings;
use super::observe::{self, Seen};
use super::quantity::Bytes;
use crate::compile::{CompileError, Compiler};
use crate::world::{KafkaAccess, RegistryAccess};

/// A pipeline that can be built.
#[derive(Debug, Clone)]
pub struct Valid {
    /// The manifest as the workers read it: the schema stands in it, and nothing that is the operator's alone.
    pub pipeline: AnalyticsPipeline,
    /// The manifest as it was written.
    pub spec: AnalyticsPipelineSpec,
    /// What it compiles to.
    pub plan: Outline,
    /// Source, dead letter and partials topic as they should be, in this order.
    pub topics: Vec<TopicPlan>,
    /// How Kafka is reached; absent while a secret is missing.
    pub kafka: Option<KafkaAccess>,
    /// How the registry is reached; absent while a secret is missing.
    pub registry: Option<RegistryAccess>,
    /// Size of each volume.
    pub volume: Bytes,
}

/// Why a pipeline cannot be built. The user must act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// In one word.
    pub reason: Reason,
    /// In the words of who found it.
    pub message: String,
}

impl Invalid {
    fn spec(message: impl Into<String>) -> Self {
        Self { reason: Reason::InvalidSpec, message: message.into() }
    }
}

/// Judges what was seen.
///
/// # Errors
/// The compiler cannot work now.
pub async fn validate(
    seen: &Seen,
    settings: &Settings,
    compiler: &Compiler,
) -> Result<Result<Valid, Invalid>, CompileError> {
    let manifest = match allowed(seen, settings).and_then(|()| resolved(seen)) {
        Ok(manifest) => manifest,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let verdict = compiler.compile(&manifest).await?;
    Ok(verdict.map_err(Invalid::spec).and_then(|plan| valid(seen, manifest, plan)))
}

/// Whether the pipeline asks for nothing that it may not have.
fn allowed(seen: &Seen, settings: &Settings) -> Result<(), Invalid> {
    let pipeline = seen.pipeline.as_ref().map_err(|error| Invalid::spec(error.clone()))?;
    let secret = seen.secrets.forbidden().map(str::to_owned);
    match secret.or_else(|| settings.policy.refuses(&pipeline.spec, &settings.defaults.worker_image)) {
        Some(message) => Err(Invalid { reason: Reason::NotAllowed, message }),
        None => Ok(()),
    }
}

/// The manifest with its schema.
fn resolved(seen: &Seen) -> Result<AnalyticsPipeline, Invalid> {
    let pipeline = seen.pipeline.as_ref().map_err(|error| Invalid::spec(error.clone()))?;
    let schema = seen
        .schema
        .as_ref()
        .map_err(|missing| Invalid { reason: Reason::ConfigMapMissing, message: missing.clone() })?;
    let mut manifest = pipeline.manifest();
    manifest.spec.source.schema.avro = Some(schema.clone());
    manifest.spec.source.schema.config_map_key_ref = None;
    Ok(manifest)
}

fn valid(seen: &Seen, manifest: AnalyticsPipeline, plan: Outline) -> Result<Valid, Invalid> {
    let spec = manifest.spec.clone();
    let volume: Bytes = spec
        .workers
        .storage
        .size
        .parse()
        .map_err(|error| Invalid::spec(format!("spec.workers.storage.size: {error}")))?;
    let secrets = &seen.secrets;
    let kafka = secrets.missing_kafka().is_none().then(|| observe::kafka_access(&plan.kafka, secrets));
    let registry = secrets.missing_registry().is_none().then(|| RegistryAccess {
        url: plan.registry_url.clone(),
        credentials: secrets.get("registry/username").cloned().zip(secrets.get("registry/password").cloned()),
    });
    Ok(Valid { topics: topics(&plan), pipeline: for_workers(manifest), spec, plan, kafka, registry, volume })
}

/// The manifest without what workers do not act on, so that scaling, suspending or growing a volume restarts none of them.
fn for_workers(mut manifest: AnalyticsPipeline) -> AnalyticsPipeline {
    manifest.metadata.labels.clear();
    manifest.metadata.annotations.clear();
    let spec = &mut manifest.spec;
    spec.suspend = false;
    spec.deletion_policy = DeletionPolicy::default();
    spec.workers = Workers { lanes: spec.workers.lanes, ..Workers::default() };
    let dead_letter = spec.dead_letter.as_mut().map(|dead_letter| &mut dead_letter.topic);
    for topic in [Some(&mut spec.source.topic), dead_letter].into_iter().flatten() {
        topic.config.clear();
        topic.replication_factor = None;
    }
    spec.partials.replication_factor = None;
    spec.partials.config.clear();
    manifest
}

/// Shortest time that partials are kept: long enough for a weekend without anybody.
const PARTIALS_AT_LEAST_MS: i64 = 7 * 86_400_000;

/// The plan's topics, the partials topic with its retention: partials are needed until their windows are published, which
/// a rebuild can put off by about twice the time that windows are open. The manifest may ask for longer (-1: for ever).
fn topics(plan: &Outline) -> Vec<TopicPlan> {
    let open = plan.delay_ms + plan.window.size_ms + plan.max_future_skew_ms;
    let keep = PARTIALS_AT_LEAST_MS.max(open.saturating_mul(4));
    let mut topics = plan.topics.clone();
    for topic in topics.iter_mut().filter(|topic| topic.name == plan.partials_topic) {
        topic.config.push(("cleanup.policy".to_owned(), "delete".to_owned()));
        let asked = topic.config.iter().position(|(key, _)| key == "retention.ms");
        let asked = asked.map(|at| topic.config.remove(at).1).and_then(|asked| asked.trim().parse::<i64>().ok());
        let keep = asked.map_or(keep, |asked| if asked < 0 { -1 } else { asked.max(keep) });
        topic.config.push(("retention.ms".to_owned(), keep.to_string()));
        topic.config.sort();
    }
    topics
}

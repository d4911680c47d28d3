//! Decides what should be: configuration, workers, topics, schema. Pure; the same facts give the same decision, so that an
//! operator that crashed decides again what it had decided.

mod boundary;
mod config;
mod next;
mod topics;

use schemas::epochs::Epochs;
use schemas::report::WorkerReport;
use schemas::spec::{Compatibility, Register};
use schemas::status::Reason;

use super::observe::{Outside, Pod, Seen};
use super::validate::Valid;
use crate::names;
use crate::world::Object;

pub use boundary::{Boundary, boundary, is_published, window_after};
pub use config::{Config, EPOCHS_KEY, PIPELINE_KEY, Stored};
pub use next::Next;
pub use topics::{TopicFault, TopicStep};

/// Why something that the manifest asks for is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// In one word.
    pub reason: Reason,
    /// In words for people.
    pub message: String,
}

impl Held {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// What the registry says of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaVerdict {
    /// The subject holds it, or takes it.
    Fits,
    /// It could not be asked.
    Unknown(String),
    /// It refuses it.
    Refused(String),
}

/// What is known when deciding.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Milliseconds since 1970 UTC.
    pub now: i64,
    /// The configuration in force.
    pub stored: Option<Stored>,
    /// The epochs that the status remembers, if they are of the manifest's revision.
    pub status_epochs: Option<&'a Epochs>,
    /// Whether records were ever judged.
    pub has_progress: bool,
    /// What the registry says of the schema.
    pub schema: SchemaVerdict,
    /// The pods, those on their way out too.
    pub pods: &'a [Pod],
    /// The stateful set.
    pub set: Option<&'a Object>,
    /// How many partitions the source topic has, if it was looked at.
    pub source_partitions: Option<u32>,
    /// The reports that could be read.
    pub reports: Vec<&'a WorkerReport>,
}

impl<'a> Facts<'a> {
    /// The facts of what was seen.
    pub fn of(seen: &'a Seen, outside: &'a Outside, valid: &Valid, now: i64) -> Self {
        let topics = outside.topics.as_ref().and_then(|topics| topics.as_ref().ok());
        let source = topics.and_then(|topics| topics.first()?.as_ref());
        let same_revision = seen.status.revision == Some(valid.plan.revision);
        Self {
            now,
            stored: Stored::in_force(&seen.children),
            status_epochs: seen.status.epochs.as_ref().filter(|_| same_revision),
            has_progress: seen.status.progress.as_ref().is_some_and(|progress| progress.watermark.is_some()),
            schema: verdict(outside),
            pods: &seen.pods,
            set: seen.stateful_set(),
            source_partitions: source.map(|source| source.partitions),
            reports: outside.reports.iter().filter_map(|(_, report)| report.as_ref()).collect(),
        }
    }
}

fn verdict(outside: &Outside) -> SchemaVerdict {
    match &outside.subject {
        None => SchemaVerdict::Unknown("its secret is missing".to_owned()),
        Some(Ok(subject)) if subject.problems.is_empty() => SchemaVerdict::Fits,
        Some(Ok(subject)) => SchemaVerdict::Refused(subject.problems.join("; ")),
        Some(Err(error)) if error.is_refusal() => SchemaVerdict::Refused(error.to_string()),
        Some(Err(error)) => SchemaVerdict::Unknown(error.to_string()),
    }
}

/// What is to be done about the subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectSteps {
    /// Set this compatibility level.
    pub level: Option<&'static str>,
    /// Register the schema.
    pub register: bool,
}

/// What should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The configuration, its `ConfigMap`'s name and its place in the order; absent: no workers yet.
    pub config: Option<(Config, String, u64)>,
    /// The configuration in force cannot be read: its `ConfigMap` and the workers stay as they are.
    pub frozen: bool,
    /// Why the configuration is not what the manifest says, if it is not.
    pub held: Option<Held>,
    /// A new meaning has just been decided on.
    pub changes_meaning: bool,
    /// How many workers shall run now.
    pub replicas: i32,
    /// Workers of another meaning still have to end before those of this one start.
    pub draining: bool,
    /// What to do about topics.
    pub topic_steps: Vec<TopicStep>,
    /// What about topics is not as declared.
    pub topic_faults: Vec<TopicFault>,
    /// What to do about the subject.
    pub subject_steps: SubjectSteps,
}

/// Decides.
pub fn decide(valid: &Valid, outside: &Outside, facts: &Facts<'_>) -> Decision {
    let next = next::next(valid, facts);
    let stored_revision =
        facts.stored.as_ref().and_then(|stored| stored.config.as_ref()).map(|it| it.pipeline.spec.revision);
    let sequence = facts.stored.as_ref().map_or(0, |stored| stored.sequence);
    let mut frozen = false;
    let (config, held) = match next {
        Next::Nothing(held) => (None, Some(held)),
        Next::Keep(Stored { name, sequence, config: Some(config) }, held) => (Some((config, name, sequence)), held),
        Next::Keep(_, held) => {
            frozen = true;
            (None, held)
        }
        Next::Change(config) => {
            let name = names::config_map(&valid.pipeline.metadata.name, &config.digest());
            (Some((config, name, sequence + 1)), None)
        }
    };
    let revision = config.as_ref().map(|(config, _, _)| config.pipeline.spec.revision);
    let draining = revision.is_some_and(|revision| is_draining(revision, facts));
    let wanted = if valid.spec.suspend { 0 } else { valid.spec.workers.replicas as i32 };
    let found = outside.topics.as_ref().and_then(|topics| topics.as_ref().ok());
    let may_grow = config.as_ref().map_or(Ok(()), |(config, name, _)| may_grow(config, name, facts));
    let (topic_steps, topic_faults) =
        found.map(|found| topics::topics(&valid.topics, found, &may_grow)).unwrap_or_default();
    Decision {
        replicas: if draining { 0 } else { wanted },
        changes_meaning: stored_revision.is_some() && revision != stored_revision,
        draining,
        config,
        frozen,
        held,
        topic_steps,
        topic_faults,
        subject_steps: subject_steps(valid, outside),
    }
}

/// Whether workers of another meaning run, or may come up yet without having been seen.
fn is_draining(revision: i64, facts: &Facts<'_>) -> bool {
    let pointer = format!("/spec/template/metadata/annotations/{}", names::REVISION.replace('/', "~1"));
    let of_set = facts.set.filter(|set| set.number("/spec/replicas") != Some(0)).and_then(|set| set.text(&pointer));
    let of_set = of_set.and_then(|text| text.parse().ok());
    let of_pods = facts.pods.iter().filter_map(|pod| pod.revision);
    of_pods.chain(of_set).any(|other| other != revision)
}

/// The source topic grows when every worker knows from when the new partitions count, and that time has come.
fn may_grow(config: &Config, name: &str, facts: &Facts<'_>) -> Result<(), String> {
    let Some(from) = config.epochs.topology.last().and_then(|epoch| epoch.from) else { return Ok(()) };
    if facts.stored.as_ref().is_none_or(|stored| stored.name != name)
        || facts.pods.iter().any(|pod| pod.config.as_deref() != Some(name) || !pod.running)
    {
        return Err("once all workers know of them".to_owned());
    }
    if boundary::is_overtaken(&facts.reports, from) {
        return Err("once its boundary lies ahead of what is published".to_owned());
    }
    if !facts.pods.is_empty() && facts.reports.iter().all(|report| report.outputs.is_empty()) {
        return Err("once it is told up to when windows are published".to_owned());
    }
    if facts.now < from {
        return Err(format!("at {}", schemas::status::Time::from_millis(from)));
    }
    Ok(())
}

fn subject_steps(valid: &Valid, outside: &Outside) -> SubjectSteps {
    let Some(Ok(subject)) = &outside.subject else { return SubjectSteps::default() };
    let (level, state) = (level(valid.plan.source.compatibility), &subject.state);
    let is_empty = state.id.is_none() && state.latest.is_none();
    // A subject that holds other versions only is somebody else's.
    let (is_ours, registers) = match valid.plan.source.register {
        Register::Always => (true, true),
        Register::IfEmpty => (is_empty || state.id.is_some(), is_empty),
        Register::Never => (false, false),
    };
    SubjectSteps {
        level: (is_ours && state.level.as_deref() != Some(level)).then_some(level),
        register: registers && state.id.is_none() && subject.problems.is_empty(),
    }
}

/// The registry's word for a compatibility level.
fn level(compatibility: Compatibility) -> &'static str {
    match compatibility {
        Compatibility::None => "NONE",
        Compatibility::Backward => "BACKWARD",
        Compatibility::BackwardTransitive => "BACKWARD_TRANSITIVE",
        Compatibility::Forward => "FORWARD",
        Compatibility::ForwardTransitive => "FORWARD_TRANSITIVE",
        Compatibility::Full => "FULL",
        Compatibility::FullTransitive => "FULL_TRANSITIVE",
    }
}

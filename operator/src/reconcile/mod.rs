//! One pass over one pipeline: look, judge, decide, do, tell.
//!
//! | step | file | world |
//! |---|---|---|
//! | what is there | `observe` | reads |
//! | is the manifest sound | `validate` | no |
//! | what should be | `plan` | no |
//! | as objects | `build` | no |
//! | make it so | `apply`, `delete` | writes |
//! | say so | `status` | no; written here |
//!
//! Kept true: a pass that is cut off anywhere is completed by the next one, with the same outcome; nothing is kept in
//! memory that matters to it.

pub mod apply;
pub mod build;
mod delete;
mod memory;
pub mod observe;
pub mod plan;
mod policy;
pub mod quantity;
pub mod status;
pub mod validate;

use std::time::Duration;

use schemas::spec::DeletionPolicy;
use schemas::status::{AnalyticsPipelineStatus, ConditionStatus, ConditionType, Reason};
use thiserror::Error;

use self::apply::Deeds;
use self::build::Defaults;
use self::memory::Remembered;
use self::observe::{Outside, Seen};
use self::plan::{Decision, Facts, Stored, SubjectSteps, TopicStep};
use self::status::Picture;
use crate::compile::CompileError;
use crate::names::FINALIZER;
use crate::world::{ClusterError, Object, World};

pub use memory::Memory;
pub use policy::{Allowed, Policy};

/// Who a pipeline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
}

impl Identity {
    /// Of a pipeline as it was read.
    pub fn of(object: &Object) -> Self {
        Self { name: object.name().to_owned(), namespace: object.namespace().to_owned(), uid: object.uid().to_owned() }
    }
}

/// How the operator works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What objects are built with.
    pub defaults: Defaults,
    /// What pipelines may use.
    pub policy: Policy,
    /// Time between two looks at workers that run: their reports are news that no watch brings.
    pub look_every: Duration,
    /// Time to the next look while something is on its way; it grows the longer nothing changes.
    pub look_soon: Duration,
    /// Time between two looks at topics and subjects that are as declared, and at pipelines without running workers.
    pub look_outside: Duration,
    /// How long deleting what is outside of Kubernetes is tried.
    pub deletion_deadline: Duration,
}

/// A pass was cut off. The next one begins anew.
#[derive(Debug, Error)]
pub enum PassError {
    /// The API server is away, or refuses to be read.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The manifest cannot be compiled now.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// When to look again; `None` when the pipeline is gone.
pub type Again = Option<Duration>;

/// One pass.
pub async fn reconcile<W: World>(
    world: &W,
    settings: &Settings,
    memory: &Memory,
    namespace: &str,
    name: &str,
) -> Result<Again, PassError> {
    let Some(mut seen) = observe::cluster(world, &settings.policy, &memory.asked, namespace, name).await? else {
        return Ok(None);
    };
    let judged = validate::validate(&seen, settings, &memory.compiler).await?;
    if seen.object.is_terminating() {
        return Ok(delete::delete(world, settings, &seen, judged.as_ref().ok()).await?);
    }
    finalizer(world, &seen).await?;
    let uid = seen.identity.uid.clone();
    let mut remembered = memory.of(&uid);
    let keep_ms = settings.look_outside.as_millis() as i64;
    let outside = observe::outside(world, &seen, judged.as_ref().ok(), &mut remembered.looked, keep_ms).await;
    let now = world.now();
    let valid = match judged {
        Ok(valid) => valid,
        Err(invalid) => {
            let picture = Picture { invalid: Some(&invalid), ..picture(&seen, &outside, now) };
            tell(world, &mut remembered, &picture, None).await?;
            memory.keep(&uid, remembered);
            // An edit of the manifest is told by a watch, but not one of a `ConfigMap` or a secret of the user's.
            let polls = matches!(invalid.reason, Reason::ConfigMapMissing | Reason::NotAllowed) || runs(&seen);
            return Ok(Some(if polls { settings.look_every } else { settings.look_outside }));
        }
    };
    let decision = plan::decide(&valid, &outside, &Facts::of(&seen, &outside, &valid, now));
    remember_topics(world, &mut seen, &decision).await?;
    let deeds = apply::apply(world, &mut seen, &valid, &decision, &settings.defaults, &memory.tolerated).await?;
    let declared = as_declared(&outside, &decision);
    remembered.looked.retain(declared.0, declared.1);
    let seen_by_status = seen;
    let picture = Picture {
        valid: Some(&valid),
        decision: Some(&decision),
        deeds: Some(&deeds),
        wanted: if valid.spec.suspend { 0 } else { valid.spec.workers.replicas as i32 },
        ..picture(&seen_by_status, &outside, now)
    };
    let quiet = tell(world, &mut remembered, &picture, Some(&deeds)).await?;
    let stirred = remembered.stirred.unwrap_or(now);
    memory.keep(&uid, remembered);
    // News of these comes by no watch.
    let polls = !(declared.0 && declared.1) || runs(&seen_by_status);
    let most = if polls { settings.look_every } else { settings.look_outside };
    Ok(Some(if quiet { most } else { pause(settings.look_soon, most, now - stirred) }))
}

/// Whether the topics, and the subject, are as declared and nothing was done about them.
fn as_declared(outside: &Outside, decision: &Decision) -> (bool, bool) {
    let topics =
        matches!(outside.topics, Some(Ok(_))) && decision.topic_steps.is_empty() && decision.topic_faults.is_empty();
    let held = matches!(&outside.subject, Some(Ok(subject)) if subject.problems.is_empty());
    (topics, held && decision.subject_steps == SubjectSteps::default())
}

/// The longer nothing has changed, the longer until the next look: half as long again.
fn pause(least: Duration, most: Duration, unchanged_ms: i64) -> Duration {
    Duration::from_millis(unchanged_ms.max(0).unsigned_abs() / 2).clamp(least.min(most), most)
}

/// Whether any worker has something to report.
fn runs(seen: &Seen) -> bool {
    seen.pods.iter().any(|pod| pod.running)
}

/// With nothing judged, decided or done.
fn picture<'a>(seen: &'a Seen, outside: &'a Outside, now: i64) -> Picture<'a> {
    let running = Stored::in_force(&seen.children).and_then(|stored| stored.config);
    let spec = seen.pipeline.as_ref().ok().map(|pipeline| &pipeline.spec);
    let declared = running.map(|config| config.pipeline.spec.source.topic.partitions);
    let declared = declared.or(spec.map(|spec| spec.source.topic.partitions)).unwrap_or(1);
    // Partitions that are still to be added have no worker yet.
    let found = outside.topics.as_ref().and_then(|topics| topics.as_ref().ok()?.first()?.as_ref());
    let partitions = found.map_or(declared, |topic| topic.partitions.min(declared));
    let wanted = spec.map_or(0, |spec| if spec.suspend { 0 } else { spec.workers.replicas as i32 });
    Picture { now, seen, outside, valid: None, invalid: None, decision: None, deeds: None, wanted, partitions }
}

/// A finalizer only while something outside of Kubernetes would have to be deleted.
async fn finalizer<W: World>(world: &W, seen: &Seen) -> Result<(), ClusterError> {
    let Ok(pipeline) = &seen.pipeline else { return Ok(()) };
    let mut finalizers = pipeline.metadata.finalizers.clone().unwrap_or_default();
    let has = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    match (pipeline.spec.deletion_policy, has) {
        (DeletionPolicy::Delete, false) => finalizers.push(FINALIZER.to_owned()),
        (DeletionPolicy::Retain, true) => finalizers.retain(|finalizer| finalizer != FINALIZER),
        _ => return Ok(()),
    }
    world.set_finalizers(&seen.object, &finalizers).await
}

/// Topics that are about to be created are written down before: after a crash between the two it would not be known whose
/// they are.
async fn remember_topics<W: World>(world: &W, seen: &mut Seen, decision: &Decision) -> Result<(), ClusterError> {
    let known = &seen.status.created_topics;
    let new = decision.topic_steps.iter().filter_map(|step| match step {
        TopicStep::Create(topic) if !known.contains(&topic.name) => Some(topic.name.clone()),
        _ => None,
    });
    let new: Vec<String> = new.collect();
    if new.is_empty() {
        return Ok(());
    }
    seen.status.created_topics.extend(new);
    world.write_status(&seen.object, &seen.status).await
}

/// Writes the status if there is something to say, and tells what happened. Whether all is quiet.
async fn tell<W: World>(
    world: &W,
    remembered: &mut Remembered,
    picture: &Picture<'_>,
    deeds: Option<&Deeds>,
) -> Result<bool, ClusterError> {
    let seen = picture.seen;
    remembered.pace = remembered.pace.after(picture);
    let new = status::status(picture, &remembered.pace);
    let quiet = is_quiet(&new);
    let mut happenings = deeds.map(|deeds| deeds.happenings.clone()).unwrap_or_default();
    happenings.extend(status::changes(&seen.status, &new));
    let to_write = status::to_write(&seen.status, new, remembered.written, picture.now);
    if to_write.is_some() || !happenings.is_empty() || remembered.stirred.is_none() {
        remembered.stirred = Some(picture.now);
    }
    if let Some(new) = to_write {
        world.write_status(&seen.object, &new).await?;
        remembered.written = Some(picture.now);
    }
    for happening in &happenings {
        tracing::info!(
            pipeline = seen.identity.name,
            namespace = seen.identity.namespace,
            reason = happening.reason.as_str(),
            note = happening.note,
            "happened"
        );
        // An event that cannot be told is no reason to stop.
        if let Err(error @ ClusterError::Refuse { .. }) = world.tell(&seen.object, happening).await {
            tracing::warn!(%error, "an event was refused");
        }
    }
    Ok(quiet && deeds.is_none_or(|deeds| !deeds.changed()))
}

/// Whether nothing is on its way or about to be known. What waits for a person is looked at no more often than what runs.
fn is_quiet(status: &AnalyticsPipelineStatus) -> bool {
    let is = |kind| status::find(status, kind).is_some_and(|condition| condition.status == ConditionStatus::True);
    let runs = is(ConditionType::Ready) && !is(ConditionType::Reconciling);
    runs || is(ConditionType::Stalled)
}

#[cfg(test)]
mod tests;

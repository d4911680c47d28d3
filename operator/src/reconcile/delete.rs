//! The end of a pipeline with `deletionPolicy: Delete`: workers first, then the topics that the operator created and their
//! subject, then the finalizer.
//!
//! Guarantee: the finalizer is gone when the deadline is over, whatever is away; what is left then is told in an event. With
//! `Retain` there is no finalizer and nothing to do here: Kubernetes collects the objects, topics and volumes stay.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use schemas::spec::{DeletionPolicy, Register};
use schemas::status::EventReason;

use super::observe::Seen;
use super::validate::Valid;
use super::{Again, Settings};
use crate::names::FINALIZER;
use crate::world::{ClusterError, Dependents, Happening, Kind, World};

/// One pass over a pipeline that is being deleted.
pub(super) async fn delete<W: World>(
    world: &W,
    settings: &Settings,
    seen: &Seen,
    valid: Option<&Valid>,
) -> Result<Again, ClusterError> {
    let finalizers = seen.object.0.pointer("/metadata/finalizers").and_then(|list| list.as_array());
    let finalizers: Vec<String> =
        finalizers.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(None);
    }
    let deletes = !seen.pipeline.as_ref().is_ok_and(|pipeline| pipeline.spec.deletion_policy == DeletionPolicy::Retain);
    let left = if deletes { remove(world, seen, valid).await? } else { Vec::new() };
    let since = seen.object.text("/metadata/deletionTimestamp").and_then(|text| text.parse::<Timestamp>().ok());
    let waited = since.map_or(0, |since| world.now() - since.as_millisecond());
    let gives_up = waited > settings.deletion_deadline.as_millis() as i64;
    if !left.is_empty() && !gives_up {
        tracing::info!(pipeline = seen.identity.name, left = left.join("; "), "deleting");
        return Ok(Some(Duration::from_secs(2)));
    }
    if !left.is_empty() {
        let note = format!("gave up after {} s: {}", waited / 1_000, left.join("; "));
        let happening = Happening { reason: EventReason::DeletionGaveUp, warning: true, note };
        // In a namespace that is going away no event can be made, which must not keep it.
        if let Err(error) = world.tell(&seen.object, &happening).await {
            tracing::warn!(%error, note = happening.note, "not told");
        }
    }
    let rest: Vec<String> = finalizers.into_iter().filter(|finalizer| finalizer != FINALIZER).collect();
    world.set_finalizers(&seen.object, &rest).await?;
    Ok(None)
}

/// Does what can be done now; what is left, in words.
async fn remove<W: World>(world: &W, seen: &Seen, valid: Option<&Valid>) -> Result<Vec<String>, ClusterError> {
    if let Some(set) = seen.stateful_set().filter(|set| !set.is_terminating()) {
        world.delete(Kind::StatefulSet, set, Dependents::Delete).await?;
    }
    if seen.stateful_set().is_some() || !seen.pods.is_empty() {
        return Ok(vec![format!("{} workers still run", seen.pods.len())]);
    }
    let created = &seen.status.created_topics;
    if created.is_empty() {
        return Ok(Vec::new());
    }
    let Some(valid) = valid else {
        return Ok(vec![format!("topics '{}': the manifest cannot be carried out", created.join("', '"))]);
    };
    let mut left = Vec::new();
    for topic in created {
        let Some(access) = &valid.kafka else {
            left.push(format!("topic '{topic}': {}", seen.secrets.missing_kafka().unwrap_or_default()));
            continue;
        };
        if let Err(error) = world.delete_topic(access, topic).await {
            left.push(format!("topic '{topic}': {error}"));
        }
    }
    // The subject goes with the topic whose records it describes, unless it is never ours.
    if created.contains(&valid.plan.source.topic) && valid.plan.source.register != Register::Never {
        let subject = &valid.plan.source.subject;
        let missing = || seen.secrets.missing_registry().unwrap_or_default().to_owned();
        let deleted = match &valid.registry {
            Some(access) => world.delete_subject(access, subject).await.map_err(|error| error.to_string()),
            None => Err(missing()),
        };
        left.extend(deleted.err().map(|error| format!("subject '{subject}': {error}")));
    }
    Ok(left)
}

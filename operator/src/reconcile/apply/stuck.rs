//! Pods of an old template that will never come up: they go, so that their successors can start.
//!
//! Kubernetes replaces pods one after the other and waits for each; a pod that is stuck with settings that have been corrected
//! since would be waited for for ever.

use schemas::status::{EventReason, Reason};

use super::Deeds;
use crate::reconcile::observe::{Pod, Seen};
use crate::world::{ClusterError, Dependents, Kind, World};

/// The pods to delete. None before the stateful set's controller has seen its present template.
pub fn stuck(seen: &Seen) -> Vec<&Pod> {
    let Some(set) = seen.stateful_set() else { return Vec::new() };
    let Some(current) = set.text("/status/updateRevision") else { return Vec::new() };
    if set.number("/status/observedGeneration") != set.generation() {
        return Vec::new();
    }
    let is_stuck = |pod: &&Pod| {
        let troubled = matches!(
            pod.trouble,
            Some((
                Reason::ImageUnavailable
                    | Reason::PodUnschedulable
                    | Reason::WorkerCrashing
                    | Reason::SecretMissing
                    | Reason::PodRefused,
                _
            ))
        );
        troubled && pod.ours && !pod.ready && pod.template().is_some_and(|template| template != current)
    };
    seen.pods.iter().filter(is_stuck).collect()
}

/// Deletes them.
pub async fn replace<W: World>(world: &W, seen: &Seen, deeds: &mut Deeds) -> Result<(), ClusterError> {
    for pod in stuck(seen) {
        let why = pod.trouble.as_ref().map(|(_, words)| words.as_str()).unwrap_or_default();
        match world.delete(Kind::Pod, &pod.object, Dependents::Delete).await {
            Ok(()) => deeds.tell(EventReason::PodReplaced, format!("pod '{}' was stuck: {why}", pod.name())),
            Err(error @ ClusterError::Refuse { .. }) => tracing::warn!(pod = pod.name(), %error, "not replaced"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

//! Kubernetes' own words about what it could not do: a pod that was refused, a claim that gets no volume.
//!
//! Kept true: events are asked for only about what is missing, and ever less often the longer it is missing: the API server
//! searches all events of the namespace for them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Seen;
use crate::world::{ClusterError, World};

/// Pauses between two questions about the same object, milliseconds.
const PAUSE_MS: (i64, i64) = (5_000, 300_000);

/// What was answered lately, by the object's uid.
#[derive(Debug, Default)]
pub struct Asked(Mutex<HashMap<String, Answer>>);

#[derive(Debug, Clone)]
struct Answer {
    words: Option<String>,
    again_at: i64,
    pause: i64,
}

/// Kubernetes' words about what it could not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    /// About pods that do not exist.
    pub pods: Option<String>,
    /// About a claim without a volume, or one that does not grow.
    pub claims: Option<String>,
}

impl Asked {
    /// Nothing is wrong with that object, or it is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    async fn about<W: World>(&self, world: &W, namespace: &str, uid: &str) -> Result<Option<String>, ClusterError> {
        let now = world.now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned();
        if let Some(known) = known.as_ref().filter(|known| now < known.again_at) {
            return Ok(known.words.clone());
        }
        let words = world.warnings(namespace, uid).await?.pop();
        let pause = known.map_or(PAUSE_MS.0, |known| (known.pause * 2).min(PAUSE_MS.1));
        let answer = Answer { words: words.clone(), again_at: now + pause, pause };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), answer);
        Ok(words)
    }
}

/// Asks why, where something is missing.
pub(super) async fn warnings<W: World>(world: &W, asked: &Asked, seen: &Seen) -> Result<Warnings, ClusterError> {
    let namespace = &seen.identity.namespace;
    let mut warnings = Warnings::default();
    if let Some(set) = seen.stateful_set() {
        if set.number("/spec/replicas") > Some(seen.pods.len() as i64) {
            warnings.pods = asked.about(world, namespace, set.uid()).await?;
        } else {
            asked.forget(set.uid());
        }
    }
    let is_wanting = |claim: &&super::Claim| !claim.bound || claim.requested != claim.capacity;
    seen.claims.iter().filter(|claim| !is_wanting(claim)).for_each(|claim| asked.forget(claim.object.uid()));
    if let Some(claim) = seen.claims.iter().find(is_wanting) {
        warnings.claims = asked.about(world, namespace, claim.object.uid()).await?;
    }
    Ok(warnings)
}

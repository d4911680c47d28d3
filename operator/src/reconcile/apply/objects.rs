//! Makes the pipeline's objects what they should be: create, repair, prune.
//!
//! Order: what a pod needs before the pods (account, configuration, name), so that a first start does not fail for what comes
//! a moment later. An object that is refused does not keep the others back, except that workers wait for their
//! configuration. An object of that name that is somebody else's is never touched.

use schemas::status::{EventReason, Reason};

use super::{Deeds, Refusal, Tolerated};
use crate::reconcile::build;
use crate::reconcile::observe::Seen;
use crate::world::{ClusterError, Dependents, Kind, Object, World};

/// Applies what is not as wanted, then prunes.
pub async fn objects<W: World>(
    world: &W,
    seen: &Seen,
    wanted: &[(Kind, Object)],
    tolerated: &Tolerated,
    deeds: &mut Deeds,
) -> Result<(), ClusterError> {
    let mut without_config = false;
    for (kind, object) in wanted {
        if *kind == Kind::StatefulSet && without_config {
            continue;
        }
        match one(world, seen, *kind, object, tolerated, deeds).await {
            Ok(()) => {}
            Err(error @ ClusterError::Refuse { .. }) => {
                without_config |= matches!(kind, Kind::ConfigMap | Kind::ServiceAccount);
                deeds.refuse(*kind, object.name(), &error);
            }
            Err(error) => return Err(error),
        }
    }
    prune(world, seen, wanted, tolerated, deeds).await
}

async fn one<W: World>(
    world: &W,
    seen: &Seen,
    kind: Kind,
    wanted: &Object,
    tolerated: &Tolerated,
    deeds: &mut Deeds,
) -> Result<(), ClusterError> {
    let name = wanted.name();
    let Some(live) = seen.child(kind, name) else {
        return create(world, seen, kind, wanted, tolerated, deeds).await;
    };
    if live.is_terminating() || !tolerated.is_drift(wanted, live) {
        return Ok(());
    }
    let was_ours = live.annotation(crate::names::DIGEST) == wanted.annotation(crate::names::DIGEST);
    let applied = world.apply(kind, wanted).await?;
    tolerated.answered(wanted, &applied);
    let scaled = kind == Kind::StatefulSet && live.number("/spec/replicas") != wanted.number("/spec/replicas");
    if scaled && !was_ours {
        let (from, to) = (live.number("/spec/replicas"), wanted.number("/spec/replicas"));
        let words = format!("workers from {} to {}", from.unwrap_or_default(), to.unwrap_or_default());
        deeds.tell(EventReason::Scaled, words);
    } else {
        let reason = if was_ours { EventReason::DriftRepaired } else { EventReason::Updated };
        deeds.tell(reason, format!("{} '{name}'", kind.as_str()));
    }
    Ok(())
}

async fn create<W: World>(
    world: &W,
    seen: &Seen,
    kind: Kind,
    wanted: &Object,
    tolerated: &Tolerated,
    deeds: &mut Deeds,
) -> Result<(), ClusterError> {
    let name = wanted.name();
    let created = match world.create(kind, wanted).await {
        Err(error) if error.exists_already() => {
            let existing = world.get(kind, wanted.namespace(), name).await?;
            if !existing.is_some_and(|object| object.is_controlled_by(&seen.identity.uid)) {
                let (reason, message) = build::refused(kind, name);
                deeds.refusals.push(Refusal { reason, message });
                return Ok(());
            }
            // Ours, but its labels were taken away.
            world.apply(kind, wanted).await?
        }
        answer => answer?,
    };
    tolerated.answered(wanted, &created);
    deeds.tell(EventReason::Created, format!("{} '{name}'", kind.as_str()));
    Ok(())
}

async fn prune<W: World>(
    world: &W,
    seen: &Seen,
    wanted: &[(Kind, Object)],
    tolerated: &Tolerated,
    deeds: &mut Deeds,
) -> Result<(), ClusterError> {
    let orphans = seen.children.iter().filter(|(kind, object)| build::is_orphan(seen, wanted, *kind, object));
    for (kind, object) in orphans {
        match world.delete(*kind, object, Dependents::Delete).await {
            Ok(()) => {
                tolerated.forget(object.uid());
                deeds.tell(EventReason::Pruned, format!("{} '{}'", kind.as_str(), object.name()));
            }
            Err(error @ ClusterError::Refuse { .. }) => deeds.refuse(*kind, object.name(), &error),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Deeds {
    fn refuse(&mut self, kind: Kind, name: &str, error: &ClusterError) {
        let words = error.refusal().unwrap_or_default();
        let message = format!("{} '{name}': {words}", kind.as_str());
        self.refusals.push(Refusal { reason: Reason::ApplyRefused, message });
    }
}

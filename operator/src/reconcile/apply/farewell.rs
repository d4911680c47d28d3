//! Tells workers that are to be taken away that they do not come back.
//!
//! A worker that stops keeps its place in its consumer group, so that a restart keeps its partitions. One that is scaled away
//! must give it up, or nobody reads its partitions until its session is over. Whom the word does not reach leaves that late.

use crate::reconcile::observe::{Pod, Seen};
use crate::world::World;

/// Says it to the workers above the number of `replicas` that are wanted, where fewer are wanted than there are. When none is wanted
/// nobody waits for their partitions.
pub(super) async fn farewell<W: World>(world: &W, seen: &Seen, replicas: i32) {
    let now = seen.stateful_set().and_then(|set| set.number("/spec/replicas")).unwrap_or_default();
    if replicas == 0 || now <= i64::from(replicas) {
        return;
    }
    for pod in seen
        .pods
        .iter()
        .filter(|pod| pod.running && pod.ours && ordinal(pod).is_some_and(|ordinal| ordinal >= replicas))
    {
        let Some(ip) = &pod.ip else { continue };
        if let Err(error) = world.farewell(ip).await {
            tracing::info!(pod = pod.name(), %error, "could not be told that it is taken away: its session must end first");
        }
    }
}

fn ordinal(pod: &Pod) -> Option<i32> {
    pod.name().rsplit_once('-')?.1.parse().ok()
}

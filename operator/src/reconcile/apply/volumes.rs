//! Volumes that grow: first the claims, then the stateful set, whose claim template cannot be changed.
//!
//! Kept true: neither step waits for healthy pods, because a full disk is why volumes grow; the stateful set goes without its
//! pods, which the next one takes over.

use schemas::status::EventReason;

use super::Deeds;
use crate::names;
use crate::reconcile::observe::Seen;
use crate::reconcile::quantity::Bytes;
use crate::reconcile::validate::Valid;
use crate::world::{ClusterError, Dependents, Kind, Object, World};

/// The size to write into the stateful set: the wanted one, or the old one when claims may not grow.
///
/// The stateful set is deleted (its pods stay) when its size is another; `seen` then no longer has it.
pub async fn volumes<W: World>(
    world: &W,
    seen: &mut Seen,
    valid: &Valid,
    deeds: &mut Deeds,
) -> Result<String, ClusterError> {
    let wanted = valid.spec.workers.storage.size.clone();
    let known = seen.stateful_set().and_then(template_size).map(str::to_owned);
    let known = known.filter(|size| size.parse::<Bytes>() != Ok(valid.volume));
    let mut grown = Vec::new();
    for claim in &seen.claims {
        let requested = claim.requested.as_deref().and_then(|size| size.parse::<Bytes>().ok());
        if requested.is_none_or(|size| size >= valid.volume) || claim.object.is_terminating() {
            continue;
        }
        match world.grow_claim(&seen.identity.namespace, claim.object.name(), &wanted).await {
            Ok(()) => grown.push(format!("'{}'", claim.object.name())),
            Err(error @ ClusterError::Refuse { .. }) => {
                let words = error.refusal().unwrap_or_default();
                deeds.volume_refusal = Some(format!("claim '{}' does not grow: {words}", claim.object.name()));
                return Ok(known.unwrap_or(wanted));
            }
            Err(error) => return Err(error),
        }
    }
    if !grown.is_empty() {
        deeds.tell(EventReason::VolumeGrown, format!("claims {} to {wanted}", grown.join(", ")));
    }
    if known.is_some()
        && let Some(set) = seen.stateful_set().cloned()
    {
        world.delete(Kind::StatefulSet, &set, Dependents::Orphan).await?;
        seen.children.retain(|(kind, object)| *kind != Kind::StatefulSet || object.uid() != set.uid());
    }
    Ok(wanted)
}

fn template_size(set: &Object) -> Option<&str> {
    let templates = set.0.pointer("/spec/volumeClaimTemplates")?.as_array()?;
    let template = templates.iter().find(|template| template["metadata"]["name"] == names::VOLUME)?;
    template["spec"]["resources"]["requests"]["storage"].as_str()
}

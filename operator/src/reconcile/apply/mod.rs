//! Makes the world as it was decided, and says what was done and what was refused.
//!
//! Kept true: every write can be repeated, so a crash between any two of them is put right by the next pass.

mod differences;
mod farewell;
mod objects;
mod outside;
mod stuck;
mod volumes;

use schemas::status::{EventReason, Reason};

use super::build::{self, Defaults};
use super::observe::Seen;
use super::plan::Decision;
use super::validate::Valid;
use crate::world::{BrokerError, ClusterError, Happening, RegistryError, World};

pub use differences::Tolerated;

/// What was done and refused.
#[derive(Debug, Default)]
pub struct Deeds {
    /// What to tell.
    pub happenings: Vec<Happening>,
    /// Objects that were refused.
    pub refusals: Vec<Refusal>,
    /// Why volumes do not grow.
    pub volume_refusal: Option<String>,
    /// Topics that were refused.
    pub topic_errors: Vec<BrokerError>,
    /// Why the schema is not registered.
    pub schema_error: Option<RegistryError>,
    /// The schema's id, if it was registered now.
    pub schema_id: Option<u32>,
}

/// An object that the API server, or good manners, did not let be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In one word.
    pub reason: Reason,
    /// In the words of who refused.
    pub message: String,
}

impl Deeds {
    fn tell(&mut self, reason: EventReason, note: String) {
        match self.happenings.iter_mut().find(|happening| happening.reason == reason) {
            // One event says all of one kind.
            Some(happening) => {
                happening.note.push_str(", ");
                happening.note.push_str(&note);
            }
            None => self.happenings.push(Happening { reason, warning: false, note }),
        }
    }

    /// Whether anything was changed, so that another look is due soon.
    pub fn changed(&self) -> bool {
        !self.happenings.is_empty()
    }
}

/// Does everything. An error means that the API server is away or the lease is lost: the rest is for the next pass.
pub async fn apply<W: World>(
    world: &W,
    seen: &mut Seen,
    valid: &Valid,
    decision: &Decision,
    defaults: &Defaults,
    tolerated: &Tolerated,
) -> Result<Deeds, ClusterError> {
    let mut deeds = Deeds::default();
    outside::topics(world, valid, decision, &mut deeds).await;
    outside::subject(world, valid, decision, &mut deeds).await;
    if decision.config.is_some() {
        let volume = volumes::volumes(world, seen, valid, &mut deeds).await?;
        let wanted = build::build(seen, valid, decision, defaults, &volume);
        farewell::farewell(world, seen, decision.replicas).await;
        objects::objects(world, seen, &wanted, tolerated, &mut deeds).await?;
        stuck::replace(world, seen, &mut deeds).await?;
    }
    if decision.changes_meaning
        && let Some((config, _, _)) = &decision.config
    {
        let revision = config.pipeline.spec.revision;
        let from = config.epochs.previous.as_ref().map(|previous| schemas::status::Time::from_millis(previous.until));
        let words = from.map_or_else(|| "all windows".to_owned(), |from| format!("windows from {from}"));
        deeds.tell(EventReason::RevisionChanged, format!("revision {revision} applies to {words}"));
    }
    Ok(deeds)
}

//! A change of the pipeline's meaning: from which window on, who knows of it, and how far each partition has come with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stream_core::{EventTime, Offset};
use worker::meaning::Previous;
use worker::progress::CommittedProgress;

use super::World;
use crate::sim::domain::Domain;

/// The meaning before, and the one that the pipeline has now.
pub const MEANINGS: usize = 2;

/// A change that has been decided on.
#[derive(Debug)]
pub struct Revised {
    /// The new meaning.
    pub domain: Arc<Domain>,
    /// The one before, as workers of the new one are told of it.
    pub previous: Arc<Previous>,
    /// The workers whose processes are started with the new meaning.
    pub slots: BTreeSet<usize>,
    /// Outputs at which something of the new meaning has arrived: there no publisher of the one before goes on.
    pub begun: BTreeSet<usize>,
    /// Where each partition's owner first knew of the change.
    pub since: BTreeMap<i32, Offset>,
    /// Where each partition began to be read in both meanings.
    pub entered: BTreeMap<i32, Offset>,
    /// Partitions on which the meaning before is over.
    pub over: BTreeSet<i32>,
}

impl Revised {
    /// Start of the first window of the new meaning.
    pub fn until(&self) -> EventTime {
        self.previous.change.until
    }
}

impl World {
    /// Whether a change of meaning is on its way.
    pub fn is_changing(&self) -> bool {
        self.revised.as_ref().is_some_and(|revised| revised.over.len() < self.sources.len())
    }

    /// The meaning that processes of worker `slot` are started with, and the one before if they are told of it.
    pub fn meaning(&self, slot: usize) -> (Arc<Domain>, Option<Arc<Previous>>) {
        match &self.revised {
            Some(revised) if revised.slots.contains(&slot) => (revised.domain.clone(), Some(revised.previous.clone())),
            _ => (self.domain.clone(), None),
        }
    }

    /// Whether windows that start there have the new meaning.
    pub fn is_new(&self, start: i64) -> bool {
        self.revised.as_ref().is_some_and(|revised| revised.until().0 <= start)
    }

    /// The event times that must not have been read before something of the new meaning has arrived everywhere: the operator sees to it
    /// that workers of the meaning before have ended before they come so far.
    pub fn withheld(&self) -> Option<i64> {
        let revised = self.revised.as_ref()?;
        (revised.begun.len() < self.outputs.len()).then(|| revised.until().0)
    }

    /// Notes what a commit says of the change. Where it was first known never moves.
    pub(super) fn note_change(&mut self, partition: i32, before: Option<&CommittedProgress>, now: &CommittedProgress) {
        let Some(revised) = &mut self.revised else { return };
        let was_changing = before.is_some_and(|before| before.before.is_some());
        let Some(leaving) = &now.before else {
            if now.revision == Some(revised.domain.plan.revision) && revised.over.insert(partition) && was_changing {
                self.tally.count("change: the meaning before was over on a partition");
            }
            return;
        };
        revised.entered.entry(partition).or_insert(leaving.progress.position);
        let since = *revised.since.entry(partition).or_insert(leaving.since);
        if since != leaving.since || revised.over.contains(&partition) {
            self.broken
                .push(format!("L5: partition {partition} changes its meaning at {since} and again: {leaving:?}"));
        }
        let taken_over = before.is_some_and(|before| before.progress.incarnation < now.progress.incarnation);
        self.tally.count(match (was_changing, taken_over) {
            (false, _) => "change: a partition began the new meaning beside the one before",
            (true, true) => "recovery: a partition was taken over in the middle of a change",
            (true, false) => "change: a commit held two meanings",
        });
    }
}

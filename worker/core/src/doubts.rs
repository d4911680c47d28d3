//! What a collector knows of records that source partitions have lost: which windows may lack something, and of whom.
//!
//! What it keeps true: whether a window is named depends on the seals that close it alone, not on when it is looked at; so a
//! restart names the same ones. What a partition had sealed before it went on without something stands, for it was made of everything.

use crate::collect::Message;
use crate::emission::Seal;
use crate::loss::Loss;
use crate::units::{EventTime, Offset, Partition};
use crate::window::Window;

/// A loss as far as a partition's seals have told of it: its `until` is the end of the windows that they named, and it is over once a
/// seal names it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// The source partition.
    pub partition: Partition,
    /// What it lost. Windows that end by its `after` had been sealed before it went on.
    pub loss: Loss,
    /// The incarnation that went on.
    pub incarnation: u64,
    /// The message that told of it first. While a restart would take it in again the doubt is kept: the seals known then are later ones.
    pub at: Offset,
}

/// Records that a source partition had lost, and that a window may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The source partition.
    pub partition: Partition,
    /// The first record that was needed.
    pub from: Offset,
    /// The first that was there.
    pub to: Offset,
}

/// The losses that may still concern windows to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubts(Vec<Doubt>);

impl Doubts {
    pub(crate) fn of(doubts: &[Doubt]) -> Self {
        Self(doubts.to_vec())
    }

    pub(crate) fn all(&self) -> &[Doubt] {
        &self.0
    }

    /// The incarnation of `from` goes on after a loss, or tells of one again; `sealed` is its partition's seal. Windows that end by the
    /// time that is returned had been sealed before.
    pub(crate) fn begin(&mut self, from: Message, sealed: EventTime, loss: &Loss) -> EventTime {
        let known = self.0.iter().find(|doubt| doubt.is_of(from.partition, loss));
        let after = known.map_or(loss.after.max(sealed), |doubt| doubt.loss.after);
        if known.is_none() {
            let loss = Loss { after, until: None, over: false, ..*loss };
            self.0.push(Doubt { partition: from.partition, loss, incarnation: from.incarnation, at: from.at });
        }
        after
    }

    /// A partition's seal names those that concern the windows that it closes.
    pub(crate) fn seal(&mut self, from: Message, sealed: EventTime, seal: &Seal) {
        let partition = from.partition;
        for loss in &seal.lost {
            self.begin(from, sealed, loss);
            let told = self.0.iter_mut().filter(|doubt| doubt.is_of(partition, loss));
            told.for_each(|doubt| doubt.loss.until = doubt.loss.until.max(loss.until));
        }
        let named = |doubt: &Doubt| seal.lost.iter().any(|loss| doubt.is_of(partition, loss));
        for doubt in &mut self.0 {
            let is_behind = doubt.partition == partition && seal.after >= doubt.loss.after;
            doubt.loss.over |= is_behind && !named(doubt);
        }
    }

    /// Whether `window` had been sealed by the partition of `from` before that owner or an earlier one went on without something.
    pub(crate) fn stands(&self, from: Message, window: Window) -> bool {
        let went_on = |doubt: &&Doubt| doubt.partition == from.partition && from.incarnation >= doubt.incarnation;
        self.0.iter().filter(went_on).any(|doubt| window.end <= doubt.loss.after)
    }

    /// What `window`, which all partitions have sealed, may lack; by partition.
    pub(crate) fn named(&self, window: Window) -> Vec<Lost> {
        let told = |doubt: &&Doubt| doubt.loss.until.is_some() && doubt.loss.concerns(window);
        let lost = |Doubt { partition, loss, .. }: &Doubt| Lost { partition: *partition, from: loss.from, to: loss.to };
        let mut named: Vec<Lost> = self.0.iter().filter(told).map(lost).collect();
        named.sort_unstable();
        named
    }

    /// Forgets what concerns windows up to `published` only, and was told before `anchor`.
    pub(crate) fn forget(&mut self, published: EventTime, anchor: Offset) {
        self.0.retain(|Doubt { loss, at, .. }| {
            let concerned = loss.until.unwrap_or(loss.after).max(loss.after);
            !loss.over || concerned > published || *at >= anchor
        });
    }
}

impl Doubt {
    fn is_of(&self, partition: Partition, loss: &Loss) -> bool {
        self.partition == partition && (self.loss.from, self.loss.to) == (loss.from, loss.to)
    }
}

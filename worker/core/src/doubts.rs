//! What a collector knows of records that source partitions have lost: which windows may lack something, and of whom.
//!
//! What it keeps true: whether a window may lack something is decided by the seal that first takes its partition past the window's end,
//! the seals before that one and what it names, and by nothing else. So it follows from the partials log alone, wherever a publisher began to
//! read and whenever it looked: a message is taken in here once in the log's life, and what is known is committed with the position behind
//! it. Messages that a restart takes in again leave it as it is; those before the first telling of a loss are told from those behind it by
//! their offset. What a partition had sealed before it went on without something stands, for it was made of everything.

use crate::emission::Seal;
use crate::loss::Loss;
use crate::message::Message;
use crate::units::{EventTime, Offset, Partition};
use crate::window::Window;

/// A loss as far as a partition's messages have told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// What was lost.
    pub lost: Lost,
    /// The message that told of it first.
    pub at: Offset,
    /// Windows that end by then had been sealed before that message: what follows on it tells nothing of them.
    pub after: EventTime,
    /// Windows that end later and start before this may lack something, as far as seals have closed them; no less than `after`.
    pub until: EventTime,
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

/// The losses that concern windows to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubts(Vec<Doubt>);

impl Doubts {
    pub(crate) fn of(doubts: &[Doubt]) -> Self {
        Self(doubts.to_vec())
    }

    pub(crate) fn all(&self) -> &[Doubt] {
        &self.0
    }

    /// `from`, which is taken in for the first time, tells that its partition, sealed up to `sealed` before it, goes on after a loss.
    pub(crate) fn tell(&mut self, from: Message, sealed: EventTime, loss: &Loss) {
        let after = loss.after.max(sealed);
        self.extend(from, after, after, loss);
    }

    /// A partition's seal, which is taken in for the first time, names what the windows may lack that it is the first to close: those
    /// that end behind `sealed`.
    pub(crate) fn seal(&mut self, from: Message, sealed: EventTime, seal: &Seal) {
        for loss in &seal.lost {
            let after = loss.after.max(sealed);
            self.extend(from, after, loss.until.map_or(after, |until| until.max(after)), loss);
        }
    }

    /// Windows that end after `after` and start before `until` may lack `loss`.
    fn extend(&mut self, from: Message, after: EventTime, until: EventTime, loss: &Loss) {
        let stretch = Lost { partition: from.partition, from: loss.from, to: loss.to };
        // What was closed meanwhile without a word of the loss is whole, and stays so.
        match self.0.iter_mut().find(|doubt| doubt.lost == stretch && doubt.until >= after) {
            Some(known) => known.until = known.until.max(until),
            None => self.0.push(Doubt { lost: stretch, at: from.at, after, until }),
        }
    }

    /// Whether `window` had been sealed by the partition of `from` before that owner or an earlier one went on without something.
    pub(crate) fn stands(&self, from: Message, window: Window) -> bool {
        let is_behind = |doubt: &&Doubt| doubt.lost.partition == from.partition && doubt.at <= from.at;
        self.0.iter().filter(is_behind).any(|doubt| window.end <= doubt.after)
    }

    /// What `window`, which all partitions have sealed, may lack; by partition.
    pub(crate) fn named(&self, window: Window) -> Vec<Lost> {
        let concerns = |doubt: &&Doubt| window.end > doubt.after && window.start < doubt.until;
        let mut named: Vec<Lost> = self.0.iter().filter(concerns).map(|doubt| doubt.lost).collect();
        named.sort_unstable();
        named
    }

    /// Forgets what concerns windows up to `published` only. Nothing is taken in for those any more.
    pub(crate) fn forget(&mut self, published: EventTime) {
        self.0.retain(|doubt| doubt.until > published);
    }
}

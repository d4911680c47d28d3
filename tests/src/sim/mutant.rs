//! Laws broken on purpose, each in one place, to see that the simulation finds it.
//!
//! Those here stand between production code and the world: what was decided rightly is done wrongly. Those inside of the
//! core are switched on by the feature `mutants`.

use std::sync::Arc;

use schemas::wire::{Content, Record, SealBody, Sender};
use stream_core::{Change, EventTime, Point};
use worker::ingest::effects::Commit;
use worker::meaning::Previous;
use worker::progress::{decode, encode};

/// Which law is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Commits do not wait for acknowledgements.
    CommitBeforeAck,
    /// A commit does not hold the decrees.
    ForgetDecree,
    /// A replay begins at the commit.
    WrongAnchor,
    /// No fence is ever seen.
    IgnoreFence,
    /// One partition's seal counts for all.
    PublishWithoutSeals,
    /// What was reached before a partition was lost is committed when it is back.
    CommitWhatWasLost,
    /// The last window before a change of meaning is taken with the new one.
    ChangeTooEarly,
    /// A commit does not hold the meaning before.
    ForgetMeaningBefore,
    /// Nobody is told what a log has lost.
    HideLoss,
}

/// What a process is told of the meaning before instead of `previous`.
pub fn previous(mutant: Option<Mutant>, previous: Arc<Previous>) -> Arc<Previous> {
    if mutant != Some(Mutant::ChangeTooEarly) {
        return previous;
    }
    let Change { before, beside, until } = &*previous.change;
    let until = EventTime(until.0 - beside.windows.size);
    let change = Change { before: before.clone(), beside: beside.clone(), until };
    Arc::new(Previous { plan: previous.plan.clone(), change: Arc::new(change) })
}

/// What is committed instead of `commit`.
pub fn commit(mutant: Option<Mutant>, commit: &Commit) -> Commit {
    let Some(Ok(mut committed)) = mutant.map(|_| decode(commit.position, &commit.metadata)) else {
        return commit.clone();
    };
    let progress = &mut committed.progress;
    match mutant {
        Some(Mutant::ForgetMeaningBefore) => {
            committed.before = None;
            progress.position = commit.position;
        }
        Some(Mutant::ForgetDecree) => progress.decrees.clear(),
        Some(Mutant::WrongAnchor) => {
            let (offset, watermark) = (progress.position, progress.watermark);
            progress.anchor = Point { offset, watermark, batch: None, ..progress.anchor };
        }
        _ => return commit.clone(),
    }
    Commit { position: commit.position, metadata: encode(&committed) }
}

/// What is sent instead of `record`.
pub fn sent(mutant: Option<Mutant>, record: &Record, partitions: usize) -> Vec<Record> {
    match (mutant, &record.content) {
        (Some(Mutant::IgnoreFence), Content::Fence) | (Some(Mutant::HideLoss), Content::Loss(_)) => Vec::new(),
        (Some(Mutant::HideLoss), Content::Seal(seal)) => {
            let body = SealBody { lost: Vec::new(), ..seal.clone() };
            vec![Record { from: record.from, content: Content::Seal(body) }]
        }
        (Some(Mutant::PublishWithoutSeals), Content::Seal(seal)) => {
            let forged = |partition: i32| {
                let body = SealBody { closed: Vec::new(), ..seal.clone() };
                let from = Sender { partition, incarnation: u64::MAX, ..record.from };
                Record { from, content: Content::Seal(body) }
            };
            std::iter::once(record.clone()).chain((0..partitions as i32).map(forged)).collect()
        }
        _ => vec![record.clone()],
    }
}

//! The end of a bounded run: when all partitions are read, every window that is open anywhere is closed, unless the run is to
//! leave them open.
//!
//! Each worker decides alone and alike, from the committed Progress of all partitions: the target is the end of the last
//! window that holds a judged-valid record, a fact of the log and the end offsets.

use std::collections::BTreeMap;

use stream_core::{EventTime, Progress, Targets, Windows};

use super::Shared;
use crate::progress::CommittedProgress;

/// What is to be done.
pub enum Step {
    /// Nothing yet.
    Wait,
    /// All lanes decree this watermark.
    Order(Targets),
    /// Every partition is drained and its last commit is made.
    Done,
}

/// The state of the drain.
pub struct Drain {
    ends: BTreeMap<i32, i64>,
    ordered: Option<Targets>,
}

impl Drain {
    /// A drain of partitions that end there.
    pub fn new(ends: BTreeMap<i32, i64>) -> Self {
        Self { ends, ordered: None }
    }

    /// Looks at the committed Progress of all partitions.
    pub fn look(&mut self, shared: &Shared) -> Step {
        let Some(committed) = self.committed(shared) else { return Step::Wait };
        let read = self.ends.iter().zip(&committed).all(|((_, end), committed)| committed.position().0 >= *end);
        if !read {
            return Step::Wait;
        }
        if shared.settings.leaves_open {
            return Step::Done;
        }
        let latest = committed.iter().map(latest).max().unwrap_or(EventTime::NEVER);
        let before = shared.previous.as_ref().map_or(&shared.program, |previous| &previous.change.before);
        let target = Targets { before: end(&before.windows, latest), now: end(&shared.program.windows, latest) };
        let drained = |committed: &CommittedProgress| {
            let before = committed.before.as_ref().map(|before| &before.progress);
            is_drained(&committed.progress, target.now) && before.is_none_or(|it| is_drained(it, target.before))
        };
        if committed.iter().all(drained) {
            return Step::Done;
        }
        if self.ordered == Some(target) {
            return Step::Wait;
        }
        self.ordered = Some(target);
        Step::Order(target)
    }

    /// The Progress of each partition, when all have one. A broker that does not answer is asked again.
    fn committed(&self, shared: &Shared) -> Option<Vec<CommittedProgress>> {
        let partitions: Vec<i32> = self.ends.keys().copied().collect();
        let committed = shared.committed(&partitions).ok()?;
        committed.into_iter().collect()
    }
}

/// Whether a meaning has closed everything up to its target.
///
/// A watermark that had been decreed so far before says nothing of the records behind: their batch is still open. The anchor is at
/// the position when nothing is.
fn is_drained(progress: &Progress, target: EventTime) -> bool {
    progress.watermark >= target && progress.anchor.offset == progress.position && !progress.decree_pending
}

/// The largest event time of a judged-valid record, in either meaning.
fn latest(committed: &CommittedProgress) -> EventTime {
    committed.first().latest.max(committed.progress.latest)
}

/// The end of the last window that holds a judged-valid record; without any, the least time above "never".
fn end(windows: &Windows, latest: EventTime) -> EventTime {
    if latest == EventTime::NEVER { EventTime(i64::MIN + 1) } else { windows.of(latest).end }
}

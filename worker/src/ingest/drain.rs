//! The end of a bounded run: when all partitions are read, every window that is open anywhere is closed.
//!
//! Each worker decides alone and alike, from the committed Progress of all partitions: the target is the end of the last
//! window that holds a judged-valid record, a fact of the log and the end offsets.

use std::collections::BTreeMap;

use stream_core::{EventTime, Progress, Windows};

use super::Shared;

/// What is to be done.
pub enum Step {
    /// Nothing yet.
    Wait,
    /// All lanes decree this watermark.
    Order(EventTime),
    /// Every partition is drained and its last commit is made.
    Done,
}

/// The state of the drain.
pub struct Drain {
    ends: BTreeMap<i32, i64>,
    ordered: Option<EventTime>,
}

impl Drain {
    /// A drain of partitions that end there.
    pub fn new(ends: BTreeMap<i32, i64>) -> Self {
        Self { ends, ordered: None }
    }

    /// Looks at the committed Progress of all partitions.
    pub fn look(&mut self, shared: &Shared) -> Step {
        let Some(committed) = self.committed(shared) else { return Step::Wait };
        let read = self.ends.iter().zip(&committed).all(|((_, end), progress)| progress.position.0 >= *end);
        if !read {
            return Step::Wait;
        }
        let target = target(&shared.program.windows, &committed);
        // A watermark that had been decreed so far before says nothing of the records behind: their batch is still open. The anchor is
        // at the position when nothing is.
        let is_closed = |progress: &Progress| progress.anchor.offset == progress.position;
        let drained =
            |progress: &Progress| progress.watermark >= target && is_closed(progress) && !progress.decree_pending;
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
    fn committed(&self, shared: &Shared) -> Option<Vec<Progress>> {
        let partitions: Vec<i32> = self.ends.keys().copied().collect();
        let committed = shared.committed(&partitions).ok()?;
        committed.into_iter().map(|committed| committed.map(|committed| committed.progress)).collect()
    }
}

/// The end of the last window that holds a judged-valid record; without any, the least time above "never".
fn target(windows: &Windows, committed: &[Progress]) -> EventTime {
    let latest = committed.iter().map(|progress| progress.latest).max().unwrap_or(EventTime::NEVER);
    if latest == EventTime::NEVER { EventTime(i64::MIN + 1) } else { windows.of(latest).end }
}

//! The replay theorem: from where a partition must be read again so that everything from a commit on is right.
//!
//! `A(o)` is the first remembered offset among the windows open at `o`, or `o`. Verdicts at or after `o` are right when
//! replayed from `A(o)`; the state at a commit `c` needs right verdicts from `A(c)` on, hence `A(A(c))`, and those of the
//! open batch from its start `b`, hence `A(b)`. The anchor is the smaller of the two.

use std::collections::{BTreeMap, BTreeSet};

use super::{Batch, Groups, History, Window};

/// A position to read from, and what held there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The first offset to read.
    pub offset: i64,
    /// The watermark before it; `None` is −∞.
    pub watermark: Option<i64>,
    /// The log time of the record before it.
    pub log_time: Option<i64>,
}

/// How far back a commit must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildPoint {
    /// `A(c)`: from here the verdicts at or after the commit come out right.
    pub for_verdicts: i64,
    /// `A(A(c))`: from here the open windows of the commit come out right.
    pub for_windows: i64,
    /// `A(b)`: from here the open batch comes out right; the commit itself when no batch is open.
    pub for_batch: i64,
    /// The smaller of `for_windows` and `for_batch`, with what held there.
    pub anchor: Anchor,
}

/// Everything that a partition carries at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The next offset to read.
    pub position: i64,
    /// `None` is −∞.
    pub watermark: Option<i64>,
    /// The log time of the last record.
    pub log_time: Option<i64>,
    /// The watermark rounded down to a window boundary.
    pub sealed_until: Option<i64>,
    /// The open windows.
    pub open: BTreeMap<Window, OpenWindow>,
    /// The open batch up to its last record so far.
    pub batch: Option<Batch>,
    /// From where this state can be rebuilt.
    pub rebuild: RebuildPoint,
}

/// A window from its first remembered record until the watermark reaches its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// The first remembered offset.
    pub first: i64,
    /// The remembered ids.
    pub ids: BTreeSet<String>,
    /// The counted records, folded.
    pub groups: Groups,
}

impl History {
    /// `A(offset)`
    pub fn first_open(&self, offset: i64) -> i64 {
        self.remembered_at(offset).map(|(entry, _)| entry.record.offset).min().unwrap_or(offset)
    }

    /// What a commit at `offset` must name so that its state can be rebuilt.
    pub fn rebuild_point(&self, offset: i64) -> RebuildPoint {
        let for_verdicts = self.first_open(offset);
        let for_windows = self.first_open(for_verdicts);
        let batch_start = self.until(offset).open_batch().map_or(offset, |batch| batch.first);
        let for_batch = self.first_open(batch_start);
        let anchor = self.anchor_at(for_windows.min(for_batch));
        RebuildPoint { for_verdicts, for_windows, for_batch, anchor }
    }

    /// Position `offset` with what holds there.
    pub fn anchor_at(&self, offset: i64) -> Anchor {
        Anchor { offset, watermark: self.watermark(offset), log_time: self.log_time(offset) }
    }

    /// What a partition carries at position `offset`, decrees at it included.
    pub fn state(&self, offset: i64) -> State {
        let watermark = self.watermark(offset);
        let mut open: BTreeMap<Window, OpenWindow> = BTreeMap::new();
        for (entry, window) in self.remembered_at(offset) {
            let first = entry.record.offset;
            let id = entry.record.decodable.as_ref().and_then(|event| event.id.clone());
            let fresh = || OpenWindow { first, ids: BTreeSet::new(), groups: self.groups(window, offset) };
            open.entry(window).or_insert_with(fresh).ids.extend(id);
        }
        State {
            position: offset,
            watermark,
            log_time: self.log_time(offset),
            sealed_until: watermark.map(|watermark| self.params.boundary(watermark)),
            open,
            batch: self.until(offset).open_batch(),
            rebuild: self.rebuild_point(offset),
        }
    }

    /// This history as it was known at position `offset`.
    #[must_use]
    pub fn until(&self, offset: i64) -> Self {
        let entries = self.before(offset).cloned().collect();
        let decrees = self.decrees.iter().copied().filter(|decree| decree.at <= offset).collect();
        Self { params: self.params.clone(), from: self.from, decrees, entries }
    }
}

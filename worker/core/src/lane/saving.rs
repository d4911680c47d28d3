//! What a checkpoint keeps of a lane, and a lane made of what a checkpoint kept.
//!
//! What is kept true: a restored lane is the lane that was saved, to the last field, so it goes on exactly as that one would
//! have. What is saved of a window is what is new since it was saved last.

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::{Lane, after};
use crate::batch::{BatchState, OpenBatch};
use crate::error::Error;
use crate::ids::IdSet;
use crate::open::OpenWindow;
use crate::program::Program;
use crate::progress::{BatchKey, Decree, History, Point, Progress};
use crate::units::{EventTime, LogTime, Offset};
use crate::window::Window;

/// Everything that a lane knows at its position, but for ids and aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// The next record to read.
    pub position: Offset,
    /// The watermark there.
    pub watermark: EventTime,
    /// The log time of the record before it.
    pub log_time: LogTime,
    /// The batch that was open before the first record of the open one.
    pub batch_before: Option<BatchKey>,
    /// The open batch.
    pub batch: Option<BatchState>,
    /// The decrees since the anchor.
    pub decrees: Vec<Decree>,
    /// What has made this state besides the log.
    pub history: History,
    /// The open windows, by start.
    pub windows: Vec<WindowState>,
}

/// An open window, but for its ids and aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    /// The window.
    pub window: Window,
    /// Its first remembered record.
    pub first: Point,
    /// `A` of that record.
    pub anchor: Point,
    /// Records counted.
    pub records: u64,
    /// Ids remembered.
    pub ids: u64,
}

/// What is new of an open window since it was saved last.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowChanges {
    /// The window.
    pub window: Window,
    /// Whether the ids are all there are; otherwise they come on top of those that were saved before.
    pub whole: bool,
    /// The same of the groups.
    pub whole_rows: bool,
    /// The ids, in no order.
    pub ids: Vec<u128>,
    /// The groups that changed with their states, as [`Program::partial_schema`] says. They replace earlier ones.
    pub rows: RecordBatch,
    /// How many groups the window has now.
    pub groups: usize,
}

/// What was saved of a window in all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WindowContent {
    /// The ids, in any order.
    pub ids: Vec<u128>,
    /// The groups' states, the later ones in the place of the earlier.
    pub rows: Vec<RecordBatch>,
}

impl LaneState {
    /// The decrees that `progress` has made since this state, if this state lies on the way to `progress` and a replay from here is
    /// shorter than one from the anchor.
    fn decrees_until(&self, progress: &Progress) -> Option<Vec<Decree>> {
        let is_new = |decree: &&Decree| {
            decree.at > self.position || (decree.at == self.position && !self.decrees.contains(decree))
        };
        let since: Vec<Decree> = progress.decrees.iter().filter(is_new).copied().collect();
        let history = since.iter().fold(self.history, History::with);
        #[cfg(feature = "mutants")]
        if crate::mutants::is(crate::mutants::Mutant::StaleCheckpoint) {
            return (self.position <= progress.position).then_some(since);
        }
        let on_the_way = progress.anchor.offset < self.position && self.position <= progress.position;
        // A decree whose emissions may not have been sent must still be ahead, to send them.
        let unsent_ahead = !progress.decree_pending || since.last() == progress.decrees.last();
        (on_the_way && unsent_ahead && history == progress.history).then_some(since)
    }

    /// Whether a lane with `progress` can be made of it by reading on from its position.
    pub fn leads_to(&self, program: &Program, progress: &Progress) -> bool {
        self.decrees_until(progress).is_some()
            && self.batch.as_ref().is_none_or(|batch| batch.fits(program))
            && self.windows.is_sorted_by(|a, b| a.window.end <= b.window.start)
    }
}

impl Lane {
    /// What a checkpoint keeps besides the windows' content. Nothing while a replay or an unsent decree is on the way.
    pub fn state(&self) -> Option<LaneState> {
        let settled = !self.is_replaying() && self.to_apply.is_empty();
        settled.then(|| LaneState {
            position: self.position,
            watermark: self.watermark,
            log_time: self.last_log_time,
            batch_before: self.batch_before,
            batch: self.batch.as_ref().map(OpenBatch::state),
            decrees: self.decrees.clone(),
            history: self.history,
            windows: self.windows.iter().map(OpenWindow::state).collect(),
        })
    }

    /// What is new of each open window since the last call; of a window that is new, and after [`Self::save_anew`], all of it. Where
    /// `rows_anew` says so, all groups are given again.
    pub fn changes(&mut self, rows_anew: impl Fn(&Window) -> bool) -> Result<Vec<WindowChanges>, Error> {
        let mut changes = Vec::new();
        for open in self.windows.iter_mut() {
            let (ids, whole) = open.save_ids();
            let whole_rows = whole || rows_anew(&open.window);
            let rows = self.fold.save(open, whole_rows, &self.groups)?;
            let (window, groups) = (open.window, open.groups().count());
            changes.push(WindowChanges { window, whole, whole_rows, ids, rows, groups });
        }
        Ok(changes)
    }

    /// What was saved is not to be built upon any more: the next changes are whole.
    pub fn save_anew(&mut self) {
        self.windows.iter_mut().for_each(|open| open.set_saved(false));
    }

    /// How many ids the next changes would add to those that were saved.
    pub fn unsaved_ids(&self) -> usize {
        self.windows.iter().map(OpenWindow::unsaved).sum()
    }

    /// A lane that reads on from a saved state, in silence up to the position of `progress`. The state must lead to it, and
    /// `contents` hold what was saved of each of its windows, in their order.
    pub fn resume_at(
        program: Arc<Program>,
        progress: &Progress,
        state: LaneState,
        contents: Vec<WindowContent>,
    ) -> Result<Self, Error> {
        let to_apply = state.decrees_until(progress).unwrap_or_default();
        let mut lane = Self::resume(program, progress)?;
        // The commit says which decrees count: one before its anchor is part of the anchor, and of two at one position the earlier
        // stays for as long as the later is not sent.
        lane.decrees = progress.decrees.iter().filter(|decree| !to_apply.contains(decree)).copied().collect();
        lane.position = state.position;
        lane.watermark = state.watermark;
        lane.sealed = lane.program.windows.floor(state.watermark);
        lane.next_seal = after(lane.sealed, lane.program.windows.size);
        lane.last_log_time = state.log_time;
        lane.batch_before = state.batch_before;
        lane.batch = state.batch.map(|batch| OpenBatch::of_state(&lane.program, batch));
        lane.to_apply = to_apply.into();
        lane.history = state.history;
        for (window, content) in state.windows.into_iter().zip(contents) {
            let mut open = OpenWindow::new(window.window, window.first, window.anchor);
            open.records = window.records;
            open.ids = IdSet::of(content.ids);
            open.set_saved(true);
            for rows in &content.rows {
                lane.fold.restore(&mut open, rows, &lane.program, &mut lane.groups)?;
            }
            lane.fold.save(&open, false, &lane.groups)?;
            lane.windows.restore(open);
        }
        Ok(lane)
    }
}

impl OpenWindow {
    fn state(&self) -> WindowState {
        let (window, first, anchor, records) = (self.window, self.first, self.anchor, self.records);
        WindowState { window, first, anchor, records, ids: self.ids.len() as u64 }
    }
}

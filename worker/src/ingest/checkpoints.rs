//! When a partition's checkpoints are taken, and what is told of them.

use std::time::Duration;

use schemas::report::CheckpointReport;
use stream_core::{History, Lane, Offset};

use super::effects::Now;
use crate::checkpoint::{Keeper, Saved};
use crate::status::Status;

/// So many ids that no checkpoint has are kept twice in memory; then one is taken early.
const MOST_UNSAVED: usize = 1 << 19;

/// The checkpoints of a partition in this worker's hands.
pub(super) struct Checkpoints {
    keeper: Keeper,
    /// When one was last tried.
    tried: u64,
    last: Option<(Saved, i64)>,
    /// What the last one held, so that nothing is written twice.
    kept: Option<(Offset, History)>,
}

impl Checkpoints {
    pub(super) fn new(keeper: Keeper, now: Now) -> Self {
        Self { keeper, tried: now.ticks, last: None, kept: None }
    }

    pub(super) fn is_due(&self, lane: &Lane, interval: Duration, now: Now) -> bool {
        now.ticks >= self.tried + interval.as_millis() as u64 || lane.unsaved_ids() >= MOST_UNSAVED
    }

    /// Takes a checkpoint. What does not fit on the volume is told, and costs time after a restart.
    pub(super) fn save(&mut self, partition: i32, lane: &mut Lane, status: &Status, now: Now) {
        let progress = lane.progress();
        let held = Some((progress.position, progress.history));
        if held == self.kept {
            return;
        }
        let task = format!("checkpoint of partition {partition}");
        self.tried = now.ticks;
        match self.keeper.save(lane) {
            Ok(None) => {}
            Ok(Some(saved)) => {
                (self.last, self.kept) = (Some((saved, now.wall)), held);
                status.recovered(&task);
            }
            Err(error) => {
                let message = format!("{error}; going on without, a restart replays more of the log");
                status.trouble(&task, error.reason(), message);
            }
        }
    }

    pub(super) fn report(&self) -> Option<CheckpointReport> {
        let (saved, at) = self.last?;
        Some(CheckpointReport { position: saved.position.0, at, written: saved.written, bytes: saved.held })
    }
}

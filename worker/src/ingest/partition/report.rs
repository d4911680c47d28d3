//! What a partition tells of itself.

use schemas::report::{PartitionReport, RefusalReport, WindowReport};
use stream_core::{EventTime, Loss};

use super::{Owned, program};
use crate::ingest::Shared;
use crate::ingest::checkpoints::Checkpoints;
use crate::wire::{ledger, loss_report, refusal_body};

impl Owned {
    /// What the log has lost, of the meaning that the pipeline has and of the one before.
    pub(in crate::ingest) fn losses(&self) -> (&[Loss], &[Loss]) {
        let before = self.lanes.has_before().then(|| self.lanes.first().losses());
        (self.lanes.now().losses(), before.unwrap_or_default())
    }

    /// The seals of the same.
    pub(in crate::ingest) fn sealed(&self) -> (EventTime, EventTime) {
        (self.lanes.now().sealed(), self.lanes.first().sealed())
    }

    /// Why records of the open batch were refused.
    fn refusals(&self, shared: &Shared) -> Vec<RefusalReport> {
        let program = program(shared, self.lanes.has_before());
        let bodies = self.lanes.first().open_refusals().iter().map(|refusal| refusal_body(program, refusal));
        bodies.map(|body| body.report(self.partition)).collect()
    }

    /// What is known of the partition.
    pub(in crate::ingest) fn report(&self, shared: &Shared) -> PartitionReport {
        let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
        let lane = self.lanes.first();
        let windows = lane.open_windows();
        PartitionReport {
            partition: self.partition,
            position: self.lanes.position().0,
            committed: self.committed.position().0,
            end: None,
            replaying: self.lanes.is_replaying(),
            began_at: self.began_at.0,
            from_checkpoint: self.from_checkpoint,
            replay_until: self.lanes.is_replaying().then_some(self.committed.position().0),
            idle: self.idle_at == Some(self.lanes.position()),
            checkpoint: self.checkpoints.as_ref().and_then(Checkpoints::report),
            watermark: time(lane.watermark()),
            latest: time(lane.latest().max(self.lanes.now().latest())),
            sealed: time(lane.sealed()),
            windows: windows
                .map(|(start, ids, bytes)| WindowReport { start: start.0, ids: ids as u64, bytes: bytes as u64 })
                .collect(),
            ledger: ledger(&self.lanes.verdicts()),
            stands_before: self.standstill().map(|(_, halt)| halt.offset.0),
            refusals: self.refusals(shared),
            losses: lane.losses().iter().map(loss_report).collect(),
        }
    }
}

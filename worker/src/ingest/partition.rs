//! One source partition that this worker owns: what is read, judged and sent, and what is committed when.
//!
//! What it keeps true: nothing is committed before everything that it implies is acknowledged; a decree is committed before
//! anything that it implies is sent; a record that cannot be judged now (registry away) is waited for, never skipped.

mod emit;
mod report;

use std::time::Duration;

use stream_core::{BeforeProgress, Halt, Lanes, Offset, Progress, Targets};

use super::checkpoints::Checkpoints;
use super::effects::{Commit, Now, Read, Reader, Records};
use super::{IngestError, Shared, standstill};
use crate::checkpoint::Keeper;
use crate::progress::{CommittedProgress, encode};
use crate::source::SourceError;
pub(super) use emit::fence;
use emit::program;

/// Before a commit that cannot be left for later is tried again.
const COMMIT_PAUSE: Duration = Duration::from_millis(200);

/// A partition in this worker's hands.
pub struct Owned {
    pub(super) partition: i32,
    reader: Box<dyn Reader>,
    lanes: Lanes,
    checkpoints: Option<Checkpoints>,
    committed: CommittedProgress,
    /// Where a bounded run ends.
    until: Offset,
    /// Where reading began, and whether that was at a checkpoint.
    began_at: Offset,
    pub(super) from_checkpoint: bool,
    drained: bool,
    /// The position at which nothing was left to be read for as long as makes a partition idle.
    idle_at: Option<Offset>,
    /// The record before which its lane stands; true where that is the lane of the meaning before.
    halt: Option<(bool, Halt)>,
    resting: bool,
    /// When the last record was read.
    pub(super) quiet_since: u64,
}

impl Owned {
    /// Begins to read where `lanes` stand, which leads to `committed`.
    pub(super) fn start(
        shared: &Shared,
        (partition, tenure): (i32, u64),
        committed: CommittedProgress,
        lanes: Lanes,
        keeper: Option<Keeper>,
        now: Now,
    ) -> Result<Self, IngestError> {
        let until = shared.settings.ends.as_ref().map_or(i64::MAX, |ends| ends.get(&partition).copied().unwrap_or(0));
        Ok(Self {
            partition,
            reader: shared.broker.open(partition, tenure, &lanes.next_point(), lanes.has_before())?,
            began_at: lanes.position(),
            from_checkpoint: false,
            lanes,
            checkpoints: keeper.map(|keeper| Checkpoints::new(keeper, now)),
            committed,
            until: Offset(until),
            drained: false,
            idle_at: None,
            halt: None,
            resting: false,
            quiet_since: now.ticks,
        })
    }

    /// Sends what a committed decree implies, if its sender did not live to send it and no replay will come to it.
    pub(super) fn resend_decree(&mut self, shared: &Shared) -> Result<(), IngestError> {
        let (end, pending) = (self.lanes.position(), self.committed.progress.decree_pending);
        if pending && end == self.committed.position() {
            let records = Records::none(&shared.plan.arrow_schema);
            let before = shared.previous.as_ref().map(|previous| Records::none(&previous.plan.arrow_schema));
            self.feed(shared, &Read { records, before, end })?;
        }
        Ok(())
    }

    /// Reads, judges, folds and emits one fetch; whether there was one.
    pub fn step(&mut self, shared: &Shared, now: Now) -> Result<bool, IngestError> {
        self.resting = self.stands_still(shared) || self.at_end();
        if self.resting {
            return Ok(false);
        }
        let position = self.lanes.position();
        let read = self.reader.read(position, self.until)?;
        if read.count() > 0 || read.end > position {
            self.feed(shared, &read)?;
        }
        if read.count() > 0 || self.lanes.is_replaying() {
            self.quiet_since = now.ticks;
        }
        Ok(read.count() > 0)
    }

    /// Whether a bounded run has read all of this partition.
    pub fn at_end(&self) -> bool {
        self.lanes.position() >= self.until
    }

    /// Whether its last step had nothing to do, and the next will not either.
    pub fn is_resting(&self) -> bool {
        self.resting || self.at_end()
    }

    /// Whether a person has to decide before it goes on; says so.
    fn stands_still(&self, shared: &Shared) -> bool {
        let standstill = self.standstill();
        let standstill = standstill
            .map(|(is_before, halt)| standstill::of(shared, self.partition, program(shared, is_before), halt));
        standstill::tell(shared, self.partition, standstill.as_ref());
        standstill.is_some()
    }

    /// Where it stands until a person decides.
    fn standstill(&self) -> Option<(bool, Halt)> {
        self.halt.or_else(|| self.lanes.runaway()).filter(|_| !self.lanes.is_replaying())
    }

    fn feed(&mut self, shared: &Shared, read: &Read) -> Result<(), IngestError> {
        let before = read.before.as_ref().map(|before| before.fetch(read.end));
        let said = self.lanes.feed(&read.records.fetch(read.end), before.as_ref())?;
        self.halt = said.halt();
        self.emit(shared, &said)
    }

    /// Whether there is something to commit.
    pub fn is_dirty(&self) -> bool {
        !self.lanes.is_replaying() && self.reached(self.lanes.progress()) != self.committed
    }

    /// What is to be committed when `progress` has been reached.
    fn reached(&self, (progress, before): (Progress, Option<BeforeProgress>)) -> CommittedProgress {
        let idle = self.idle_at == Some(progress.position);
        CommittedProgress { progress, idle, before, ..self.committed.clone() }
    }

    /// The middle of a cut: keeps on the volume what has been reached, when it is time or when the worker is `closing`. Without room the worker goes
    /// on without.
    pub(super) fn checkpoint(&mut self, shared: &Shared, now: Now, closing: bool) {
        if let (Some(checkpoints), Some(lane)) = (&mut self.checkpoints, self.lanes.alone())
            && (closing || checkpoints.is_due(lane, shared.settings.checkpoint_interval, now))
        {
            checkpoints.save(self.partition, lane, &shared.status, now);
        }
    }

    /// The last part of a cut: commits what has been reached. Everything emitted must have been acknowledged.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<(), IngestError> {
        if !self.is_dirty() {
            return Ok(());
        }
        let reached = self.reached(self.lanes.progress());
        self.commit_reached(shared, &reached)?;
        self.committed = reached;
        Ok(())
    }

    /// Decrees the end of a bounded run, once this partition has been read: the decree is committed before its seal is sent.
    pub fn drain(&mut self, shared: &Shared, targets: Targets) -> Result<(), IngestError> {
        if self.drained || !self.at_end() || self.lanes.is_replaying() || self.standstill().is_some() {
            return Ok(());
        }
        self.decree(shared, targets)?;
        self.drained = true;
        Ok(())
    }

    /// Whether the broker, asked now, has nothing left to be read, and nothing that an open transaction holds back.
    pub(super) fn is_read(&self, shared: &Shared) -> Result<bool, IngestError> {
        let ends = shared.broker.ends(self.partition)?;
        let position = self.lanes.position();
        Ok(!self.lanes.is_replaying() && position == ends.stable && ends.stable == ends.high)
    }

    /// The partition is idle at its position, or it is not idle.
    pub(super) fn mark_idle(&mut self, idle: bool) {
        self.idle_at = idle.then(|| self.lanes.position());
    }

    /// Raises the watermark of an idle partition, if that closes anything and can be written down.
    pub(super) fn close_idle(&mut self, shared: &Shared, targets: Targets) -> Result<(), IngestError> {
        let closes_before = self.lanes.has_before() && targets.before > self.lanes.first().sealed();
        let closes = closes_before || targets.now > self.lanes.now().sealed();
        if !self.committed.idle || self.idle_at != Some(self.lanes.position()) || !closes {
            return Ok(());
        }
        let task = format!("decrees of partition {}", self.partition);
        if !self.reached(self.lanes.progress()).has_room() {
            let message = "too many decrees since the anchor; it is raised again when older windows close".to_owned();
            shared.status.trouble(&task, "IdleHeld", message);
            return Ok(());
        }
        shared.status.recovered(&task);
        tracing::info!(partition = self.partition, watermark = targets.now.0, "idle: the watermark is decreed");
        self.decree(shared, targets)
    }

    /// Raises the watermarks to `targets`.
    fn decree(&mut self, shared: &Shared, targets: Targets) -> Result<(), IngestError> {
        let decreed = self.lanes.decree(targets)?;
        // What was emitted before must have arrived: the commit implies it.
        shared.broker.flush()?;
        let reached = self.reached(decreed.progress);
        self.commit_surely(shared, &reached)?;
        self.committed = reached;
        self.emit(shared, &decreed.said)?;
        shared.broker.flush()?;
        // If it is not written down now, the next cut does it.
        match self.commit(shared) {
            Err(error) if error.retry() => Ok(()),
            committed => committed,
        }
    }

    /// Commits `reached`, unless the partition was lost since it was taken over, even if it has come back: then another worker
    /// may have committed more.
    fn commit_reached(&self, shared: &Shared, reached: &CommittedProgress) -> Result<(), IngestError> {
        if !self.reader.owns() {
            return Err(SourceError::Own { partition: self.partition }.into());
        }
        commit(shared, self.partition, reached)
    }

    /// Commits `reached`, however long the broker is away.
    fn commit_surely(&self, shared: &Shared, reached: &CommittedProgress) -> Result<(), IngestError> {
        loop {
            match self.commit_reached(shared, reached) {
                Err(error) if error.retry() => shared.status.trouble("commit", error.reason(), error.to_string()),
                committed => {
                    shared.status.recovered("commit");
                    return committed;
                }
            }
            if shared.stop.wait(COMMIT_PAUSE) {
                return Err(IngestError::Stopped);
            }
        }
    }
}

/// Commits `reached`, unless something was refused of what was sent before.
pub(super) fn commit(shared: &Shared, partition: i32, reached: &CommittedProgress) -> Result<(), IngestError> {
    shared.broker.arrived(partition)?;
    shared.broker.commit(partition, &Commit { position: reached.position(), metadata: encode(reached) })
}

//! One source partition that this worker owns: what is read, judged and sent, and what is committed when.
//!
//! What it keeps true: nothing is committed before everything that it implies is acknowledged; a decree is committed before
//! anything that it implies is sent; a record that cannot be judged now (registry away) is waited for, never skipped.

use std::time::Duration;

use arrow::array::RecordBatch;
use schemas::report::{PartitionReport, WindowReport};
use schemas::wire::{Content, Record as WireRecord, Sender};
use stream_core::{Emission, Emissions, EventTime, Fetch, Halt, Lane, Offset, Progress};

use super::checkpoints::Checkpoints;
use super::effects::{Commit, Now, Read, Reader};
use super::{IngestError, Shared, standstill};
use crate::checkpoint::Keeper;
use crate::progress::{CommittedProgress, encode};
use crate::source::SourceError;
use crate::wire::{ledger, partial_content, report_body, seal_body};

/// Before a commit that cannot be left for later is tried again.
const COMMIT_PAUSE: Duration = Duration::from_millis(200);

/// A partition in this worker's hands.
pub struct Owned {
    pub(super) partition: i32,
    reader: Box<dyn Reader>,
    lane: Lane,
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
    /// The record before which a rule has stopped it.
    halt: Option<Halt>,
    resting: bool,
    /// When the last record was read.
    pub(super) quiet_since: u64,
}

impl Owned {
    /// Begins to read where `lane` stands, which leads to `committed`.
    pub(super) fn start(
        shared: &Shared,
        (partition, tenure): (i32, u64),
        committed: CommittedProgress,
        lane: Lane,
        keeper: Option<Keeper>,
        now: Now,
    ) -> Result<Self, IngestError> {
        let until = shared.settings.ends.as_ref().map_or(i64::MAX, |ends| ends.get(&partition).copied().unwrap_or(0));
        Ok(Self {
            partition,
            reader: shared.broker.open(partition, tenure, &lane.next_point())?,
            began_at: lane.position(),
            from_checkpoint: false,
            lane,
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
        let (position, pending) = (self.lane.position(), self.committed.progress.decree_pending);
        if pending && position == self.committed.progress.position {
            let rows = RecordBatch::new_empty(shared.plan.arrow_schema.clone());
            let (offsets, log_times, undecodable) = (Vec::new(), Vec::new(), Vec::new());
            self.feed(shared, &Read { rows, offsets, log_times, undecodable, end: position })?;
        }
        Ok(())
    }

    /// Reads, judges, folds and emits one fetch; whether there was one.
    pub fn step(&mut self, shared: &Shared, now: Now) -> Result<bool, IngestError> {
        self.resting = self.at_end() || self.stands_still(shared);
        if self.resting {
            return Ok(false);
        }
        let position = self.lane.position();
        let read = self.reader.read(position, self.until)?;
        if read.records() > 0 || read.end > position {
            self.feed(shared, &read)?;
        }
        if read.records() > 0 || self.lane.is_replaying() {
            self.quiet_since = now.ticks;
        }
        Ok(read.records() > 0)
    }

    /// Whether a bounded run has read all of this partition.
    pub fn at_end(&self) -> bool {
        self.lane.position() >= self.until
    }

    /// Whether its last step had nothing to do, and the next will not either.
    pub fn is_resting(&self) -> bool {
        self.resting || self.at_end()
    }

    /// Whether a person has to decide before it goes on; says so.
    fn stands_still(&self, shared: &Shared) -> bool {
        let standstill = if self.lane.is_replaying() {
            None
        } else {
            standstill::of(shared, self.partition, self.halt, self.lane.batch_verdicts())
        };
        standstill::tell(shared, self.partition, standstill.as_ref());
        standstill.is_some()
    }

    fn feed(&mut self, shared: &Shared, read: &Read) -> Result<(), IngestError> {
        let emissions = self.lane.feed(&Fetch {
            rows: &read.rows,
            offsets: &read.offsets,
            log_times: &read.log_times,
            undecodable: &read.undecodable,
            end: read.end,
        })?;
        self.halt = emissions.halt;
        self.emit(shared, &emissions)
    }

    /// Sends what the lane gave out; it is acknowledged only after a flush.
    fn emit(&self, shared: &Shared, emissions: &Emissions) -> Result<(), IngestError> {
        for refused in &emissions.refused {
            self.reader.dead_letter(&shared.program, refused)?;
        }
        for emission in &emissions.items {
            match emission {
                Emission::Partial(partial) => self.send(shared, partial.output, partial_content(partial)?)?,
                Emission::Seal(seal) => {
                    for output in 0..shared.plan.partials_partitions {
                        self.send(shared, output, Content::Seal(seal_body(seal, output)))?;
                    }
                }
                Emission::Report(report) => {
                    let output = self.partition as u32 % shared.plan.partials_partitions;
                    self.send(shared, output, Content::Report(report_body(report, &shared.plan)))?;
                }
            }
        }
        Ok(())
    }

    /// Tells publish that lower incarnations are void.
    pub(super) fn fence(&self, shared: &Shared) -> Result<(), IngestError> {
        (0..shared.plan.partials_partitions).try_for_each(|output| self.send(shared, output, Content::Fence))
    }

    fn send(&self, shared: &Shared, output: u32, content: Content) -> Result<(), IngestError> {
        let (partition, revision) = (self.partition, shared.plan.revision);
        let incarnation = self.committed.progress.incarnation;
        let record = WireRecord { from: Sender { partition, incarnation, revision }, content };
        shared.broker.send(output, &record)
    }

    /// Whether there is something to commit.
    pub fn is_dirty(&self) -> bool {
        !self.lane.is_replaying() && self.reached(self.lane.progress()) != self.committed
    }

    /// What is to be committed when `progress` has been reached.
    fn reached(&self, progress: Progress) -> CommittedProgress {
        let idle = self.idle_at == Some(progress.position);
        CommittedProgress { progress, idle, ..self.committed.clone() }
    }

    /// The middle of a cut: keeps on the volume what has been reached, when it is time or when the worker is `closing`. Without room the worker goes
    /// on without.
    pub(super) fn checkpoint(&mut self, shared: &Shared, now: Now, closing: bool) {
        if let Some(checkpoints) = &mut self.checkpoints
            && (closing || checkpoints.is_due(&self.lane, shared.settings.checkpoint_interval, now))
        {
            checkpoints.save(self.partition, &mut self.lane, &shared.status, now);
        }
    }

    /// The last part of a cut: commits what has been reached. Everything emitted must have been acknowledged.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<(), IngestError> {
        if !self.is_dirty() {
            return Ok(());
        }
        let reached = self.reached(self.lane.progress());
        self.commit_reached(shared, &reached)?;
        self.committed = reached;
        Ok(())
    }

    /// Decrees the end of a bounded run, once this partition has been read: the decree is committed before its seal is sent.
    pub fn drain(&mut self, shared: &Shared, target: EventTime) -> Result<(), IngestError> {
        if self.drained || !self.at_end() || self.lane.is_replaying() {
            return Ok(());
        }
        self.decree(shared, target)?;
        self.drained = true;
        Ok(())
    }

    /// Whether the broker, asked now, has nothing left to be read, and nothing that an open transaction holds back.
    pub(super) fn is_read(&self, shared: &Shared) -> Result<bool, IngestError> {
        let ends = shared.broker.ends(self.partition)?;
        let position = self.lane.position();
        Ok(!self.lane.is_replaying() && position == ends.stable && ends.stable == ends.high)
    }

    /// The partition is idle at its position, or it is not idle.
    pub(super) fn mark_idle(&mut self, idle: bool) {
        self.idle_at = idle.then(|| self.lane.position());
    }

    /// Raises the watermark of an idle partition, if that closes anything and can be written down.
    pub(super) fn close_idle(&mut self, shared: &Shared, target: EventTime) -> Result<(), IngestError> {
        if !self.committed.idle || self.idle_at != Some(self.lane.position()) || target <= self.lane.sealed() {
            return Ok(());
        }
        let task = format!("decrees of partition {}", self.partition);
        if !self.reached(self.lane.progress()).has_room() {
            let message = "too many decrees since the anchor; it is raised again when older windows close".to_owned();
            shared.status.trouble(&task, "IdleHeld", message);
            return Ok(());
        }
        shared.status.recovered(&task);
        tracing::info!(partition = self.partition, watermark = target.0, "idle: the watermark is decreed");
        self.decree(shared, target)
    }

    /// Raises the watermark to `target`.
    fn decree(&mut self, shared: &Shared, target: EventTime) -> Result<(), IngestError> {
        let decreed = self.lane.decree(target)?;
        // What was emitted before must have arrived: the commit implies it.
        shared.broker.flush()?;
        let reached = self.reached(decreed.progress);
        self.commit_surely(shared, &reached)?;
        self.committed = reached;
        self.emit(shared, &decreed.emissions)?;
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

    /// What is known of the partition.
    pub fn report(&self) -> PartitionReport {
        let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
        let windows = self.lane.open_windows();
        PartitionReport {
            partition: self.partition,
            position: self.lane.position().0,
            committed: self.committed.progress.position.0,
            end: None,
            replaying: self.lane.is_replaying(),
            began_at: self.began_at.0,
            from_checkpoint: self.from_checkpoint,
            replay_until: self.lane.is_replaying().then_some(self.committed.progress.position.0),
            idle: self.idle_at == Some(self.lane.position()),
            checkpoint: self.checkpoints.as_ref().and_then(Checkpoints::report),
            watermark: time(self.lane.watermark()),
            latest: time(self.lane.latest()),
            sealed: time(self.lane.sealed()),
            windows: windows
                .map(|(start, ids, bytes)| WindowReport { start: start.0, ids: ids as u64, bytes: bytes as u64 })
                .collect(),
            ledger: ledger(&self.lane.verdicts()),
        }
    }
}

/// Commits `reached`.
pub(super) fn commit(shared: &Shared, partition: i32, reached: &CommittedProgress) -> Result<(), IngestError> {
    shared.broker.commit(partition, &Commit { position: reached.progress.position, metadata: encode(reached) })
}

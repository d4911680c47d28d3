//! One source partition that this worker owns: what is read, judged and sent, and what is committed when.
//!
//! What it keeps true: nothing is committed before everything that it implies is acknowledged; a decree is committed before
//! anything that it implies is sent; a record that cannot be judged now (registry away) is waited for, never skipped.

use std::time::Duration;

use arrow::array::RecordBatch;
use schemas::report::{PartitionReport, WindowReport};
use schemas::wire::{Content, Record as WireRecord, Sender};
use stream_core::{Emission, Emissions, EventTime, Fetch, Halt, Lane, Offset, Progress};

use super::effects::{Commit, Read, Reader};
use super::{IngestError, Shared, standstill};
use crate::progress::{CommittedProgress, encode};
use crate::wire::{ledger, partial_content, report_body, seal_body};

/// Before a commit that cannot be left for later is tried again.
const COMMIT_PAUSE: Duration = Duration::from_millis(200);

/// A partition in this worker's hands.
pub struct Owned {
    pub(super) partition: i32,
    reader: Box<dyn Reader>,
    lane: Lane,
    committed: CommittedProgress,
    /// Where a bounded run ends.
    until: Offset,
    drained: bool,
    /// The record before which a rule has stopped it.
    halt: Option<Halt>,
    resting: bool,
    /// The position at which nothing was left to be read for as long as makes a partition idle.
    idle_at: Option<Offset>,
}

impl Owned {
    /// Begins to read at the anchor of `progress`, which is committed.
    pub(super) fn start(shared: &Shared, partition: i32, committed: CommittedProgress) -> Result<Self, IngestError> {
        let progress = &committed.progress;
        let until = shared.settings.ends.as_ref().map_or(i64::MAX, |ends| ends.get(&partition).copied().unwrap_or(0));
        Ok(Self {
            partition,
            reader: shared.broker.open(partition, &progress.anchor)?,
            lane: Lane::resume(shared.program.clone(), progress)?,
            committed,
            until: Offset(until),
            drained: false,
            halt: None,
            resting: false,
            idle_at: None,
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
    pub fn step(&mut self, shared: &Shared) -> Result<bool, IngestError> {
        self.resting = self.at_end() || self.stands_still(shared);
        if self.resting {
            return Ok(false);
        }
        let position = self.lane.position();
        let read = self.reader.read(position, self.until)?;
        if read.records() > 0 || read.end > position {
            self.feed(shared, &read)?;
        }
        Ok(read.records() > 0)
    }

    /// Whether a bounded run has read all of this partition.
    pub fn at_end(&self) -> bool {
        self.lane.position() >= self.until
    }

    /// Whether its last step had nothing to do, and the next will not either.
    pub(super) fn is_resting(&self) -> bool {
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

    /// The second half of a cut: commits what has been reached. Everything emitted must have been acknowledged.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<(), IngestError> {
        if !self.is_dirty() {
            return Ok(());
        }
        let reached = self.reached(self.lane.progress());
        commit(shared, self.partition, &reached)?;
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

    /// Raises the watermark to `target`.
    fn decree(&mut self, shared: &Shared, target: EventTime) -> Result<(), IngestError> {
        let decreed = self.lane.decree(target)?;
        // What was emitted before must have arrived: the commit implies it.
        shared.broker.flush()?;
        let reached = self.reached(decreed.progress);
        commit_surely(shared, self.partition, &reached)?;
        self.committed = reached;
        self.emit(shared, &decreed.emissions)?;
        shared.broker.flush()?;
        // If it is not written down now, the next cut does it.
        match self.commit(shared) {
            Err(error) if error.retry() => Ok(()),
            committed => committed,
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

/// Commits `reached`, however long the broker is away.
fn commit_surely(shared: &Shared, partition: i32, reached: &CommittedProgress) -> Result<(), IngestError> {
    loop {
        match commit(shared, partition, reached) {
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

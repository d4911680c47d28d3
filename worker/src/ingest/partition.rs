//! One source partition that this worker owns: what is read, judged and sent, and what is committed when.
//!
//! What it keeps true: nothing is committed before everything that it implies is acknowledged; a decree is committed before
//! anything that it implies is sent; a record that cannot be judged now (registry away) is waited for, never skipped.

use std::time::Duration;

use schemas::report::{PartitionReport, WindowReport};
use schemas::wire::{Content, Record as WireRecord, Sender};
use stream_core::{
    BeforeProgress, Emission, Emissions, EventTime, Halt, Lanes, Loss, Offset, Program, Progress, Said, Seal, Targets,
};

use super::checkpoints::Checkpoints;
use super::effects::{Commit, Now, Read, Reader, Records};
use super::{IngestError, Shared, loss, standstill};
use crate::checkpoint::Keeper;
use crate::meaning::Previous;
use crate::progress::{CommittedProgress, encode};
use crate::source::SourceError;
use crate::wire::{ledger, partial_content, report_body, seal_body};

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
    /// The record before which a rule has stopped it; true where that is one of the meaning before.
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
        self.resting = self.at_end() || self.stands_still(shared);
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
        let halt = self.halt.map(|(is_before, halt)| (program(shared, is_before), halt));
        let standstill = if self.lanes.is_replaying() {
            None
        } else {
            standstill::of(shared, self.partition, halt, self.lanes.first().batch_verdicts())
        };
        standstill::tell(shared, self.partition, standstill.as_ref());
        standstill.is_some()
    }

    fn feed(&mut self, shared: &Shared, read: &Read) -> Result<(), IngestError> {
        let before = read.before.as_ref().map(|before| before.fetch(read.end));
        let said = self.lanes.feed(&read.records.fetch(read.end), before.as_ref())?;
        self.halt = said.halt();
        self.emit(shared, &said)
    }

    /// Sends what the lanes gave out; it is acknowledged only after a flush.
    fn emit(&self, shared: &Shared, said: &Said) -> Result<(), IngestError> {
        self.emit_of(shared, &said.before, true)?;
        self.emit_of(shared, &said.now, false)
    }

    fn emit_of(&self, shared: &Shared, emissions: &Emissions, is_before: bool) -> Result<(), IngestError> {
        for refused in &emissions.refused {
            self.reader.dead_letter(program(shared, is_before), refused)?;
        }
        let plan = previous(shared, is_before).map_or(&shared.plan, |previous| &previous.plan);
        for emission in &emissions.items {
            match emission {
                Emission::Partial(partial) => {
                    self.send(shared, partial.output, plan.revision, partial_content(partial)?)?;
                }
                Emission::Seal(seal) => {
                    let seal = Seal { after: follows(shared, seal, is_before), ..seal.clone() };
                    for output in 0..plan.partials_partitions {
                        self.send(shared, output, plan.revision, Content::Seal(seal_body(&seal, output)))?;
                    }
                }
                Emission::Report(report) => {
                    let output = self.partition as u32 % plan.partials_partitions;
                    self.send(shared, output, plan.revision, Content::Report(report_body(report, plan)))?;
                }
            }
        }
        Ok(())
    }

    /// Tells publish that lower incarnations are void.
    pub(super) fn fence(&self, shared: &Shared) -> Result<(), IngestError> {
        let revision = shared.plan.revision;
        let before = shared.previous.as_ref().map_or(0, |previous| previous.plan.partials_partitions);
        let outputs = 0..shared.plan.partials_partitions.max(before);
        outputs.into_iter().try_for_each(|output| self.send(shared, output, revision, Content::Fence))
    }

    /// What the log has lost, of the meaning that the pipeline has and of the one before.
    pub(super) fn losses(&self) -> (&[Loss], &[Loss]) {
        let before = self.lanes.has_before().then(|| self.lanes.first().losses());
        (self.lanes.now().losses(), before.unwrap_or_default())
    }

    /// The seals of the same.
    pub(super) fn sealed(&self) -> (EventTime, EventTime) {
        (self.lanes.now().sealed(), self.lanes.first().sealed())
    }

    pub(super) fn send(
        &self,
        shared: &Shared,
        output: u32,
        revision: i64,
        content: Content,
    ) -> Result<(), IngestError> {
        let partition = self.partition;
        let incarnation = self.committed.progress.incarnation;
        let record = WireRecord { from: Sender { partition, incarnation, revision }, content };
        shared.broker.send(output, &record)
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
        if self.drained || !self.at_end() || self.lanes.is_replaying() {
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

    /// What is known of the partition.
    pub fn report(&self) -> PartitionReport {
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
            losses: lane.losses().iter().map(loss::report).collect(),
        }
    }
}

/// Commits `reached`.
pub(super) fn commit(shared: &Shared, partition: i32, reached: &CommittedProgress) -> Result<(), IngestError> {
    shared.broker.commit(partition, &Commit { position: reached.position(), metadata: encode(reached) })
}

/// The meaning before, if that is the one that is asked for.
fn previous(shared: &Shared, is_before: bool) -> Option<&Previous> {
    shared.previous.as_deref().filter(|_| is_before)
}

/// The seal that this one follows on. A meaning that began has nothing to tell of the windows before.
fn follows(shared: &Shared, seal: &Seal, is_before: bool) -> EventTime {
    let begun = shared.previous.as_ref().filter(|_| !is_before).map(|previous| previous.change.until);
    if begun.is_some_and(|begun| seal.after <= begun) { EventTime::NEVER } else { seal.after }
}

/// The program of the meaning before, or of the one that the pipeline has.
fn program(shared: &Shared, is_before: bool) -> &Program {
    previous(shared, is_before).map_or(&shared.program, |previous| &previous.change.before)
}

//! One source partition that this worker owns: its queue, its decoder's clock and its lane.
//!
//! What it keeps true: nothing is committed before everything that it implies is acknowledged; a record that cannot be
//! judged now (registry away) is waited for, never skipped.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use schemas::report::{PartitionReport, WindowReport};
use schemas::wire::{Content, Record as WireRecord, Sender};
use stream_core::{
    Emission, Emissions, EventTime, Fetch as CoreFetch, Halt, Lane, LogTime, Offset, Progress, Undecodable,
};

use super::refused::dead_letter;
use super::{IngestError, Shared, standstill};
use crate::decode::{DecodeError, Decoded, Decoder, LogClock};
use crate::progress::encode;
use crate::source::batch::{Fetch, FetchError, PartitionQueue, Record};
use crate::stop::Backoff;
use crate::wire::{ledger, partial_content, report_body, seal_body};

/// How long a read waits for a full fetch.
const READ_WAIT: Duration = Duration::from_millis(5);
/// How long a commit is tried before the lane goes on and tries again at its next cut.
const COMMIT_WAIT: Duration = Duration::from_secs(5);
/// Before a commit that cannot be left for later is tried again.
const COMMIT_PAUSE: Duration = Duration::from_millis(200);

/// A partition in this worker's hands.
pub(super) struct Owned {
    pub partition: i32,
    queue: PartitionQueue,
    fetch: Fetch,
    decoder: Decoder<Arc<dyn crate::decode::WriterSchemas + Send + Sync>>,
    clock: LogClock,
    lane: Lane,
    incarnation: u64,
    committed: Progress,
    /// Where a bounded run ends.
    until: i64,
    drained: bool,
    /// The record before which a rule has stopped it.
    halt: Option<Halt>,
    resting: bool,
}

impl Owned {
    /// Begins to read at the anchor of `progress`.
    pub(super) fn start(shared: &Shared, partition: i32, progress: Progress) -> Result<Self, IngestError> {
        let anchor = progress.anchor;
        let plan = &shared.plan;
        Ok(Self {
            partition,
            queue: shared.consumer.start(partition, anchor.offset.0)?,
            fetch: Fetch::with_capacity(shared.settings.fetch_records),
            decoder: Decoder::new(shared.schemas.clone(), &plan.reader_schema, plan.arrow_schema.clone()),
            clock: LogClock::resume(anchor.log_time.0.max(0)),
            lane: Lane::resume(shared.program.clone(), &progress)?,
            incarnation: progress.incarnation,
            committed: progress,
            until: shared.settings.ends.as_ref().map_or(i64::MAX, |ends| ends.get(&partition).copied().unwrap_or(0)),
            drained: false,
            halt: None,
            resting: false,
        })
    }

    /// Sends what a committed decree implies, if its sender did not live to send it and no replay will come to it.
    pub(super) fn resend_decree(&mut self, shared: &Shared) -> Result<(), IngestError> {
        let position = self.committed.position;
        if self.committed.decree_pending && self.committed.anchor.offset == position {
            self.feed(shared, &self.nothing(), position.0)?;
        }
        Ok(())
    }

    /// Reads, judges, folds and emits one fetch; whether there was one.
    pub(super) fn step(&mut self, shared: &Shared) -> Result<bool, IngestError> {
        self.resting = self.at_end() || self.stands_still(shared);
        if self.resting {
            return Ok(false);
        }
        self.queue.read(&mut self.fetch, READ_WAIT);
        let count = self.fetch.records().partition_point(|record| record.offset() < self.until);
        let mut end = self.fetch.records()[..count].last().map_or(self.lane.position().0, |last| last.offset() + 1);
        for error in self.fetch.errors() {
            match error {
                FetchError::PartitionEnd { offset, .. } => end = end.max((*offset).min(self.until)),
                error => shared.status.trouble(&self.task(), reason_of(error), error.to_string()),
            }
        }
        if count > 0 {
            shared.status.recovered(&self.task());
            let decoded = self.decode(shared, count)?;
            self.feed(shared, &decoded, end)?;
        } else if end > self.lane.position().0 {
            self.feed(shared, &self.nothing(), end)?;
        }
        Ok(count > 0)
    }

    /// Whether a bounded run has read all of this partition.
    pub(super) fn at_end(&self) -> bool {
        self.lane.position().0 >= self.until
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

    fn task(&self) -> String {
        format!("partition {}", self.partition)
    }

    fn nothing(&self) -> Decoded {
        let batch = RecordBatch::new_empty(self.decoder.schema());
        Decoded { batch, offsets: Vec::new(), log_times: Vec::new(), undecodable: Vec::new() }
    }

    /// Decodes the first `count` records of the fetch, waiting for the registry as long as it takes.
    fn decode(&mut self, shared: &Shared, count: usize) -> Result<Decoded, IngestError> {
        let mut backoff = Backoff::default();
        loop {
            match self.decoder.decode(&self.fetch.records()[..count], &mut self.clock) {
                Ok(decoded) => {
                    shared.status.recovered("registry");
                    return Ok(decoded);
                }
                Err(DecodeError::AskRegistry { id, source }) => {
                    shared.status.trouble("registry", "RegistryUnreachable", format!("schema {id}: {source}"));
                }
                Err(error) => return Err(error.into()),
            }
            if shared.stop.wait(backoff.next()) {
                return Err(IngestError::Stopped);
            }
        }
    }

    fn feed(&mut self, shared: &Shared, decoded: &Decoded, end: i64) -> Result<(), IngestError> {
        let undecodable: Vec<_> = decoded
            .undecodable
            .iter()
            .map(|bad| Undecodable {
                offset: Offset(bad.offset),
                log_time: LogTime(bad.log_time),
                reason: format!("{}: {}", bad.reason.code(), bad.reason),
            })
            .collect();
        let emissions = self.lane.feed(&CoreFetch {
            rows: &decoded.batch,
            offsets: &decoded.offsets,
            log_times: &decoded.log_times,
            undecodable: &undecodable,
            end: Offset(end),
        })?;
        self.halt = emissions.halt;
        self.emit(shared, &emissions)
    }

    /// Sends what the lane gave out; it is acknowledged only after a flush.
    fn emit(&self, shared: &Shared, emissions: &Emissions) -> Result<(), IngestError> {
        for refused in &emissions.refused {
            let records = self.fetch.records();
            let found = records.binary_search_by_key(&refused.offset.0, Record::offset);
            let record = &records[found.expect("a refused record is one of the fetch that was fed")];
            dead_letter(shared, self.partition, record, refused)?;
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
        let (partition, incarnation, revision) = (self.partition, self.incarnation, shared.plan.revision);
        let record = WireRecord { from: Sender { partition, incarnation, revision }, content };
        shared.send_partial(output, &record)
    }

    /// Whether there is something to commit.
    pub(super) fn is_dirty(&self) -> bool {
        !self.lane.is_replaying() && self.lane.progress() != self.committed
    }

    /// Commits what has been reached. Everything emitted must have been acknowledged.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<(), IngestError> {
        if !self.is_dirty() {
            return Ok(());
        }
        let progress = self.lane.progress();
        commit(shared, self.partition, &progress)?;
        self.committed = progress;
        Ok(())
    }

    /// Decrees the end of a bounded run: the decree is committed before its seal is sent.
    pub(super) fn drain(&mut self, shared: &Shared, target: EventTime) -> Result<(), IngestError> {
        if self.drained || !self.at_end() || self.lane.is_replaying() {
            return Ok(());
        }
        let decreed = self.lane.decree(target)?;
        shared.flush()?;
        commit_surely(shared, self.partition, &decreed.progress)?;
        self.emit(shared, &decreed.emissions)?;
        shared.flush()?;
        self.drained = true;
        // If it is not written down now, the next cut does it.
        match self.commit(shared) {
            Err(error) if error.retry() => Ok(()),
            committed => committed,
        }
    }

    /// What is known of the partition.
    pub(super) fn report(&self) -> PartitionReport {
        let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
        let windows = self.lane.open_windows();
        PartitionReport {
            partition: self.partition,
            position: self.lane.position().0,
            committed: self.committed.position.0,
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

/// Commits `progress`, trying for a while.
pub(super) fn commit(shared: &Shared, partition: i32, progress: &Progress) -> Result<(), IngestError> {
    shared.consumer.commit(partition, progress.position.0, &encode(progress), COMMIT_WAIT)?;
    Ok(())
}

/// Commits `progress`, however long the broker is away.
fn commit_surely(shared: &Shared, partition: i32, progress: &Progress) -> Result<(), IngestError> {
    loop {
        match commit(shared, partition, progress) {
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

fn reason_of(error: &FetchError) -> &'static str {
    match error {
        FetchError::OffsetGone { .. } => "SourceDataLost",
        FetchError::Refused { .. } => "TopicMissing",
        FetchError::PartitionEnd { .. } | FetchError::Failed { .. } => "BrokerUnreachable",
    }
}

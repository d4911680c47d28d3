//! Windows from the source log again: the decoder, lanes and collectors of the pipeline, fed with records that the caller reads.
//! Nothing is sent, committed or written.
//!
//! What it keeps true: a window that is given without a [`Doubt`] holds what the pipeline makes of the log. A watermark decides
//! only by the boundary of the window grid below it, which is what a seal tells; so the seals that were sent say all that must
//! be known of decrees. Where the log has lost its beginning, nothing is certain before every window that a lost record may
//! have opened is closed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::errors::ParquetError;
use plan::Plan;
use schemas::epochs::Epochs;
use stream_core::{
    Collector, CollectorProgress, Emission, EventTime, Fetch, Lane, Message, Offset, Partition, Program, Progress,
    Published, Seal, Topology, Window,
};
use thiserror::Error;

use crate::decode::{DecodeError, Decoder, Framed, LogClock, WriterSchemas};
use crate::program::program;
use crate::publish::table::{self, Table};
use crate::worker::topology;

/// Recomputing cannot go on.
#[derive(Debug, Error)]
pub enum RecomputeError {
    /// Records could not be decoded: the registry did not answer.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The core refused.
    #[error(transparent)]
    Core(#[from] stream_core::Error),
    /// A table could not be encoded. A bug.
    #[error("cannot encode a table: {0}")]
    Encode(#[from] ParquetError),
}

/// At position `at` of its log a partition had a watermark of at least `until`, a boundary of the window grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The position.
    pub at: i64,
    /// Milliseconds.
    pub until: i64,
}

/// A partition and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The first offset that its log still holds.
    pub low: i64,
    /// What its seals said, in any order.
    pub seen: Vec<Seen>,
    /// The seal that held at `low`, if it is known for sure; the least time where there was none.
    pub sealed: Option<i64>,
}

/// A window that all partitions have closed.
#[derive(Debug)]
pub struct Again {
    /// The partition of the partials topic that it belongs to.
    pub output: i32,
    /// The window with its rows.
    pub published: Published,
    /// The file that it should be.
    pub table: Table,
}

/// Why nothing certain can be said of a window: a partition's log begins too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The partition.
    pub partition: i32,
    /// The first offset that its log still holds.
    pub low: i64,
    /// The first position at which verdicts are certain, if there is one.
    pub certain_from: Option<i64>,
}

/// The whole pipeline over records of the past.
pub struct Recompute<S> {
    plan: Arc<Plan>,
    program: Arc<Program>,
    topology: Topology,
    partitions: BTreeMap<i32, Replay<S>>,
    collectors: Vec<Collector>,
    /// Numbers what the collectors are given.
    messages: i64,
}

impl<S: WriterSchemas + Clone> Recompute<S> {
    /// Begins at the first offset of each partition of the source topic.
    ///
    /// # Errors
    /// The program does not fit its groups. A bug.
    pub fn new(
        plan: &Arc<Plan>,
        epochs: &Epochs,
        schemas: &S,
        known: BTreeMap<i32, Known>,
    ) -> Result<Self, RecomputeError> {
        // What once was read is read to its end.
        let program = Arc::new(Program { guard: None, ..program(plan) });
        let topology = topology(plan, epochs);
        let mut partitions = BTreeMap::new();
        for (partition, known) in known {
            let joins = topology.joins(Partition(partition));
            let lane = Lane::resume(program.clone(), &Progress::join(Offset(known.low), joins))?;
            let decoder = Decoder::new(schemas.clone(), &plan.reader_schema, plan.arrow_schema.clone());
            partitions.insert(partition, Replay::new(decoder, lane, &program, known));
        }
        let start = CollectorProgress::start(Offset(0), topology.partitions());
        let collector = || Collector::resume_in(program.clone(), topology.clone(), &start);
        let collectors = (0..plan.partials_partitions).map(|_| collector()).collect();
        Ok(Self { plan: plan.clone(), program, topology, partitions, collectors, messages: 0 })
    }

    /// Takes in the next records of a partition, in the order of its log.
    ///
    /// # Errors
    /// The registry's, or an overflow.
    pub fn feed<R: Framed>(&mut self, partition: i32, records: &[R]) -> Result<(), RecomputeError> {
        let Some(replay) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let items = replay.feed(&self.program, records)?;
        self.collect(partition, items);
        Ok(())
    }

    /// There are no more records before `end`.
    ///
    /// # Errors
    /// An overflow.
    pub fn end(&mut self, partition: i32, end: i64) -> Result<(), RecomputeError> {
        let Some(replay) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let items = replay.end(end)?;
        self.collect(partition, items);
        Ok(())
    }

    fn collect(&mut self, partition: i32, items: Vec<Emission>) {
        for item in items {
            self.messages += 1;
            let from = Message { at: Offset(self.messages), partition: Partition(partition), incarnation: 0 };
            match item {
                Emission::Partial(partial) => self.collectors[partial.output as usize].partial(from, partial),
                Emission::Seal(seal) => {
                    for (output, collector) in (0..).zip(&mut self.collectors) {
                        let closed = seal.closed.iter().filter(|closed| closed.output == output).copied().collect();
                        collector.seal(from, &Seal { closed, ..seal.clone() });
                    }
                }
                Emission::Report(_) => {}
            }
        }
    }

    /// The windows that have become complete since the last call.
    ///
    /// # Errors
    /// An overflow, or a table that cannot be encoded.
    pub fn complete(&mut self) -> Result<Vec<Again>, RecomputeError> {
        let mut complete = Vec::new();
        for (output, collector) in (0..).zip(&mut self.collectors) {
            for published in collector.complete()? {
                collector.published(published.window);
                let table = table::gold(&self.plan, &published, output)?;
                complete.push(Again { output, published, table });
            }
        }
        Ok(complete)
    }

    /// Why a window that starts there (milliseconds) may come out otherwise than it was, if it may; `firsts` are the partitions that
    /// contribute to it, each with the first record that it remembers in it.
    pub fn doubt(&self, start: i64, firsts: &[(i32, i64)]) -> Option<Doubt> {
        let window = Window { start: EventTime(start), end: EventTime(start.saturating_add(self.plan.window.size_ms)) };
        let mut needed = self.partitions.iter().take(self.topology.partitions_of(window));
        needed.find_map(|(partition, replay)| {
            let first = firsts.iter().filter(|(of, _)| of == partition).map(|(_, first)| *first).min();
            let (low, certain_from) = replay.doubt(window, first)?;
            Some(Doubt { partition: *partition, low, certain_from })
        })
    }
}

/// One partition's log again.
struct Replay<S> {
    decoder: Decoder<S>,
    clock: LogClock,
    lane: Lane,
    seen: VecDeque<Seen>,
    lost: Option<Lost>,
    first_log_time: Option<i64>,
    /// A rule has stopped the lane: what follows is not judged.
    halted: bool,
}

/// A log whose beginning is gone.
struct Lost {
    low: i64,
    /// Windows that a lost record may have opened end by then.
    horizon: EventTime,
    /// Where all of those are closed.
    certain_from: Option<i64>,
}

impl<S: WriterSchemas> Replay<S> {
    fn new(decoder: Decoder<S>, lane: Lane, program: &Program, mut known: Known) -> Self {
        known.seen.sort_unstable();
        // The largest event time was less than a delay ahead of the watermark, and that less than a window ahead of the seal.
        let ahead = program.windows.size.saturating_add(program.delay);
        let horizon = known.sealed.map(|sealed| program.windows.ceil(EventTime(sealed.saturating_add(ahead))));
        let lost = Lost { low: known.low, horizon: horizon.unwrap_or(EventTime(i64::MAX)), certain_from: None };
        let lost = (known.low > 0).then_some(lost);
        Self {
            decoder,
            clock: LogClock::resume(0),
            lane,
            seen: known.seen.into(),
            lost,
            first_log_time: None,
            halted: false,
        }
    }

    fn feed<R: Framed>(&mut self, program: &Program, mut records: &[R]) -> Result<Vec<Emission>, RecomputeError> {
        let mut out = Vec::new();
        while let Some(seen) = self.seen.front().copied() {
            let before = records.partition_point(|record| record.offset() < seen.at);
            if before == records.len() {
                break;
            }
            self.judge(program, &records[..before], &mut out)?;
            self.decree(seen, &mut out)?;
            records = &records[before..];
            self.seen.pop_front();
        }
        self.judge(program, records, &mut out)?;
        Ok(out)
    }

    fn end(&mut self, end: i64) -> Result<Vec<Emission>, RecomputeError> {
        let mut out = Vec::new();
        while let Some(seen) = self.seen.pop_front_if(|seen| seen.at <= end) {
            self.decree(seen, &mut out)?;
        }
        Ok(out)
    }

    fn judge<R: Framed>(
        &mut self,
        program: &Program,
        records: &[R],
        out: &mut Vec<Emission>,
    ) -> Result<(), RecomputeError> {
        let Some(last) = records.last().filter(|_| !self.halted) else { return Ok(()) };
        let decoded = self.decoder.decode(records, &mut self.clock)?;
        let log_time = decoded.log_times.first().copied().max(decoded.undecodable.first().map(|bad| bad.log_time));
        // Nor was it further ahead of the log time than is allowed, which rises.
        if let (Some(lost), Some(log_time), None) = (&mut self.lost, log_time, self.first_log_time) {
            let most = program.windows.ceil(EventTime(log_time.saturating_add(program.times.max_future_skew)));
            lost.horizon = lost.horizon.min(most);
            self.first_log_time = Some(log_time);
        }
        let emissions = self.lane.feed(&Fetch {
            rows: &decoded.batch,
            offsets: &decoded.offsets,
            log_times: &decoded.log_times,
            undecodable: &decoded.poison(),
            end: Offset(last.offset() + 1),
        })?;
        self.halted = emissions.halt.is_some();
        out.extend(emissions.items);
        self.look_for_certainty();
        Ok(())
    }

    /// Raises the watermark to what a seal said of it, unless records have done so already.
    fn decree(&mut self, seen: Seen, out: &mut Vec<Emission>) -> Result<(), RecomputeError> {
        if seen.until <= self.lane.sealed().0 || self.halted {
            return Ok(());
        }
        let none = RecordBatch::new_empty(self.decoder.schema());
        let end = Offset(seen.at);
        self.lane.feed(&Fetch { rows: &none, offsets: &[], log_times: &[], undecodable: &[], end })?;
        out.extend(self.lane.decree(EventTime(seen.until))?.emissions.items);
        self.look_for_certainty();
        Ok(())
    }

    fn look_for_certainty(&mut self) {
        if let Some(lost) = &mut self.lost
            && self.lane.sealed() >= lost.horizon
        {
            lost.certain_from.get_or_insert(self.lane.position().0);
        }
    }

    fn doubt(&self, window: Window, first: Option<i64>) -> Option<(i64, Option<i64>)> {
        let lost = self.lost.as_ref()?;
        let early = window.start < lost.horizon;
        let unsure = first.is_some_and(|first| lost.certain_from.is_none_or(|certain| first < certain));
        (early || unsure).then_some((lost.low, lost.certain_from))
    }
}

//! The seam of ingest: everything that taking over, reading, cutting and decreeing do to the world.
//!
//! [`super::LaneWork`], [`super::Owned`] and [`super::Drain`] decide when each effect happens and in which order; they run on
//! one thread, ask no clock (time is an argument) and know Kafka and the disk by these traits alone. `kafka.rs` and
//! `crate::volume` are the real world; a simulation is another one. Calls are made per fetch, cut or take-over, never per record.
//!
//! What the callers rely on:
//! - [`Broker::send`] and [`Reader::dead_letter`] only put records on their way, those of one partition in order;
//!   [`Broker::flush`] returns when all that was sent before has arrived, or was refused, which [`Broker::arrived`] tells; nothing
//!   arrives behind what was refused until the partition begins anew with [`Broker::expect_outputs`];
//! - [`Broker::commit`] returns when the broker has the commit. An error does not say that it has not;
//! - an error with [`IngestError::retry`] may go away by itself; [`IngestError::Stopped`] ends the caller where it stands, as a
//!   crash would, and is what a simulated crash returns.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemas::wire::Record;
use stream_core::{Fetch, LogTime, Offset, Point, Program, Refused, Undecodable};

use super::IngestError;

/// The source topic, the group's commits and the topics that are written to.
pub trait Broker: Send + Sync {
    /// Whether the topics that are written to exist and take what will be sent: what is sent to one that is missing is lost. What was
    /// refused of what was sent for `partition` before is forgotten.
    fn expect_outputs(&self, partition: i32) -> Result<(), IngestError>;

    /// The source topic's identity: a topic that was deleted and created again under its name has another. `None` when the
    /// broker gives none.
    fn topic_id(&self) -> Result<Option<String>, IngestError>;

    /// Whether a question will probably be answered.
    fn is_reachable(&self) -> bool;

    /// The ends of a partition's log, asked for now.
    fn ends(&self, partition: i32) -> Result<Ends, IngestError>;

    /// What the group has committed for these partitions, in their order.
    fn committed(&self, partitions: &[i32]) -> Result<Vec<Option<Commit>>, IngestError>;

    /// Commits `commit` for `partition`; its error is [`IngestError::is_lost_partition`] when the partition is another worker's.
    fn commit(&self, partition: i32, commit: &Commit) -> Result<(), IngestError>;

    /// The first offset of a record whose log time is at or after `time`, or the end of the log.
    fn offset_at(&self, partition: i32, time: LogTime) -> Result<Offset, IngestError>;

    /// Since when the partition is this worker's, as a number that is another one when it was lost and came back. `None` when the worker
    /// knows that it is not.
    fn tenure(&self, partition: i32) -> Option<u64>;

    /// Begins to read `partition` at `from`, while the meaning before has windows in `both` meanings' schemas; its error is
    /// [`IngestError::is_lost_partition`] when the worker knows that its `tenure` is over.
    fn open(&self, partition: i32, tenure: u64, from: &Point, both: bool) -> Result<Box<dyn Reader>, IngestError>;

    /// Puts a record on its way to partition `output` of the partials topic, in pieces if the topic does not take it whole.
    fn send(&self, output: u32, record: &Record) -> Result<(), IngestError>;

    /// Waits until everything sent is acknowledged or refused.
    fn flush(&self) -> Result<(), IngestError>;

    /// Whether nothing was refused of what was sent for `partition` since it began; its error is [`IngestError::is_refused`].
    fn arrived(&self, partition: i32) -> Result<(), IngestError>;
}

/// One partition's records in the order of the log, each once.
pub trait Reader: Send {
    /// The next records, if there are any now, as one decoded fetch that does not reach beyond `until`. `position` is the next
    /// record that the lane expects.
    fn read(&mut self, position: Offset, until: Offset) -> Result<Read, IngestError>;

    /// Whether the partition has been this worker's without interruption since it was opened, as far as the worker knows. The group
    /// refuses commits of those that are no members; it does not look at which member has the partition.
    fn owns(&self) -> bool;

    /// Puts a record of the fetch that was read last, which `program` refused, on its way to the dead-letter topic.
    fn dead_letter(&self, program: &Program, refused: &Refused) -> Result<(), IngestError>;
}

/// What one read gave.
#[derive(Debug)]
pub struct Read {
    /// The records as the pipeline reads them.
    pub records: Records,
    /// As the meaning before reads them, if both are asked for.
    pub before: Option<Records>,
    /// The position behind what was read: at or after the position that was asked for, beyond the last record where the log is
    /// known to hold none.
    pub end: Offset,
}

/// The records of one read, decoded.
#[derive(Debug)]
pub struct Records {
    /// The decodable records in the reader's Arrow schema.
    pub rows: RecordBatch,
    /// Offset of each row, rising.
    pub offsets: Vec<i64>,
    /// Log time of each row.
    pub log_times: Vec<i64>,
    /// The other records, in offset order.
    pub undecodable: Vec<Undecodable>,
}

impl Read {
    /// How many records were read.
    pub fn count(&self) -> usize {
        self.records.offsets.len() + self.records.undecodable.len()
    }
}

impl Records {
    /// No records of this schema.
    pub fn none(schema: &SchemaRef) -> Self {
        let rows = RecordBatch::new_empty(schema.clone());
        Self { rows, offsets: Vec::new(), log_times: Vec::new(), undecodable: Vec::new() }
    }

    /// As a fetch that ends at `end`.
    pub fn fetch(&self, end: Offset) -> Fetch<'_> {
        let Self { rows, offsets, log_times, undecodable } = self;
        Fetch { rows, offsets, log_times, undecodable, end }
    }
}

/// The ends of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that can still be read.
    pub low: Offset,
    /// The offset behind the last record that can be read: the last stable one if uncommitted records are not read.
    pub stable: Offset,
    /// The offset behind the last record.
    pub high: Offset,
}

/// A commit of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The next record to read.
    pub position: Offset,
    /// Progress as text, see [`crate::progress`].
    pub metadata: String,
}

/// What the clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some fixed moment; never goes back. All intervals are measured with it.
    pub ticks: u64,
    /// Milliseconds since the epoch, UTC, as far as this machine knows.
    pub wall: i64,
}

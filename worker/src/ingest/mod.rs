//! Ingest: the source topic's partitions, each judged and folded by exactly one lane of one worker.
//!
//! The group task hears from Kafka which partitions are this worker's and hands each to a lane; lanes do everything else.

mod drain;
mod group;
mod lane;
mod partition;
mod refused;
mod standstill;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use plan::Plan;
use schemas::wire;
use stream_core::{Error as CoreError, Program};
use thiserror::Error;

use crate::decode::{DecodeError, WriterSchemas};
use crate::produce::{DeadLetter, ProduceError, Producer};
use crate::quality::Quality;
use crate::source::batch::Record;
use crate::source::{Consumer, SourceError};
use crate::status::Status;
use crate::stop::Stop;

pub(crate) use group::GroupTask;
pub(crate) use refused::words;

/// How long a wait for acknowledgements, or for room, lasts before it is told; it goes on.
const TELL_AFTER: Duration = Duration::from_secs(10);
/// How often a waiting lane looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(250);
/// How long acknowledgements are still waited for when the worker is to stop.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Ingest cannot go on.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A fetch could not be decoded.
    #[error("cannot decode a fetch: {0}")]
    Decode(#[from] DecodeError),
    /// The core refused.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Something could not be sent.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// A partial's rows could not be encoded. A bug.
    #[error("cannot encode a partial: {0}")]
    EncodeRows(#[from] ArrowError),
    /// A record of the partials topic could not be encoded. A bug.
    #[error("cannot encode a record of the partials topic: {0}")]
    EncodeRecord(#[from] serde_json::Error),
    /// The log no longer holds what a rebuild needs. The user must decide: restore the topic, or reset the group.
    #[error(
        "partition {partition} must be read from offset {anchor}, but its log holds {low} to {high}; restore the topic, or \
         delete the consumer group to begin anew"
    )]
    SourceDataLost {
        /// The partition.
        partition: i32,
        /// The first offset needed.
        anchor: i64,
        /// The first offset there.
        low: i64,
        /// The next offset that will be written.
        high: i64,
    },
    /// The worker is to stop; nothing is lost.
    #[error("stopped")]
    Stopped,
}

impl IngestError {
    /// Whether trying again may help without anybody changing the program.
    pub fn retry(&self) -> bool {
        match self {
            Self::Source(error) => error.retry(),
            Self::SourceDataLost { .. } => true,
            _ => false,
        }
    }

    /// Whether the partition has gone to another worker.
    fn is_lost_partition(&self) -> bool {
        matches!(self, Self::Source(SourceError::Own { .. } | SourceError::Commit { .. })) && !self.retry()
    }

    /// A stable word for the status.
    fn reason(&self) -> &'static str {
        match self {
            Self::Source(SourceError::FindTopic { .. }) => "TopicMissing",
            Self::SourceDataLost { .. } => "SourceDataLost",
            _ => "BrokerUnreachable",
        }
    }
}

/// How ingest runs, beside what the plan says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most records of one fetch.
    pub fetch_records: usize,
    /// How often lanes cut.
    pub cut_interval: Duration,
    /// Number of lanes.
    pub lanes: usize,
    /// End offset of each partition, for a bounded run.
    pub ends: Option<BTreeMap<i32, i64>>,
}

/// What all lanes of a worker share.
pub(crate) struct Shared {
    pub plan: Arc<Plan>,
    pub program: Arc<Program>,
    pub consumer: Consumer,
    pub producer: Producer,
    pub schemas: Arc<dyn WriterSchemas + Send + Sync>,
    pub status: Arc<Status>,
    /// Says whether records may be read.
    pub quality: Arc<Quality>,
    pub stop: Stop,
    pub settings: Settings,
}

impl Shared {
    fn send_partial(&self, output: u32, record: &wire::Record) -> Result<(), IngestError> {
        let revision = record.from.revision.to_string();
        let incarnation = record.from.incarnation.to_string();
        let headers = [
            (wire::KIND_HEADER, record.content.kind().as_bytes()),
            (wire::REVISION_HEADER, revision.as_bytes()),
            (wire::INCARNATION_HEADER, incarnation.as_bytes()),
        ];
        let key = record.from.partition.to_string();
        let value = record.encode()?;
        let topic = &self.plan.partials_topic;
        self.insist(|_| self.producer.send(topic, output as i32, Some(key.as_bytes()), Some(&value), &headers))
    }

    fn send_dead_letter(&self, record: &Record, letter: &DeadLetter<'_>) -> Result<(), IngestError> {
        self.insist(|_| self.producer.send_dead_letter(&self.plan.dead_letter_topic, record, letter))
    }

    /// Waits until everything sent is acknowledged, however long the broker is away; a little while only when the worker is to
    /// stop.
    fn flush(&self) -> Result<(), IngestError> {
        self.insist(|waited| match self.producer.flush_acked(LOOK) {
            Err(ProduceError::AwaitAcks { in_flight, waited: last, last_words }) => {
                Err(ProduceError::AwaitAcks { in_flight, waited: waited + last, last_words })
            }
            flushed => flushed,
        })
    }

    /// Repeats what the producer could not do in time; `action` is told how long that has lasted.
    fn insist(&self, action: impl Fn(Duration) -> Result<(), ProduceError>) -> Result<(), IngestError> {
        let begun = Instant::now();
        let (mut told, mut last) = (false, None);
        loop {
            let error = match action(begun.elapsed()) {
                Ok(()) => break,
                Err(error) if error.retry() => error,
                Err(error) => return Err(error.into()),
            };
            let now = Instant::now();
            if self.stop.is_requested() && now >= *last.get_or_insert(now + LAST_WAIT) {
                return Err(IngestError::Stopped);
            }
            if begun.elapsed() >= TELL_AFTER {
                told = true;
                self.status.trouble("producer", "BrokerUnreachable", error.to_string());
            }
        }
        if told {
            self.status.recovered("producer");
        }
        Ok(())
    }
}

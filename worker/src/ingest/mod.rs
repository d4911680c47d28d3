//! Ingest: the source topic's partitions, each judged and folded by exactly one lane of one worker.
//!
//! The group task hears from Kafka which partitions are this worker's and hands each to a lane; lanes do everything else.
//! What lanes do to the world goes through the traits of [`effects`].

mod checkpoints;
mod drain;
pub mod effects;
mod group;
mod idle;
mod kafka;
mod lane;
mod loss;
mod partition;
mod refused;
mod standstill;
mod take;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use plan::Plan;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use stream_core::{Error as CoreError, Program, Topology};
use thiserror::Error;

use crate::checkpoint::Volume;
use crate::decode::DecodeError;
use crate::meaning::Previous;
use crate::produce::ProduceError;
use crate::progress::{CommittedProgress, decode};
use crate::quality::Quality;
use crate::source::SourceError;
use crate::status::Status;
use crate::stop::Stop;

pub use drain::{Drain, Step};
pub use lane::LaneWork;
pub use partition::Owned;
pub(crate) use refused::words;

pub(crate) use group::GroupTask;
pub(crate) use kafka::Kafka;

use effects::{Broker, Commit};

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
        "partition {partition} must be read from offset {needed}, but its log holds {low} to {high}; restore the topic, \
         go on without with source.onDataLoss: Continue, or delete the consumer group to begin anew"
    )]
    SourceDataLost {
        /// The partition.
        partition: i32,
        /// The first offset needed.
        needed: i64,
        /// The first offset there.
        low: i64,
        /// The next offset that will be written.
        high: i64,
    },
    /// The log lost a record before it was read. The partition is taken over anew, which says what is to be done.
    #[error("partition {partition} was read up to offset {position}, which its log no longer holds")]
    OffsetGone {
        /// The partition.
        partition: i32,
        /// The position.
        position: i64,
    },
    /// The topic has a partition that the pipeline does not know of. The user must raise the number in the manifest, or the operator
    /// is about to say from which window on it counts.
    #[error(
        "partition {partition} is not read: the pipeline has {partitions} partitions; it joins at a window's start when the \
         pipeline's number of partitions is raised"
    )]
    UnknownPartition {
        /// The partition.
        partition: i32,
        /// How many the pipeline knows.
        partitions: usize,
    },
    /// Windows of a meaning are open that the worker was not told of. The operator must give it the epochs.
    #[error(
        "partition {partition} has open windows of a meaning before revision {revision}, which is not known; give the worker the \
         epochs of the pipeline"
    )]
    UnknownMeaning {
        /// The partition.
        partition: i32,
        /// The pipeline's revision.
        revision: i64,
    },
    /// The partition is read in a later meaning already. The user must end this worker, or start it with the pipeline as it is now.
    #[error(
        "partition {partition} is read with revision {committed}, and this worker has revision {revision}; it is left to workers of \
         the later one"
    )]
    NewerMeaning {
        /// The partition.
        partition: i32,
        /// The revision with which it was read last.
        committed: i64,
        /// This worker's revision.
        revision: i64,
    },
    /// The topic was deleted and created again. The user must decide: restore the topic, or reset the group.
    #[error(
        "partition {partition} was read up to offset {position} of another topic '{topic}' (id {committed}, now {found}); \
         restore that topic, or delete the consumer group to begin anew"
    )]
    OtherTopic {
        /// The partition.
        partition: i32,
        /// The topic's name.
        topic: String,
        /// The committed position.
        position: i64,
        /// The topic's identity then.
        committed: String,
        /// Its identity now.
        found: String,
    },
    /// Topic and manifest disagree about partitions. The user must change one of them.
    #[error(transparent)]
    Disagree(#[from] crate::agree::Disagreement),
    /// Something that was sent for a partition was refused. The partition is taken over anew, which sends it again.
    #[error(
        "partition {partition} stands: a record of {bytes} bytes for topic '{topic}' was refused: {source}{}",
        advice(source)
    )]
    Refused {
        /// The source partition.
        partition: i32,
        /// The topic that it was sent to.
        topic: String,
        /// Its length.
        bytes: usize,
        /// The broker's or client's error.
        source: KafkaError,
    },
    /// The worker is to stop; nothing is lost.
    #[error("stopped")]
    Stopped,
}

/// What to do about a refusal.
fn advice(source: &KafkaError) -> &'static str {
    match source.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge) => {
            "; the topic's max.message.bytes is asked again and the record is cut to it; raise it with partials.config or \
             deadLetter.topic.config if this stays"
        }
        Some(Code::TopicAuthorizationFailed) => "; allow the worker to write to the topic",
        _ => "; it is sent again",
    }
}

impl IngestError {
    /// Whether trying again may help without anybody changing the program.
    pub fn retry(&self) -> bool {
        match self {
            Self::Source(error) => error.retry(),
            Self::SourceDataLost { .. }
            | Self::OffsetGone { .. }
            | Self::OtherTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::UnknownMeaning { .. }
            | Self::NewerMeaning { .. }
            | Self::Produce(ProduceError::LimitTooSmall { .. }) => true,
            _ => false,
        }
    }

    /// Whether the partition has gone to another worker.
    pub fn is_lost_partition(&self) -> bool {
        matches!(self, Self::Source(SourceError::Own { .. } | SourceError::Commit { .. })) && !self.retry()
    }

    /// Whether something was refused, so that the partition must be taken over anew.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// A stable word for the status.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Source(SourceError::FindTopic { .. }) => "TopicMissing",
            Self::SourceDataLost { .. } | Self::OffsetGone { .. } => "SourceDataLost",
            Self::OtherTopic { .. } => "TopicRecreated",
            Self::UnknownPartition { .. } => "UnknownPartition",
            Self::UnknownMeaning { .. } => "UnknownMeaning",
            Self::NewerMeaning { .. } => "NewerMeaning",
            Self::Produce(ProduceError::LimitTooSmall { .. }) => "MessageTooLarge",
            Self::Refused { source, .. } => refusal(source),
            _ => "BrokerUnreachable",
        }
    }
}

/// The word for a refusal.
fn refusal(source: &KafkaError) -> &'static str {
    match source.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge) => "MessageTooLarge",
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => "TopicMissing",
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => "BrokerRefuses",
        _ => "BrokerUnreachable",
    }
}

/// How ingest runs, beside what the plan says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often lanes cut.
    pub cut_interval: Duration,
    /// How often a cut takes a checkpoint, if there is a volume.
    pub checkpoint_interval: Duration,
    /// Number of lanes.
    pub lanes: usize,
    /// End offset of each partition, for a bounded run.
    pub ends: Option<BTreeMap<i32, i64>>,
    /// Whether a bounded run leaves the windows open that are open at its end.
    pub leaves_open: bool,
}

/// What all lanes of a worker share.
pub struct Shared {
    /// The pipeline.
    pub plan: Arc<Plan>,
    /// Its meaning.
    pub program: Arc<Program>,
    /// What windows before a boundary mean, if that is another meaning.
    pub previous: Option<Arc<Previous>>,
    /// How many source partitions count, and from when.
    pub topology: Topology,
    /// The world.
    pub broker: Box<dyn Broker>,
    /// Where checkpoints go, if anywhere.
    pub volume: Option<Arc<dyn Volume>>,
    /// What the worker knows of itself.
    pub status: Arc<Status>,
    /// Says whether records may be read.
    pub quality: Arc<Quality>,
    /// Asked wherever something is waited for.
    pub stop: Stop,
    /// How ingest runs.
    pub settings: Settings,
}

impl Shared {
    /// What is committed for these partitions, in their order; nothing where that cannot be read.
    fn committed(&self, partitions: &[i32]) -> Result<Vec<Option<CommittedProgress>>, IngestError> {
        let read = |commit: Commit| decode(commit.position, &commit.metadata).ok();
        Ok(self.broker.committed(partitions)?.into_iter().map(|commit| commit.and_then(read)).collect())
    }
}

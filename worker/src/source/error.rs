//! Owns what can go wrong between the worker and the broker, who must act, and whether to try again.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

use super::batch::SplitError;

/// Who can make an error go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhoActs {
    /// Whoever wrote the manifest or runs the cluster: a name, a permission, a setting.
    User,
    /// Nobody in particular: something is away and comes back.
    Environment,
    /// We.
    Bug,
}

/// An operation on the source failed.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The client refuses its configuration.
    #[error("the kafka client refuses its configuration: {message}")]
    Configure {
        /// The client's words.
        message: String,
    },
    /// The thread that serves the group could not be started.
    #[error("the thread that serves the consumer group could not be started: {source}")]
    Spawn {
        /// What the system says.
        source: std::io::Error,
    },
    /// The subscription was refused.
    #[error("topic '{topic}' cannot be subscribed: {source}")]
    Subscribe {
        /// The topic.
        topic: String,
        /// The client's error.
        source: KafkaError,
    },
    /// The topic does not exist.
    #[error("topic '{topic}' does not exist at the broker")]
    FindTopic {
        /// The topic.
        topic: String,
    },
    /// The topic's partitions could not be asked for.
    #[error("the partitions of topic '{topic}' could not be asked for: {source}")]
    AskTopic {
        /// The topic.
        topic: String,
        /// The client's error.
        source: KafkaError,
    },
    /// The log's first and last offset could not be asked for.
    #[error("the offsets of partition {partition} could not be asked for: {source}")]
    AskWatermarks {
        /// The partition.
        partition: i32,
        /// The client's error.
        source: KafkaError,
    },
    /// The committed progress could not be asked for.
    #[error("the committed progress of the group could not be asked for: {source}")]
    AskCommitted {
        /// The client's error.
        source: KafkaError,
    },
    /// The commit was not accepted, and trying until the deadline did not help.
    #[error("offset {offset} of partition {partition} could not be committed: {source}")]
    Commit {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// The client's last error.
        source: KafkaError,
    },
    /// The partition is not (or no longer) assigned to this member.
    #[error("partition {partition} is not assigned to this worker")]
    Own {
        /// The partition.
        partition: i32,
    },
    /// The partition is being read already.
    #[error("partition {partition} was started before")]
    StartTwice {
        /// The partition.
        partition: i32,
    },
    /// Reading could not begin.
    #[error("partition {partition} could not be started at offset {offset}: {source}")]
    Start {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// The client's error.
        source: KafkaError,
    },
    /// Reading could not be ended.
    #[error("partition {partition} could not be let go to be started anew: {source}")]
    End {
        /// The partition.
        partition: i32,
        /// The client's error.
        source: KafkaError,
    },
    /// The partition's queue could not be taken.
    #[error(transparent)]
    Split(#[from] SplitError),
}

impl SourceError {
    /// Who must act.
    pub fn who_acts(&self) -> WhoActs {
        self.verdict().0
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn retry(&self) -> bool {
        self.verdict().1
    }

    fn verdict(&self) -> (WhoActs, bool) {
        match self {
            Self::Configure { .. } => (WhoActs::User, false),
            Self::FindTopic { .. } => (WhoActs::User, true),
            Self::Spawn { .. } | Self::Own { .. } => (WhoActs::Environment, false),
            Self::StartTwice { .. } | Self::Split(_) => (WhoActs::Bug, false),
            Self::Subscribe { source, .. }
            | Self::AskTopic { source, .. }
            | Self::AskWatermarks { source, .. }
            | Self::AskCommitted { source }
            | Self::Commit { source, .. }
            | Self::Start { source, .. }
            | Self::End { source, .. } => classify(source),
        }
    }
}

/// Whether the broker refused because the group has moved on since this member last heard of it. That does not say who has a
/// partition: in a rebalance a member keeps what is not revoked, and is not told of it again.
pub(super) fn is_behind_the_group(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(Code::IllegalGeneration | Code::UnknownMemberId))
}

/// Who must act on a client error, and whether trying again may help.
pub fn classify(error: &KafkaError) -> (WhoActs, bool) {
    let Some(code) = error.rdkafka_error_code() else {
        return (WhoActs::Bug, false);
    };
    match code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::SSL
        | Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InconsistentGroupProtocol
        | Code::PolicyViolation => (WhoActs::User, true),
        Code::FencedInstanceId | Code::Fatal | Code::Fenced => (WhoActs::Environment, false),
        Code::InvalidArgument | Code::OffsetMetadataTooLarge | Code::State | Code::Conflict => (WhoActs::Bug, false),
        Code::MessageSizeTooLarge => (WhoActs::User, false),
        _ => (WhoActs::Environment, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker that has just come up, or just lost the group to another one, says so of each partition that it is asked about.
    #[test]
    fn a_coordinator_that_is_not_there_yet_is_asked_again() {
        for code in [Code::NotCoordinator, Code::CoordinatorLoadInProgress, Code::CoordinatorNotAvailable] {
            let source = KafkaError::OffsetFetch(code);
            assert_eq!(classify(&source), (WhoActs::Environment, true), "{code}");
            assert!(SourceError::AskCommitted { source }.retry(), "{code}");
            let commit = SourceError::Commit { partition: 0, offset: 7, source: KafkaError::ConsumerCommit(code) };
            assert!(commit.retry(), "{code}");
        }
    }
}

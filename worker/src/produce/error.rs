//! Why sending fails, and who must act.

use std::time::Duration;

use thiserror::Error;

use super::ROOM_WAIT;
use super::limits::{LEAST, SETTING};
use crate::source::WhoActs;

/// Sending failed.
#[derive(Debug, Error)]
pub enum ProduceError {
    /// The client refuses its configuration.
    #[error("the kafka client refuses its configuration: {message}")]
    Configure {
        /// The client's words.
        message: String,
    },
    /// The queue stayed full; the record was not taken.
    #[error("no room for a record for topic '{topic}' within {} s, {in_flight} are not acknowledged", ROOM_WAIT.as_secs())]
    AwaitRoom {
        /// The topic.
        topic: String,
        /// Records sent and not acknowledged.
        in_flight: usize,
    },
    /// Not everything was acknowledged in time; it may still be. Call again.
    #[error("{in_flight} records are not acknowledged after {} ms{}", waited.as_millis(), because(last_words))]
    AwaitAcks {
        /// Records sent and not acknowledged.
        in_flight: usize,
        /// How long this call waited.
        waited: Duration,
        /// What the client said last of its connections; empty when nothing.
        last_words: String,
    },
    /// The topic takes less than what has to be said in one message.
    #[error("topic '{topic}' takes messages of at most {limit} bytes, needed are {}: raise its {}", LEAST, SETTING)]
    LimitTooSmall {
        /// The topic.
        topic: String,
        /// What it takes, bytes.
        limit: usize,
    },
}

fn because(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

impl ProduceError {
    /// Who must act.
    pub fn who_acts(&self) -> WhoActs {
        match self {
            Self::Configure { .. } | Self::LimitTooSmall { .. } => WhoActs::User,
            Self::AwaitRoom { .. } | Self::AwaitAcks { .. } => WhoActs::Environment,
        }
    }

    /// Whether the same call may succeed later with the same producer.
    pub fn retry(&self) -> bool {
        matches!(self, Self::AwaitRoom { .. } | Self::AwaitAcks { .. })
    }
}

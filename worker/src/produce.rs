//! Owns what the worker sends to Kafka: one idempotent producer, and the proof that what was sent has arrived.
//!
//! Kept true:
//! - [`Producer::flush_acked`] returns `Ok` only when everything sent before the call is acknowledged;
//! - records to one partition arrive in the order of their sending, once (idempotence);
//! - a record that is lost for good is never forgotten: from then on every flush fails, so nothing is committed past it. The
//!   producer waits for a broker that is away without end, so only refusals lose a record.

mod delivery;

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::util::Timeout;
use thiserror::Error;

use crate::client::expect_to_hold;
use crate::source::batch::Record;
use crate::source::{WhoActs, classify};
use delivery::Deliveries;

/// How long a send waits for room in a full queue; it can be tried again.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// What the proof of delivery relies on; the user cannot change it.
const BINDING: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // Wait for a broker that is away; a record is given up only when it is refused.
    ("message.timeout.ms", "0"),
    ("statistics.interval.ms", "0"),
    ("allow.auto.create.topics", "false"),
];

/// Memory is bounded; small waits gather records into requests.
const TUNING: [(&str, &str); 4] = [
    ("queue.buffering.max.kbytes", "65536"),
    ("queue.buffering.max.ms", "5"),
    ("reconnect.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "2000"),
];

/// The client's properties with those of a producer: what the guarantees rest on cannot be set otherwise, what is tuning can.
pub(crate) fn configured(client: &ClientConfig) -> ClientConfig {
    // A copy as a whole: the map of a configuration's properties shows no passwords.
    let mut config = client.clone();
    for (key, value) in TUNING.into_iter().filter(|(key, _)| client.get(key).is_none()) {
        config.set(key, value);
    }
    for (key, value) in BINDING {
        config.set(key, value);
    }
    config
}

/// Sending failed.
#[derive(Debug, Error)]
pub enum ProduceError {
    /// The client refuses its configuration.
    #[error("the kafka client refuses its configuration: {message}")]
    Configure {
        /// The client's words.
        message: String,
    },
    /// The record was not taken.
    #[error("a record for topic '{topic}' cannot be sent: {source}")]
    Send {
        /// The topic.
        topic: String,
        /// The client's error.
        source: KafkaError,
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
    /// A record was lost for good; nothing may be committed past it.
    #[error("a record for topic '{topic}' was refused: {source}")]
    Deliver {
        /// The topic.
        topic: String,
        /// The broker's or client's error.
        source: KafkaError,
    },
}

fn because(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

impl ProduceError {
    /// Who must act.
    pub fn who_acts(&self) -> WhoActs {
        match self {
            Self::Configure { .. } => WhoActs::User,
            Self::AwaitRoom { .. } | Self::AwaitAcks { .. } => WhoActs::Environment,
            Self::Send { source, .. } | Self::Deliver { source, .. } => classify(source).0,
        }
    }

    /// Whether the same call may succeed later with the same producer.
    pub fn retry(&self) -> bool {
        matches!(self, Self::AwaitRoom { .. } | Self::AwaitAcks { .. })
    }
}

/// A header as it is sent: its name and value.
pub type SentHeader<'a> = (&'a str, &'a [u8]);

/// Why a record goes to the dead-letter topic; becomes its `sluice.*` headers.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The pipeline that refused it.
    pub pipeline: &'a str,
    /// The topic it came from.
    pub topic: &'a str,
    /// The partition it came from.
    pub partition: i32,
    /// The verdict.
    pub reason: &'a str,
    /// The rule it broke, if it broke one.
    pub rule: Option<&'a str>,
    /// What is wrong, for people.
    pub message: &'a str,
}

/// The worker's producer. Shared by all threads.
pub struct Producer {
    client: ThreadedProducer<Deliveries>,
}

impl Producer {
    /// A producer with the brokers and security of `client`. Returns at once, also when no broker answers.
    pub fn new(client: &ClientConfig) -> Result<Self, ProduceError> {
        let client = configured(client);
        expect_to_hold(&client, &BINDING).map_err(|error| ProduceError::Configure { message: error.to_string() })?;
        let client = client
            .create_with_context(Deliveries::default())
            .map_err(|error| ProduceError::Configure { message: error.to_string() })?;
        Ok(Self { client })
    }

    /// Puts a record on its way to `partition`. Waits up to a second when the queue is full.
    pub fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: &[SentHeader<'_>],
    ) -> Result<(), ProduceError> {
        let mut owned = OwnedHeaders::new_with_capacity(headers.len());
        for (key, value) in headers {
            owned = owned.insert(Header { key, value: Some(*value) });
        }
        self.enqueue(topic, Some(partition), key, payload, owned)
    }

    /// Sends a refused record on, byte for byte: key, value, all headers in their order, then the reasons. A header name that is
    /// not UTF-8, which Kafka forbids, is the only thing that changes.
    pub fn send_dead_letter(&self, topic: &str, record: &Record, letter: &DeadLetter<'_>) -> Result<(), ProduceError> {
        let mut headers = OwnedHeaders::new();
        for (name, value) in record.headers() {
            headers = headers.insert(Header { key: &String::from_utf8_lossy(name), value });
        }
        let (partition, offset) = (letter.partition.to_string(), record.offset().to_string());
        let reasons = [
            ("sluice.pipeline", Some(letter.pipeline)),
            ("sluice.topic", Some(letter.topic)),
            ("sluice.partition", Some(&partition)),
            ("sluice.offset", Some(&offset)),
            ("sluice.reason", Some(letter.reason)),
            ("sluice.rule", letter.rule),
            ("sluice.message", Some(letter.message)),
        ];
        for (key, value) in reasons {
            if value.is_some() {
                headers = headers.insert(Header { key, value });
            }
        }
        self.enqueue(topic, None, record.key(), record.payload(), headers)
    }

    /// Waits until everything sent before this call is acknowledged, at most for `wait`.
    pub fn flush_acked(&self, wait: Duration) -> Result<(), ProduceError> {
        self.client.context().settle(wait)
    }

    /// Records sent and not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.client.context().in_flight()
    }

    fn enqueue(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: OwnedHeaders,
    ) -> Result<(), ProduceError> {
        let deliveries = self.client.context();
        let mut record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, deliveries.begin());
        (record.partition, record.key, record.payload) = (partition, key, payload);
        record.headers = Some(headers);
        let deadline = Instant::now() + ROOM_WAIT;
        loop {
            let (error, refused) = match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let epoch = refused.delivery_opaque;
            if error.rdkafka_error_code() != Some(Code::QueueFull) {
                deliveries.cancel(epoch);
                return Err(ProduceError::Send { topic: topic.to_owned(), source: error });
            }
            if Instant::now() >= deadline {
                deliveries.cancel(epoch);
                return Err(ProduceError::AwaitRoom { topic: topic.to_owned(), in_flight: self.in_flight() });
            }
            deliveries.wait_a_moment();
            record = refused;
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // What is unacknowledged is re-sent after a restart, from the last commit; waiting for it here would hold up the end.
        self.client.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        if let Err(error) = self.client.flush(Timeout::After(Duration::from_secs(1))) {
            tracing::debug!(%error, "records were still on their way at the end");
        }
    }
}

#[cfg(test)]
mod tests;

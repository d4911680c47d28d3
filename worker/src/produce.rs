//! Owns what the worker sends to Kafka: one idempotent producer, and the proof that what was sent has arrived.
//!
//! Kept true:
//! - after [`Producer::flush_acked`] returned `Ok`, everything that was sent before the call for an owner without
//!   [`Producer::refusal`] is acknowledged. An owner is a source partition;
//! - records to one partition arrive in the order of their sending, once, and none arrives behind one that was refused: after a refusal the
//!   client sends nothing more (librdkafka's gapless guarantee), and everybody who has something on its way is refused too;
//! - a refusal is remembered until its owner begins anew ([`Producer::begin`]), so nothing is committed past it. Only that makes
//!   another client, with the limits that the topics have by then. The producer waits for a broker that is away without end.

mod delivery;
mod error;
mod letter;
mod limits;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::util::Timeout;

use crate::client::expect_to_hold;
use crate::source::batch::Record;
pub use delivery::Refusal;
use delivery::{Deliveries, Refusals, Sent};
pub use error::ProduceError;
pub use letter::DeadLetter;
use limits::Limits;

/// How long a send waits for room in a full queue; it can be tried again.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// What the proof of delivery relies on; the user cannot change it.
const BINDING: [(&str, &str); 7] = [
    ("enable.idempotence", "true"),
    ("enable.gapless.guarantee", "true"),
    // What a topic takes is asked of the topic; a smaller bound of the user's is kept to before.
    ("message.max.bytes", "67108864"),
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

/// Kafka's clients gather so many bytes at most.
const BATCH: usize = 1_000_000;

/// The client's properties with those of a producer: what the guarantees rest on cannot be set otherwise, what is tuning can. No
/// batch is above `batch` bytes, unless one record alone is.
pub(crate) fn configured(client: &ClientConfig, batch: usize) -> ClientConfig {
    // A copy as a whole: the map of a configuration's properties shows no passwords.
    let mut config = client.clone();
    for (key, value) in TUNING.into_iter().filter(|(key, _)| client.get(key).is_none()) {
        config.set(key, value);
    }
    for (key, value) in BINDING {
        config.set(key, value);
    }
    let asked = client.get("batch.size").and_then(|size| size.parse().ok()).unwrap_or(BATCH);
    config.set("batch.size", batch.min(asked).max(1).to_string());
    config
}

/// A header as it is sent: its name and value.
pub type SentHeader<'a> = (&'a str, &'a [u8]);

/// A record as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// The topic's partition.
    pub partition: i32,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: &'a [SentHeader<'a>],
}

type Client = ThreadedProducer<Deliveries>;

/// The worker's producer. Shared by all threads.
pub struct Producer {
    config: ClientConfig,
    client: RwLock<Arc<Client>>,
    limits: Mutex<Limits>,
    refusals: Arc<Refusals>,
}

impl Producer {
    /// A producer with the brokers and security of `client`. Returns at once, also when no broker answers.
    pub fn new(client: &ClientConfig) -> Result<Self, ProduceError> {
        let refusals = Arc::new(Refusals::default());
        let limits = Limits::new(client);
        let first = Arc::new(made(client, BATCH.min(limits.batch()), &refusals)?);
        Ok(Self { config: client.clone(), client: RwLock::new(first), limits: Mutex::new(limits), refusals })
    }

    /// An owner begins, or begins anew: what was refused of what it had sent is forgotten. Where something was refused, by whomever, the
    /// topics are asked again how large messages may be, and another client sends from then on.
    ///
    /// # Errors
    /// A topic takes too little, or no client can be made.
    pub fn begin(&self, owner: i32, topics: &[&str], wait: Duration) -> Result<(), ProduceError> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        now.context().doubted().iter().for_each(|topic| limits.doubt(topic));
        let broken = now.context().is_broken();
        let batch = limits.batch();
        let changed = limits.ask(&self.config, topics, wait);
        if broken || (changed && limits.batch() != batch) {
            self.change(limits.batch(), broken)?;
        }
        self.refusals.forget(owner);
        let small = topics.iter().find(|topic| limits.used(topic) < limits::LEAST);
        small.map_or(Ok(()), |topic| {
            Err(ProduceError::LimitTooSmall { topic: (*topic).to_owned(), limit: limits.used(topic) })
        })
    }

    /// Most bytes of a record's key, value and headers together that the topic takes, as far as is known.
    pub fn room(&self, topic: &str) -> usize {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).room(topic)
    }

    /// Puts a record on its way. Waits up to a second when the queue is full. Whether it arrives is told by
    /// [`Self::flush_acked`] and [`Self::refusal`].
    pub fn send(&self, owner: i32, record: Outgoing<'_>) -> Result<(), ProduceError> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        self.enqueue(owner, record.topic, Some(record.partition), (record.key, record.value, headers))
    }

    /// Sends a refused record on, byte for byte: key, value, all headers in their order, then the reasons; cut if the topic takes less,
    /// as [`schemas::letters`] says.
    pub fn send_dead_letter(&self, topic: &str, record: &Record, letter: &DeadLetter<'_>) -> Result<(), ProduceError> {
        self.enqueue(letter.partition, topic, None, letter.of(record, self.room(topic)))
    }

    /// Waits until everything sent before this call is acknowledged or refused, at most for `wait`.
    pub fn flush_acked(&self, wait: Duration) -> Result<(), ProduceError> {
        self.now().context().settle(wait)
    }

    /// What was refused first of what this owner sent since it began.
    pub fn refusal(&self, owner: i32) -> Option<Refusal> {
        self.refusals.of(owner)
    }

    /// Records sent and not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.now().context().in_flight()
    }

    fn now(&self) -> Arc<Client> {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another client takes over. What the one before still had on its way is waited for, if it works, and refused otherwise.
    fn change(&self, batch: usize, broken: bool) -> Result<(), ProduceError> {
        // Nothing is sent meanwhile, so that what is sent later does not arrive earlier.
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if !broken && client.context().settle(ROOM_WAIT).is_err() {
            tracing::warn!("what is on its way is sent again by another client");
        }
        give_up(&client);
        *client = Arc::new(made(&self.config, batch, &self.refusals)?);
        Ok(())
    }

    fn enqueue(
        &self,
        owner: i32,
        topic: &str,
        partition: Option<i32>,
        (key, payload, headers): letter::Message<'_>,
    ) -> Result<(), ProduceError> {
        let deadline = Instant::now() + ROOM_WAIT;
        let bytes = key.map_or(0, <[u8]>::len) + payload.map_or(0, <[u8]>::len);
        let sent = Box::new(Sent { epoch: 0, owner });
        let mut record: BaseRecord<'_, [u8], [u8], Box<Sent>> = BaseRecord::with_opaque_to(topic, sent);
        (record.partition, record.key, record.payload) = (partition, key, payload);
        record.headers = Some(headers);
        loop {
            let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
            if self.refusals.of(owner).is_some() {
                // It would arrive behind a gap.
                return Ok(());
            }
            let deliveries = client.context();
            let epoch = deliveries.begin();
            record.delivery_opaque.epoch = epoch;
            let (error, refused) = match client.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let is_full = error.rdkafka_error_code() == Some(Code::QueueFull);
            if !is_full {
                deliveries.refuse(owner, Refusal { topic: topic.to_owned(), bytes, source: error });
            }
            deliveries.cancel(epoch);
            if !is_full {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(ProduceError::AwaitRoom { topic: topic.to_owned(), in_flight: deliveries.in_flight() });
            }
            deliveries.wait_a_moment();
            record = refused;
        }
    }
}

fn made(client: &ClientConfig, batch: usize, refusals: &Arc<Refusals>) -> Result<Client, ProduceError> {
    let config = configured(client, batch);
    expect_to_hold(&config, &BINDING).map_err(|error| ProduceError::Configure { message: error.to_string() })?;
    config
        .create_with_context(Deliveries::new(refusals.clone()))
        .map_err(|error| ProduceError::Configure { message: error.to_string() })
}

/// Nothing that is on its way is waited for; each of it is refused.
fn give_up(client: &Client) {
    client.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    if let Err(error) = client.flush(Timeout::After(Duration::from_secs(1))) {
        tracing::debug!(%error, "records were still on their way at the end");
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // What is unacknowledged is re-sent after a restart, from the last commit; waiting for it here would hold up the end.
        give_up(&self.now());
    }
}

#[cfg(test)]
mod tests;

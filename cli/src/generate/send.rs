//! The stream into a Kafka topic, as fast as the client goes, in order within each partition.
//!
//! Keeps true: every record of the truth is acknowledged exactly once and in order (idempotent producer), or the call
//! fails; partitions are explicit; the broker stamps the log time unless asked otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::compare::iso;
use super::options::{Options, OptionsError};
use super::stream::{Event, FAR_AHEAD, Generator, SchemaIds};
use super::truth::Truth;

/// Longest wait for the last acknowledgements.
const FLUSH: Duration = Duration::from_mins(2);
/// Records between two polls, progress reports and looks at the clock.
const STRIDE: u64 = 8_192;

/// Why the stream is not in the topic as the truth says.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The options cannot be generated.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The event times would be judged as ahead of the log time, or the far-ahead ones would not.
    #[error(
        "events would be stamped from {start} to {end}, but it is {now}; allowed: a span that lies in the past, at most 19 years ago"
    )]
    NotInThePast {
        /// First event time.
        start: String,
        /// Last event time.
        end: String,
        /// The clock.
        now: String,
    },
    /// The producer cannot be made.
    #[error("cannot make a producer for '{bootstrap}'")]
    MakeProducer {
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        source: Box<KafkaError>,
    },
    /// The topic cannot be looked at.
    #[error("cannot look up topic '{topic}' at '{bootstrap}'")]
    LookUpTopic {
        /// The topic.
        topic: String,
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        source: Box<KafkaError>,
    },
    /// The topic's partitions are not those that the keys were dealt to.
    #[error("topic '{topic}' has {actual} partitions but the events are dealt to {expected}; allowed: the same number")]
    Partitions {
        /// The topic.
        topic: String,
        /// Asked for.
        expected: u32,
        /// There are.
        actual: u32,
    },
    /// A record was refused or not acknowledged.
    #[error("cannot deliver to topic '{topic}'")]
    Deliver {
        /// The topic.
        topic: String,
        /// The first error.
        source: Box<KafkaError>,
    },
}

/// Where and how to send; apart from what to send.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// Bootstrap servers, comma separated.
    pub bootstrap: &'a str,
    /// The topic; must exist with as many partitions as the options say.
    pub topic: &'a str,
    /// Records per second; 0 is as fast as it goes.
    pub rate: u64,
    /// Stamp records with the stream's own log time instead of leaving it to the client and the broker.
    pub create_time: bool,
}

impl<'a> Target<'a> {
    /// As fast as it goes, log times by the broker.
    pub fn new(bootstrap: &'a str, topic: &'a str) -> Self {
        Self { bootstrap, topic, rate: 0, create_time: false }
    }
}

/// Keeps the first delivery error.
#[derive(Clone, Default)]
struct FirstError(Arc<Mutex<Option<KafkaError>>>);

impl FirstError {
    fn get(&self) -> Option<KafkaError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, error: KafkaError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

impl ClientContext for FirstError {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "producer");
    }
}

impl ProducerContext for FirstError {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.note(error.clone());
        }
    }
}

/// Sends the whole stream, waits until all of it is acknowledged, and gives its truth. `progress` is told the number of
/// records handed over so far. Blocking: call it on a thread of its own.
///
/// # Errors
/// Anything that keeps the topic from holding exactly the stream; the topic then holds a part of it.
pub fn send(
    options: &Options,
    ids: SchemaIds,
    target: &Target<'_>,
    mut progress: impl FnMut(u64),
) -> Result<Truth, SendError> {
    check_clock(options, target)?;
    let mut generator = Generator::new(options, ids)?;
    let errors = FirstError::default();
    let producer = producer(target, errors.clone())?;
    check_topic(&producer, options, target)?;
    let started = Instant::now();
    let mut sent = 0;
    while let Some(event) = generator.next_event() {
        enqueue(&producer, target, &event)?;
        sent += 1;
        if sent % STRIDE == 0 || (target.rate > 0 && sent % pace_stride(target.rate) == 0) {
            producer.poll(Duration::ZERO);
            check_errors(&errors, target)?;
            progress(sent);
            pace(&producer, target.rate, sent, started);
        }
    }
    let flushed = producer.flush(FLUSH);
    check_errors(&errors, target)?;
    flushed.map_err(|source| deliver(target, source))?;
    progress(sent);
    Ok(generator.into_truth())
}

fn producer(target: &Target<'_>, errors: FirstError) -> Result<BaseProducer<FirstError>, SendError> {
    ClientConfig::new()
        .set("bootstrap.servers", target.bootstrap)
        .set("client.id", "sluice-generate")
        .set("enable.idempotence", "true")
        .set("compression.type", "none")
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "131072")
        .set("delivery.report.only.error", "true")
        .set("message.timeout.ms", "110000")
        .create_with_context(errors)
        .map_err(|source| SendError::MakeProducer { bootstrap: target.bootstrap.to_owned(), source: Box::new(source) })
}

/// The truth holds only while the log time is after all event times but the far-ahead ones.
fn check_clock(options: &Options, target: &Target<'_>) -> Result<(), SendError> {
    let now = worker::status::now();
    let too_old = options.shape.future > 0.0 && options.shape.start + FAR_AHEAD - 366 * 86_400_000 < now;
    if !target.create_time && (options.end() > now || too_old) {
        let (start, end, now) = (iso(options.shape.start), iso(options.end()), iso(now));
        return Err(SendError::NotInThePast { start, end, now });
    }
    Ok(())
}

fn check_topic(producer: &BaseProducer<FirstError>, options: &Options, target: &Target<'_>) -> Result<(), SendError> {
    let failed = |source| SendError::LookUpTopic {
        topic: target.topic.to_owned(),
        bootstrap: target.bootstrap.to_owned(),
        source: Box::new(source),
    };
    let metadata = producer.client().fetch_metadata(Some(target.topic), Duration::from_secs(30)).map_err(failed)?;
    let found = metadata.topics().iter().find(|topic| topic.name() == target.topic);
    if let Some(error) = found.and_then(rdkafka::metadata::MetadataTopic::error) {
        return Err(failed(KafkaError::MetadataFetch(error.into())));
    }
    let actual = found.map_or(0, |topic| topic.partitions().len() as u32);
    if actual != options.partitions {
        return Err(SendError::Partitions { topic: target.topic.to_owned(), expected: options.partitions, actual });
    }
    Ok(())
}

/// Hands one record to the client, waiting while its queue is full.
fn enqueue(producer: &BaseProducer<FirstError>, target: &Target<'_>, event: &Event<'_>) -> Result<(), SendError> {
    let mut record = BaseRecord::<[u8], [u8]>::to(target.topic).key(event.key).partition(event.partition.cast_signed());
    record.payload = event.value;
    record.timestamp = target.create_time.then_some(event.timestamp);
    record.headers = event.header.map(|(key, value)| OwnedHeaders::new().insert(Header { key, value: Some(value) }));
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((source, _)) => return Err(deliver(target, source)),
        }
    }
}

fn check_errors(errors: &FirstError, target: &Target<'_>) -> Result<(), SendError> {
    errors.get().map_or(Ok(()), |source| Err(deliver(target, source)))
}

fn deliver(target: &Target<'_>, source: KafkaError) -> SendError {
    SendError::Deliver { topic: target.topic.to_owned(), source: Box::new(source) }
}

/// Records between two looks at the clock, about a hundredth of a second's worth.
fn pace_stride(rate: u64) -> u64 {
    (rate / 100).max(1)
}

/// Waits, serving the client, until `sent` records are due.
fn pace(producer: &BaseProducer<FirstError>, rate: u64, sent: u64, started: Instant) {
    if rate == 0 {
        return;
    }
    let due = Duration::from_secs_f64(sent as f64 / rate as f64);
    while let Some(left) = due.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        producer.poll(left.min(Duration::from_millis(100)));
    }
}

//! The real world of ingest: Kafka through librdkafka, records decoded with the registry's schemas.
//!
//! Whatever is away is waited for with the worker's stop in view, and told in the status; nothing is skipped.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use plan::{Isolation, Plan};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use schemas::wire;
use schemas::wire::pieces::split;
use stream_core::{LogTime, Offset, Point, Program, Reason, Refused};

use super::IngestError;
use super::effects::{Broker, Commit, Ends, Read, Reader, Records};
use super::refused::words;
use crate::client::client;
use crate::decode::{DecodeError, Decoded, Decoder, LogClock, WriterSchemas};
use crate::meaning::Previous;
use crate::produce::{DeadLetter, Outgoing, ProduceError, Producer, Refusal};
use crate::source::batch::{Fetch, FetchError, PartitionQueue, Record};
use crate::source::{Consumer, SourceError};
use crate::status::Status;
use crate::stop::{Backoff, Stop};

/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(5);
/// How long a read waits for a full fetch.
const READ_WAIT: Duration = Duration::from_millis(5);
/// How long a commit is tried before the lane goes on and tries again at its next cut.
const COMMIT_WAIT: Duration = Duration::from_secs(5);
/// How long a wait for acknowledgements, or for room, lasts before it is told; it goes on.
const TELL_AFTER: Duration = Duration::from_secs(10);
/// How often a waiting lane looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes that key and headers of a record of the partials topic have at most.
const BESIDE_VALUE: usize = 256;
/// How long acknowledgements are still waited for when the worker is to stop.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// The clients of one worker.
pub(crate) struct Kafka {
    pub plan: Arc<Plan>,
    pub previous: Option<Arc<Previous>>,
    pub consumer: Arc<Consumer>,
    pub producer: Producer,
    pub schemas: Arc<dyn WriterSchemas + Send + Sync>,
    pub status: Arc<Status>,
    pub stop: Stop,
    /// Most records of one fetch.
    pub fetch_records: usize,
    /// Sees records of open transactions too, for the true end of a log.
    pub asker: OnceLock<BaseConsumer>,
}

impl Kafka {
    /// Sends a refused record to the dead-letter topic.
    fn dead_letter(
        &self,
        program: &Program,
        partition: i32,
        record: &Record,
        reason: &Reason,
    ) -> Result<(), IngestError> {
        let (reason, rule, message) = words(program, reason);
        let Plan { name: pipeline, source, dead_letter_topic, .. } = &*self.plan;
        let (topic, rule, message) = (&source.topic, rule.as_deref(), &message);
        let letter = DeadLetter { pipeline, topic, partition, reason, rule, message };
        self.insist(|_| self.producer.send_dead_letter(dead_letter_topic, record, &letter))
    }

    /// The end of the log, records of open transactions included.
    fn high(&self, partition: i32) -> Result<i64, SourceError> {
        let failed = |source| SourceError::AskWatermarks { partition, source };
        if self.asker.get().is_none() {
            let asker = client(&self.plan).set("isolation.level", "read_uncommitted").create().map_err(failed)?;
            // Another lane may have been faster; its client does as well.
            let _ = self.asker.set(asker);
        }
        let asker = self.asker.get().expect("it was just set");
        let topic = &self.plan.source.topic;
        let ask = || asker.fetch_watermarks(topic, partition, ASK).map(|(_, high)| high);
        match ask() {
            // The partition was added after this client had last asked which there are.
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)) => {
                asker.fetch_metadata(Some(topic), ASK).map_err(failed)?;
                ask().map_err(failed)
            }
            answer => answer.map_err(failed),
        }
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

impl Broker for Arc<Kafka> {
    fn expect_outputs(&self, partition: i32) -> Result<(), IngestError> {
        let topics = [&self.plan.partials_topic, &self.plan.dead_letter_topic];
        for topic in topics {
            self.consumer.expect_topic(topic, ASK)?;
        }
        Ok(self.producer.begin(partition, &topics.map(String::as_str), ASK)?)
    }

    fn topic_id(&self) -> Result<Option<String>, IngestError> {
        Ok(self.consumer.topic_id(ASK)?)
    }

    fn is_reachable(&self) -> bool {
        self.consumer.is_reachable()
    }

    fn ends(&self, partition: i32) -> Result<Ends, IngestError> {
        let log = self.consumer.watermarks(partition, ASK)?;
        let high = match self.plan.source.isolation {
            Isolation::ReadUncommitted => log.high,
            Isolation::ReadCommitted => self.high(partition)?,
        };
        Ok(Ends { low: Offset(log.low), stable: Offset(log.high), high: Offset(high) })
    }

    fn committed(&self, partitions: &[i32]) -> Result<Vec<Option<Commit>>, IngestError> {
        let committed = self.consumer.committed_with_metadata(partitions, ASK)?;
        let commit = |committed: crate::source::Committed| {
            Some(Commit { position: Offset(committed.offset?), metadata: committed.metadata })
        };
        Ok(committed.into_iter().map(commit).collect())
    }

    fn commit(&self, partition: i32, commit: &Commit) -> Result<(), IngestError> {
        Ok(self.consumer.commit(partition, commit.position.0, &commit.metadata, COMMIT_WAIT)?)
    }

    fn offset_at(&self, partition: i32, time: LogTime) -> Result<Offset, IngestError> {
        match self.consumer.offset_at(partition, time.0.max(0), ASK)? {
            Some(offset) => Ok(Offset(offset)),
            None => Ok(self.ends(partition)?.high),
        }
    }

    fn tenure(&self, partition: i32) -> Option<u64> {
        self.consumer.tenure(partition)
    }

    fn open(&self, partition: i32, tenure: u64, from: &Point, both: bool) -> Result<Box<dyn Reader>, IngestError> {
        let decoding = |plan: &Plan| Decoding {
            decoder: Decoder::new(self.schemas.clone(), &plan.reader_schema, plan.arrow_schema.clone()),
            clock: LogClock::resume(from.log_time.0.max(0)),
        };
        let before = self.previous.as_ref().filter(|_| both).map(|previous| decoding(&previous.plan));
        let queue = self.consumer.start_in(partition, Some(tenure), from.offset.0)?;
        Ok(Box::new(KafkaReader {
            kafka: self.clone(),
            partition,
            start: self.consumer.started(partition),
            queue,
            fetch: Fetch::with_capacity(self.fetch_records),
            decoding: decoding(&self.plan),
            before,
            gone: false,
        }))
    }

    fn send(&self, output: u32, record: &wire::Record) -> Result<(), IngestError> {
        let revision = record.from.revision.to_string();
        let incarnation = record.from.incarnation.to_string();
        let headers = [
            (wire::KIND_HEADER, record.content.kind().as_bytes()),
            (wire::REVISION_HEADER, revision.as_bytes()),
            (wire::INCARNATION_HEADER, incarnation.as_bytes()),
        ];
        let (owner, key) = (record.from.partition, record.from.partition.to_string());
        let (topic, partition) = (&self.plan.partials_topic, output as i32);
        // Key and headers are short.
        let most = self.producer.room(topic).saturating_sub(BESIDE_VALUE);
        for value in split(record, most)? {
            let outgoing =
                Outgoing { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers };
            self.insist(|_| self.producer.send(owner, outgoing))?;
        }
        Ok(())
    }

    /// However long the broker is away; a little while only when the worker is to stop.
    fn flush(&self) -> Result<(), IngestError> {
        self.insist(|waited| match self.producer.flush_acked(LOOK) {
            Err(ProduceError::AwaitAcks { in_flight, waited: last, last_words }) => {
                Err(ProduceError::AwaitAcks { in_flight, waited: waited + last, last_words })
            }
            flushed => flushed,
        })
    }

    fn arrived(&self, partition: i32) -> Result<(), IngestError> {
        let refused = |Refusal { topic, bytes, source }| IngestError::Refused { partition, topic, bytes, source };
        self.producer.refusal(partition).map_or(Ok(()), |refusal| Err(refused(refusal)))
    }
}

/// How one meaning reads records.
struct Decoding {
    decoder: Decoder<Arc<dyn WriterSchemas + Send + Sync>>,
    clock: LogClock,
}

/// A partition's queue and its decoders.
struct KafkaReader {
    kafka: Arc<Kafka>,
    partition: i32,
    /// The number of the start; none when the partition was lost at once.
    start: Option<u64>,
    queue: PartitionQueue,
    fetch: Fetch,
    decoding: Decoding,
    before: Option<Decoding>,
    /// The next record is gone from the log.
    gone: bool,
}

impl Reader for KafkaReader {
    fn owns(&self) -> bool {
        self.start.is_some() && self.kafka.consumer.started(self.partition) == self.start
    }

    fn read(&mut self, position: Offset, until: Offset) -> Result<Read, IngestError> {
        self.queue.read(&mut self.fetch, READ_WAIT);
        let status = &self.kafka.status;
        let task = format!("partition {}", self.partition);
        let count = self.fetch.records().partition_point(|record| record.offset() < until.0);
        let mut end = self.fetch.records()[..count].last().map_or(position.0, |last| last.offset() + 1);
        for error in self.fetch.errors() {
            match error {
                FetchError::PartitionEnd { offset, .. } => end = end.max((*offset).min(until.0)),
                FetchError::OffsetGone { .. } => self.gone = true,
                error => status.trouble(&task, reason_of(error), error.to_string()),
            }
        }
        if count == 0 && self.gone {
            return Err(IngestError::OffsetGone { partition: self.partition, position: position.0 });
        }
        if count == 0 {
            let none = |decoding: &Decoding| Records::none(&decoding.decoder.schema());
            let before = self.before.as_ref().map(none);
            return Ok(Read { records: none(&self.decoding), before, end: Offset(end) });
        }
        status.recovered(&task);
        let fetched = &self.fetch.records()[..count];
        let records = decode(&self.kafka, &mut self.decoding, fetched)?;
        let before = self.before.as_mut().map(|before| decode(&self.kafka, before, fetched)).transpose()?;
        Ok(Read { records, before, end: Offset(end) })
    }

    fn dead_letter(&self, program: &Program, refused: &Refused) -> Result<(), IngestError> {
        let records = self.fetch.records();
        let found = records.binary_search_by_key(&refused.offset.0, Record::offset);
        let record = &records[found.expect("a refused record is one of the fetch that was read")];
        self.kafka.dead_letter(program, self.partition, record, &refused.reason)
    }
}

impl Drop for KafkaReader {
    /// Behind a record that is gone the client would not read on, and what was sent before a refusal must be read again: the partition
    /// is started anew.
    fn drop(&mut self) {
        let anew = self.gone || self.kafka.producer.refusal(self.partition).is_some();
        if let Some(start) = self.start.filter(|_| anew)
            && let Err(error) = self.kafka.consumer.end(self.partition, start)
        {
            tracing::warn!(partition = self.partition, %error, "the partition is not started anew");
        }
    }
}

/// Decodes records, waiting for the registry as long as it takes.
fn decode(
    kafka: &Kafka,
    Decoding { decoder, clock }: &mut Decoding,
    fetched: &[Record],
) -> Result<Records, IngestError> {
    let mut backoff = Backoff::default();
    let status = &kafka.status;
    loop {
        match decoder.decode(fetched, clock) {
            Ok(decoded) => {
                status.recovered("registry");
                return Ok(records(decoded));
            }
            Err(DecodeError::AskRegistry { key, source }) => {
                status.trouble("registry", "RegistryUnreachable", format!("schema {key}: {source}"));
            }
            Err(error) => return Err(error.into()),
        }
        if kafka.stop.wait(backoff.next()) {
            return Err(IngestError::Stopped);
        }
    }
}

fn records(decoded: Decoded) -> Records {
    let undecodable = decoded.poison();
    let Decoded { batch, offsets, log_times, .. } = decoded;
    Records { rows: batch, offsets, log_times, undecodable }
}

fn reason_of(error: &FetchError) -> &'static str {
    match error {
        FetchError::Refused { .. } => "TopicMissing",
        FetchError::OffsetGone { .. } | FetchError::PartitionEnd { .. } | FetchError::Failed { .. } => {
            "BrokerUnreachable"
        }
    }
}

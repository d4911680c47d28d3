//! `sluice dlq replay`: dead letters back into the source topic, byte for byte, each once.
//!
//! Keeps true: a record is sent back only if no record of the source topic says already that it came from there; what is
//! sent differs from what was refused by one header ([`REPLAYED_FROM`]) and nothing else. Two replays at the same time do
//! not see each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;
use worker::client::client;
use worker::registry::SchemaCache;
use worker::trial::{Findings, Trial, TrialError};

use super::letter::{Letter, REPLAYED_FROM};
use crate::stretch::{StretchError, read};

/// Longest wait for the last acknowledgements.
const FLUSH: Duration = Duration::from_mins(1);
/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(10);
/// Clocks of brokers differ by less.
const SLACK: i64 = 60_000;

/// Why letters are not back in the topic. What was sent before is: run it again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// What was sent back already cannot be seen.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// Today's rules cannot be tried.
    #[error("cannot try today's rules: {0}")]
    Try(#[from] TrialError),
    /// The watermarks cannot be seen.
    #[error("cannot read the progress of group '{group}': {source}")]
    Progress {
        /// The pipeline's group.
        group: String,
        /// Why.
        source: KafkaError,
    },
    /// A record was not taken.
    #[error("cannot send to topic '{topic}': {source}")]
    Send {
        /// The source topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
}

/// Places of origin that a record of the source topic names, so they are back already.
///
/// # Errors
/// The topic cannot be read.
pub fn sent_back(plan: &Plan, letters: &[&Letter]) -> Result<BTreeSet<String>, StretchError> {
    let mut found = BTreeSet::new();
    // Nothing is back before it was refused.
    let Some(first) = letters.iter().map(|letter| letter.record.timestamp.ms).min() else { return Ok(found) };
    read(plan, &plan.source.topic, Some(first.saturating_sub(SLACK)), |record| {
        let names = record.headers.iter().filter(|(name, _)| name == REPLAYED_FROM);
        found.extend(names.filter_map(|(_, value)| String::from_utf8(value.clone()?).ok()));
    })?;
    Ok(found)
}

/// What the pipeline of the manifest would say of the letters now: its rules, and the watermarks that are committed.
///
/// # Errors
/// Kafka or the registry does not answer.
pub fn dry_run(plan: &Arc<Plan>, letters: &[&Letter]) -> Result<Findings, ReplayError> {
    let watermarks = watermarks(plan).map_err(|source| ReplayError::Progress { group: plan.group.clone(), source })?;
    let schemas = Arc::new(SchemaCache::new(&plan.registry_url));
    let mut findings = Findings::default();
    let mut partitions: BTreeMap<i32, Vec<_>> = BTreeMap::new();
    for letter in letters {
        partitions.entry(letter.partition).or_default().push(letter);
    }
    for (partition, letters) in partitions {
        let mut trial = Trial::new(plan, schemas.clone(), partition, 0, watermarks.get(&partition).copied())?;
        let again = letters.iter().map(|letter| {
            let mut record = letter.record.clone();
            record.offset = letter.offset;
            record
        });
        trial.feed(&again.collect::<Vec<_>>())?;
        findings.merge(trial.finish()?);
    }
    Ok(findings)
}

/// The committed watermark of each partition, as far as there is one.
fn watermarks(plan: &Plan) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let asker: BaseConsumer = client(plan).set("group.id", &plan.group).create()?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(&plan.source.topic, 0, plan.source.partitions as i32 - 1);
    let committed = asker.committed_offsets(wanted, ASK)?;
    let watermark = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let Offset::Offset(position) = element.offset() else { return None };
        let watermark = worker::progress::watermark(position, element.metadata())?;
        Some((element.partition(), watermark))
    };
    Ok(committed.elements().iter().filter_map(watermark).collect())
}

/// Sends the letters back, at most `rate` a second; `progress` is told how many are on their way.
///
/// # Errors
/// The broker refuses, or does not acknowledge.
pub fn send(plan: &Plan, letters: &[&Letter], rate: u32, mut progress: impl FnMut(usize)) -> Result<(), ReplayError> {
    let failed = |source| ReplayError::Send { topic: plan.source.topic.clone(), source };
    let producer: BaseProducer = client(plan)
        .set("enable.idempotence", "true")
        .set("allow.auto.create.topics", "false")
        // What was in the topic once goes back in; what it takes in one batch may have been lowered since.
        .set("message.max.bytes", "67108864")
        .set("batch.size", "16384")
        .create()
        .map_err(failed)?;
    let started = Instant::now();
    for (number, letter) in letters.iter().enumerate() {
        let due = started + Duration::from_secs_f64(number as f64 / f64::from(rate.max(1)));
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            producer.poll(left.min(Duration::from_millis(100)));
        }
        enqueue(&producer, plan, letter).map_err(failed)?;
        progress(number + 1);
    }
    producer.flush(FLUSH).map_err(failed)
}

fn enqueue(producer: &BaseProducer, plan: &Plan, letter: &Letter) -> Result<(), KafkaError> {
    let id = letter.id();
    let own = letter
        .record
        .headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
    let mut record = BaseRecord::<[u8], [u8]>::to(&plan.source.topic).partition(letter.partition);
    (record.key, record.payload) = (letter.record.key.as_deref(), letter.record.value.as_deref());
    record.headers = Some(own.insert(Header { key: REPLAYED_FROM, value: Some(&id) }));
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(rdkafka::types::RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

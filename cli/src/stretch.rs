//! Reading a stretch of a topic: from a time, or from its beginning, to its end as it is at the start. Nothing is committed.

mod find;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use plan::{Isolation, Plan};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use thiserror::Error;
use worker::client::client;
use worker::decode::Framed;
use worker::source::batch::{Timestamp, TimestampKind};

pub use find::Finder;

/// How long the broker may take for one answer.
const ASK: Duration = Duration::from_secs(10);
/// How long a broker may send nothing while records are missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A header: its name, and its value unless it is null.
pub type Header = (String, Option<Vec<u8>>);

/// Why a topic cannot be read.
#[derive(Debug, Error)]
pub enum StretchError {
    /// The broker does not answer, or refuses.
    #[error("cannot read topic '{topic}': {source}")]
    Read {
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// It answers, but sends no records.
    #[error("topic '{topic}' sent nothing for {} s", PATIENCE.as_secs())]
    Silent {
        /// The topic.
        topic: String,
    },
}

/// A record with its own copy of everything.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka's timestamp.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<Header>,
}

impl Framed for Stored {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn payload(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn schema_header(&self) -> Option<&[u8]> {
        self.header("__value_schema_id")
    }
}

impl Stored {
    /// The value of the last header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(found, _)| found == name).and_then(|(_, value)| value.as_deref())
    }

    fn of(message: &BorrowedMessage<'_>) -> Self {
        let timestamp = match message.timestamp() {
            rdkafka::Timestamp::NotAvailable => Timestamp { ms: -1, kind: TimestampKind::Missing },
            rdkafka::Timestamp::CreateTime(ms) => Timestamp { ms, kind: TimestampKind::Create },
            rdkafka::Timestamp::LogAppendTime(ms) => Timestamp { ms, kind: TimestampKind::LogAppend },
        };
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

/// Gives every record of `topic` from `since` (milliseconds; absent: the beginning) to `each`, the partitions in any order.
///
/// # Errors
/// The broker's.
pub fn read(plan: &Plan, topic: &str, since: Option<i64>, each: impl FnMut(Stored)) -> Result<(), StretchError> {
    Stretch::open(plan, topic, since)?.read(each)
}

/// A stretch that is about to be read.
pub struct Stretch {
    consumer: BaseConsumer,
    topic: String,
    places: Places,
}

/// Where a stretch lies in each partition.
#[derive(Debug, Default)]
struct Places {
    /// The first offset that the partition still holds.
    lows: BTreeMap<i32, i64>,
    /// The first offset that is read, or would be.
    starts: BTreeMap<i32, i64>,
    /// The offsets that are read, where there are any.
    ranges: BTreeMap<i32, Range<i64>>,
}

impl Stretch {
    /// The stretch of `topic` from `since` (milliseconds; absent: the beginning) to its end as it is now.
    ///
    /// # Errors
    /// The broker's.
    pub fn open(plan: &Plan, topic: &str, since: Option<i64>) -> Result<Self, StretchError> {
        let failed = |source| StretchError::Read { topic: topic.to_owned(), source };
        let consumer = consumer(plan).map_err(failed)?;
        let places = assign(&consumer, topic, since).map_err(failed)?;
        Ok(Self { consumer, topic: topic.to_owned(), places })
    }

    /// The stretch of `topic` from one offset of each of these partitions to their ends as they are now.
    ///
    /// # Errors
    /// The broker's.
    pub fn behind(plan: &Plan, topic: &str, starts: &BTreeMap<i32, i64>) -> Result<Self, StretchError> {
        let failed = |source| StretchError::Read { topic: topic.to_owned(), source };
        let consumer = consumer(plan).map_err(failed)?;
        let mut places = Places::default();
        for (partition, from) in starts {
            let (low, high) = consumer.fetch_watermarks(topic, *partition, ASK).map_err(failed)?;
            places.add(*partition, low, (*from).max(low)..high);
        }
        places.assign(&consumer, topic).map_err(failed)?;
        Ok(Self { consumer, topic: topic.to_owned(), places })
    }

    /// The first offset that each partition still holds.
    pub fn lows(&self) -> &BTreeMap<i32, i64> {
        &self.places.lows
    }

    /// The first offset of each partition that will be read, or would be if there were one.
    pub fn starts(&self) -> &BTreeMap<i32, i64> {
        &self.places.starts
    }

    /// The offsets that will be read, of each partition that has some.
    pub fn ranges(&self) -> &BTreeMap<i32, Range<i64>> {
        &self.places.ranges
    }

    /// Gives every record to `each`, the partitions in any order, those of one in the order of the log.
    ///
    /// # Errors
    /// The broker's.
    pub fn read(self, mut each: impl FnMut(Stored)) -> Result<(), StretchError> {
        let Self { consumer, topic, places: Places { ranges, .. } } = self;
        let failed = |source| StretchError::Read { topic: topic.clone(), source };
        let mut ends: BTreeMap<i32, i64> =
            ranges.into_iter().map(|(partition, range)| (partition, range.end)).collect();
        let mut heard = Instant::now();
        while !ends.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                Some(message) => {
                    let message = message.map_err(failed)?;
                    heard = Instant::now();
                    // What was appended behind the end as it was is left out.
                    if ends.get(&message.partition()).is_some_and(|end| message.offset() < *end) {
                        each(Stored::of(&message));
                    }
                }
                None if heard.elapsed() > PATIENCE => return Err(StretchError::Silent { topic }),
                None => {}
            }
            let position = consumer.position().map_err(failed)?;
            ends.retain(|partition, end| {
                let reached = position.find_partition(&topic, *partition).map(|element| element.offset());
                !matches!(reached, Some(Offset::Offset(at)) if at >= *end)
            });
        }
        Ok(())
    }
}

/// A consumer that sees what the pipeline sees.
fn consumer(plan: &Plan) -> Result<BaseConsumer, KafkaError> {
    let isolation = match plan.source.isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    client(plan)
        .set("group.id", format!("{}.look", plan.group))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", isolation)
        .create()
}

impl Places {
    fn add(&mut self, partition: i32, low: i64, range: Range<i64>) {
        self.lows.insert(partition, low);
        self.starts.insert(partition, range.start);
        if !range.is_empty() {
            self.ranges.insert(partition, range);
        }
    }

    /// Starts every partition that has something to read.
    fn assign(&self, consumer: &BaseConsumer, topic: &str) -> Result<(), KafkaError> {
        let mut start = TopicPartitionList::new();
        for (partition, range) in &self.ranges {
            start.add_partition_offset(topic, *partition, Offset::Offset(range.start))?;
        }
        consumer.assign(&start)
    }
}

/// Starts every partition that has something to read from `since` on.
fn assign(consumer: &BaseConsumer, topic: &str, since: Option<i64>) -> Result<Places, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK)?;
    let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
    let (mut times, mut places) = (TopicPartitionList::new(), Places::default());
    let numbers: Vec<i32> = partitions.map(MetadataPartition::id).collect();
    for number in &numbers {
        times.add_partition_offset(topic, *number, Offset::Offset(since.unwrap_or(0)))?;
    }
    // A topic that is not there has no partitions, of which the client would not ask.
    let asks = since.is_some() && !numbers.is_empty();
    let found = if asks { Some(consumer.offsets_for_times(times, ASK)?) } else { None };
    for number in numbers {
        let (low, high) = consumer.fetch_watermarks(topic, number, ASK)?;
        let first = match &found {
            None => low,
            Some(found) => match found.find_partition(topic, number).map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset.max(low),
                _ => high,
            },
        };
        places.add(number, low, first..high);
    }
    places.assign(consumer, topic)?;
    Ok(places)
}

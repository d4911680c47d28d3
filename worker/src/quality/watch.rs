//! Reads the batch reports in the partials topic: those of the last span at the start, and the new ones for as long as
//! nobody else in this worker reads them.
//!
//! A report is appended after the records that it is about, so whatever counts lies behind the place in the topic that has
//! the log time at which the span begins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, KIND_HEADER};
use stream_core::{Fences, Partition};
use thiserror::Error;

use super::Quality;
use crate::client::client;
use crate::source::close_within;
use crate::status::{Status, now};
use crate::stop::{Backoff, Stop};

/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(5);
/// How long a read waits for a message.
const WAIT: Duration = Duration::from_millis(100);
/// Longer than anybody waits at once.
const FOREVER: Duration = Duration::from_hours(1);
/// The name under which it tells what hinders it.
const TASK: &str = "quality reports";

/// Watching cannot go on.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The client could not be made. The user must mend the settings.
    #[error("cannot make the client that reads the reports in '{topic}': {source}")]
    MakeClient {
        /// The partials topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
}

/// The task.
pub(crate) struct Watch {
    pub plan: Arc<Plan>,
    pub group: String,
    pub quality: Arc<Quality>,
    pub status: Arc<Status>,
    pub stop: Stop,
    /// Whether to go on after the start: nobody else in this worker reads the reports.
    pub follow: bool,
}

impl Watch {
    /// Reads what lies behind, follows if nobody else does, and ends when the worker is to stop.
    pub(crate) fn run(self) -> Result<(), WatchError> {
        let topic = self.plan.partials_topic.clone();
        let consumer = self.consumer().map_err(|source| WatchError::MakeClient { topic, source })?;
        if let Some(mut known) = self.insist(&consumer) {
            self.quality.set_known();
            while self.follow && !self.stop.is_requested() {
                // A broker that is away is told by the source's link; here the client just goes on.
                if let Some(Ok(message)) = consumer.poll(WAIT) {
                    self.take_in(&message, &mut known);
                }
            }
        }
        close_within(consumer, ASK);
        while !self.stop.wait(FOREVER) {}
        Ok(())
    }

    /// Catches up, however long the broker is away; nothing when the worker is to stop.
    fn insist(&self, consumer: &BaseConsumer) -> Option<Known> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.catch_up(consumer) {
                Ok(known) => {
                    self.status.recovered(TASK);
                    return (!self.stop.is_requested()).then_some(known);
                }
                Err(error) => error,
            };
            let topic = &self.plan.partials_topic;
            let message = match reason(&error) {
                "TopicMissing" => format!("topic '{topic}' does not exist at the broker"),
                _ => format!("the reports in '{topic}' cannot be read: {error}"),
            };
            self.status.trouble(TASK, reason(&error), message);
            if self.stop.wait(backoff.next()) {
                return None;
            }
        }
    }

    fn consumer(&self) -> Result<BaseConsumer, KafkaError> {
        client(&self.plan)
            .set("group.id", format!("{}.quality", self.group))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .create()
    }

    /// Reads from ever further back until a whole span lies behind the newest report.
    fn catch_up(&self, consumer: &BaseConsumer) -> Result<Known, KafkaError> {
        // Twice the span, so that the beginning of a state within it is seen.
        let (now, wanted) = (now(), self.plan.thresholds.span_ms.saturating_mul(2));
        let mut back = wanted;
        loop {
            let from = now.saturating_sub(back).max(0);
            let places = self.places(consumer, from)?;
            let at_start = places.iter().all(|place| place.start <= place.low);
            let known = self.read(consumer, &places)?;
            if at_start || self.stop.is_requested() {
                return Ok(known);
            }
            back = match self.quality.newest() {
                Some(newest) if newest.0 - self.plan.thresholds.span_ms >= from => return Ok(known),
                Some(newest) => now.saturating_sub(newest.0).saturating_add(wanted),
                None => back.saturating_mul(4),
            };
        }
    }

    fn places(&self, consumer: &BaseConsumer, from: i64) -> Result<Vec<Place>, KafkaError> {
        let topic = &self.plan.partials_topic;
        let mut times = TopicPartitionList::new();
        for output in 0..self.plan.partials_partitions as i32 {
            times.add_partition_offset(topic, output, Offset::Offset(from))?;
        }
        let found = consumer.offsets_for_times(times, ASK)?;
        let place = |output: i32| {
            let (low, high) = consumer.fetch_watermarks(topic, output, ASK)?;
            let start = match found.find_partition(topic, output).map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset.clamp(low, high),
                _ => high,
            };
            Ok(Place { output, low, start, high })
        };
        (0..self.plan.partials_partitions as i32).map(place).collect()
    }

    /// Reads what lies between the places and the ends, and stays there.
    fn read(&self, consumer: &BaseConsumer, places: &[Place]) -> Result<Known, KafkaError> {
        let mut known = Known::new();
        let mut assigned = TopicPartitionList::new();
        for place in places {
            assigned.add_partition_offset(&self.plan.partials_topic, place.output, Offset::Offset(place.start))?;
        }
        consumer.assign(&assigned)?;
        let mut left: Vec<&Place> = places.iter().filter(|place| place.start < place.high).collect();
        while !left.is_empty() && !self.stop.is_requested() {
            if let Some(message) = consumer.poll(WAIT) {
                self.take_in(&message?, &mut known);
            }
            // The client's own position passes over what is no message.
            let position = consumer.position()?;
            left.retain(|place| {
                let reached = position.find_partition(&self.plan.partials_topic, place.output);
                !matches!(reached.map(|element| element.offset()), Some(Offset::Offset(at)) if at >= place.high)
            });
        }
        Ok(known)
    }

    /// Reports of owners that were fenced off do not count, as they do not for the publisher. What is neither report nor fence, or does
    /// not parse, is the publisher's to tell.
    fn take_in(&self, message: &BorrowedMessage<'_>, known: &mut Known) {
        if !is_told(message) {
            return;
        }
        let partitions = self.plan.source.partitions as usize;
        let start = || (Fences::of(vec![0; partitions]), Joiner::default());
        let (fences, joiner) = known.entry(message.partition()).or_insert_with(start);
        let taken = joiner.take(message.offset(), message.payload().unwrap_or_default());
        let senders: Vec<_> = joiner.open().map(|(from, _)| from).collect();
        if let Ok(Some(record)) = taken {
            let (from, partition) = (record.from, Partition(record.from.partition));
            if let Content::Report(body) = record.content
                && fences.admits(partition, from.incarnation)
            {
                self.quality.observe(from.partition, &body);
            }
            fences.raise(partition, from.incarnation);
        }
        // Reading may have begun behind the fence; whatever an owner sends comes behind it.
        for from in senders {
            fences.raise(Partition(from.partition), from.incarnation);
        }
    }
}

/// The owners known in each output, and what is not whole yet there.
type Known = BTreeMap<i32, (Fences, Joiner)>;

fn reason(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => "TopicMissing",
        _ => "BrokerUnreachable",
    }
}

/// Whether it is a report or a fence, by the header alone, so that partials need not be parsed.
fn is_told(message: &BorrowedMessage<'_>) -> bool {
    let headers = message.headers();
    let is_one = |value: Option<&[u8]>| matches!(value, Some(b"report" | b"fence"));
    headers.is_some_and(|headers| headers.iter().any(|header| header.key == KIND_HEADER && is_one(header.value)))
}

/// Where to read in a partition of the partials topic.
struct Place {
    output: i32,
    low: i64,
    start: i64,
    high: i64,
}

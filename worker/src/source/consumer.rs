//! Owns one membership in the consumer group and the questions that a lane asks the broker.
//!
//! Kept true: a partition is read from the offset that [`Consumer::start`] names and from nowhere else; commits are
//! synchronous and carry their metadata; nothing here ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::batch::PartitionQueue;
use super::commit::commit_within;
use super::committed::committed_of;
use super::error::{SourceError, classify, is_behind_the_group};
use super::link::Link;
use super::membership::{Membership, SourceEvent};
use super::settings::{BINDING, SourceSettings};
use super::topic_id::topic_id;
use crate::client::expect_to_hold;

/// How long one turn of the serving thread waits for group events.
const TURN: Duration = Duration::from_millis(100);
/// Pauses between questions to a broker that does not answer.
const PROBE_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// How long one such question waits.
const PROBE_WAIT: Duration = Duration::from_secs(1);
/// Pauses between tries of a commit.
const COMMIT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long leaving the group may take while the broker answers, and while it does not.
const LEAVE_WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));
/// How long a member that does not come back waits until the group has taken its partitions, and for the word to be sent.
const DEPART_WAIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(300));
/// A revocation waits this long for the lanes (`max.poll.interval.ms` is 300 s).
const REVOKE_WAIT: Duration = Duration::from_mins(1);

/// A member of the group. Cheap to share behind an `Arc`; all methods may be called from any thread.
pub struct Consumer {
    base: Arc<BaseConsumer<Membership>>,
    topic: String,
    leaving: Arc<AtomicBool>,
    departing: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
    /// The broker answers questions, but not the one for the topic's identity.
    knows_no_identity: AtomicBool,
}

/// First and next offset of a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that can still be read.
    pub low: i64,
    /// The offset after the last one that can be read; with `ReadCommitted` the last stable offset.
    pub high: i64,
}

/// What the group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The partition.
    pub partition: i32,
    /// The next offset to read; `None` when nothing was ever committed (or it expired).
    pub offset: Option<i64>,
    /// The text committed with it.
    pub metadata: String,
}

impl Consumer {
    /// Joins the group. Returns at once, also when no broker answers: that is told as [`SourceEvent::Link`].
    pub fn join(settings: &SourceSettings) -> Result<(Self, Receiver<SourceEvent>), SourceError> {
        let (sender, events) = unbounded();
        let config = settings.client_config();
        expect_to_hold(&config, &BINDING).map_err(|error| SourceError::Configure { message: error.to_string() })?;
        let base: BaseConsumer<Membership> = config
            .create_with_context(Membership::new(sender, REVOKE_WAIT))
            .map_err(|error| SourceError::Configure { message: error.to_string() })?;
        let topic = settings.topic.clone();
        base.subscribe(&[&topic]).map_err(|source| SourceError::Subscribe { topic: topic.clone(), source })?;
        let base = Arc::new(base);
        let leaving = Arc::new(AtomicBool::new(false));
        let departing = Arc::new(AtomicBool::new(false));
        let server =
            Server { base: base.clone(), topic: topic.clone(), leaving: leaving.clone(), departing: departing.clone() };
        let server = Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || server.run())
            .map_err(|source| SourceError::Spawn { source })?;
        let knows_no_identity = AtomicBool::new(false);
        Ok((Self { base, topic, leaving, departing, server: Some(server), knows_no_identity }, events))
    }

    /// Begins to read an assigned partition at `offset`.
    pub fn start(&self, partition: i32, offset: i64) -> Result<PartitionQueue, SourceError> {
        self.start_in(partition, self.tenure(partition), offset)
    }

    /// The same, unless the partition has been lost since `tenure` was asked for, even if it has come back.
    pub fn start_in(&self, partition: i32, tenure: Option<u64>, offset: i64) -> Result<PartitionQueue, SourceError> {
        // Held throughout, so that a revocation comes wholly before or wholly after.
        let mut parts = self.base.context().partitions();
        if !parts.assigned.contains(&partition) || parts.tenures.get(&partition).copied() != tenure {
            return Err(SourceError::Own { partition });
        }
        if parts.started.contains_key(&partition) {
            return Err(SourceError::StartTwice { partition });
        }
        let queue = PartitionQueue::split(&self.base, &self.topic, partition)?;
        let failed = |source| SourceError::Start { partition, offset, source };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(offset)).map_err(failed)?;
        self.base.incremental_assign(&list).map_err(failed)?;
        parts.starts += 1;
        let number = parts.starts;
        parts.started.insert(partition, number);
        Ok(queue)
    }

    /// Ends the start with this `number` of a partition that stays this member's, so that it can be started anew. Its queue must not be
    /// read any more.
    pub fn end(&self, partition: i32, number: u64) -> Result<(), SourceError> {
        let mut parts = self.base.context().partitions();
        if parts.started.get(&partition) != Some(&number) {
            return Ok(());
        }
        parts.started.remove(&partition);
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        self.base.incremental_unassign(&list).map_err(|source| SourceError::End { partition, source })
    }

    /// The number of the assignment by which the partition is this member's.
    pub fn tenure(&self, partition: i32) -> Option<u64> {
        self.base.context().partitions().tenures.get(&partition).copied()
    }

    /// The number of the partition's start, while it is read: one that was lost and came back has another, or none yet.
    pub fn started(&self, partition: i32) -> Option<u64> {
        self.base.context().partitions().started.get(&partition).copied()
    }

    /// The partitions assigned now.
    pub fn assigned(&self) -> Vec<i32> {
        self.base.context().partitions().assigned.iter().copied().collect()
    }

    /// The way to the broker.
    pub fn link(&self) -> Link {
        self.base.context().link.link()
    }

    /// Whether a question will probably be answered: the broker answered, and no connection has failed since.
    pub fn is_reachable(&self) -> bool {
        let link = &self.base.context().link;
        link.link() == Link::Up && !link.is_doubtful()
    }

    /// How many partitions the topic has.
    pub fn partition_count(&self, wait: Duration) -> Result<u32, SourceError> {
        partition_count(&self.base, &self.topic, wait)
    }

    /// The topic's identity, asked for now; `None` when the broker gives none, or answers about the topic but not this question. Such a
    /// broker is not asked it again, for it would be waited for in vain each time.
    pub fn topic_id(&self, wait: Duration) -> Result<Option<String>, SourceError> {
        let topic = || self.topic.clone();
        if self.knows_no_identity.load(Ordering::Relaxed) {
            return self.partition_count(wait).map(|_| None);
        }
        match topic_id(&self.base, &self.topic, wait) {
            Ok(id) => {
                self.base.context().answered();
                Ok(id)
            }
            Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition | Code::UnknownTopic)) => {
                Err(SourceError::FindTopic { topic: topic() })
            }
            Err(KafkaError::MetadataFetch(Code::OperationTimedOut)) => {
                self.partition_count(wait)?;
                self.knows_no_identity.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Err(source) => Err(SourceError::AskTopic { topic: topic(), source }),
        }
    }

    /// Whether there is such a topic: what is sent to one that is missing is lost.
    pub fn expect_topic(&self, topic: &str, wait: Duration) -> Result<(), SourceError> {
        partition_count(&self.base, topic, wait).map(drop)
    }

    /// The ends of a partition's log, asked for now.
    pub fn watermarks(&self, partition: i32, wait: Duration) -> Result<Watermarks, SourceError> {
        let asked = self.base.fetch_watermarks(&self.topic, partition, wait);
        let (low, high) = asked.map_err(|source| SourceError::AskWatermarks { partition, source })?;
        self.base.context().answered();
        Ok(Watermarks { low, high })
    }

    /// The first offset of a record whose timestamp is at or after `time` (milliseconds since the epoch); `None` when there is none.
    pub fn offset_at(&self, partition: i32, time: i64, wait: Duration) -> Result<Option<i64>, SourceError> {
        let failed = |source| SourceError::AskWatermarks { partition, source };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(time)).map_err(failed)?;
        let answer = self.base.offsets_for_times(list, wait).map_err(failed)?;
        self.base.context().answered();
        let element = answer.find_partition(&self.topic, partition);
        let element = element.ok_or_else(|| failed(KafkaError::OffsetFetch(Code::UnknownPartition)))?;
        element.error().map_err(failed)?;
        Ok(match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    }

    /// What the group has committed for these partitions, in their order.
    pub fn committed_with_metadata(&self, partitions: &[i32], wait: Duration) -> Result<Vec<Committed>, SourceError> {
        let failed = |source| SourceError::AskCommitted { source };
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let list = self.base.committed_offsets(list, wait).map_err(failed)?;
        self.base.context().answered();
        let find = |partition: &i32| {
            let (offset, metadata) = committed_of(&list, &self.topic, *partition).map_err(failed)?.unzip();
            Ok(Committed { partition: *partition, offset, metadata: metadata.unwrap_or_default() })
        };
        partitions.iter().map(find).collect()
    }

    /// Commits `offset` (the next one to read) with `metadata`; returns when the broker has it. Tries again for up to `wait`.
    /// A refusal in the middle of a rebalance is one to try again, as long as the group has not taken the partition away; when
    /// it has, the error is [`SourceError::Own`].
    pub fn commit(&self, partition: i32, offset: i64, metadata: &str, wait: Duration) -> Result<(), SourceError> {
        let deadline = Instant::now() + wait;
        let failed = |source| SourceError::Commit { partition, offset, source };
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&self.topic, partition);
        element.set_offset(Offset::Offset(offset)).map_err(failed)?;
        element.set_metadata(metadata);
        let mut pause = COMMIT_PAUSE.0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Err(source) = commit_within(&self.base, &list, left) else {
                self.base.context().answered();
                return Ok(());
            };
            if is_behind_the_group(&source) && !self.assigned().contains(&partition) {
                return Err(SourceError::Own { partition });
            }
            if !classify(&source).1 || Instant::now() + pause >= deadline {
                return Err(failed(source));
            }
            sleep(pause);
            pause = (pause * 2).min(COMMIT_PAUSE.1);
        }
    }

    /// When this member leaves, it does not come back: a static one too gives its place up, and others have its partitions at once
    /// instead of when its session is over.
    pub fn depart_when_leaving(&self) {
        self.departing.store(true, Ordering::Release);
    }

    /// Leaves the group and waits for it: partitions are revoked first, as [`SourceEvent::Revoked`], so the events must be
    /// served (or their receiver dropped) until this returns. A static member keeps its place. Without the broker it is not
    /// waited for long: the group finds out by itself.
    pub fn leave(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.leaving.store(true, Ordering::Release);
        let Some(server) = self.server.take() else { return };
        let wait = if self.link() == Link::Up { LEAVE_WAIT.0 } else { LEAVE_WAIT.1 };
        join_within(server, wait, "the thread that serves the consumer group");
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn partition_count(base: &BaseConsumer<Membership>, topic: &str, wait: Duration) -> Result<u32, SourceError> {
    let name = || topic.to_owned();
    let metadata =
        base.fetch_metadata(Some(topic), wait).map_err(|source| SourceError::AskTopic { topic: name(), source })?;
    base.context().answered();
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(|| SourceError::FindTopic { topic: name() })?;
    match found.error().map(Code::from) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Err(SourceError::FindTopic { topic: name() }),
        Some(code) => Err(SourceError::AskTopic { topic: name(), source: KafkaError::MetadataFetch(code) }),
        None => Ok(found.partitions().len() as u32),
    }
}

/// Closes a consumer, which waits for a broker that is away as long as the session may last; after `wait` that goes on in
/// the background.
pub fn close_within<C: ConsumerContext + 'static>(consumer: BaseConsumer<C>, wait: Duration) {
    let closing = Builder::new().name("kafka-close".to_owned()).spawn(move || drop(consumer));
    match closing {
        Ok(closing) => join_within(closing, wait, "the thread that closes a consumer"),
        Err(error) => tracing::warn!(%error, "a consumer was closed without a thread of its own"),
    }
}

fn join_within(thread: JoinHandle<()>, wait: Duration, what: &str) {
    let deadline = Instant::now() + wait;
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            tracing::warn!("{what} still waits for the broker and is left alone");
            return;
        }
        sleep(Duration::from_millis(5));
    }
    if thread.join().is_err() {
        tracing::error!("{what} panicked");
    }
}

/// The thread that serves the group's events.
struct Server {
    base: Arc<BaseConsumer<Membership>>,
    topic: String,
    leaving: Arc<AtomicBool>,
    departing: Arc<AtomicBool>,
}

impl Server {
    fn run(self) {
        let mut pause = PROBE_PAUSE.0;
        let mut next_probe = Instant::now();
        while !self.leaving.load(Ordering::Acquire) {
            self.turn();
            if !self.base.context().is_in_question() {
                (pause, next_probe) = (PROBE_PAUSE.0, Instant::now());
            } else if Instant::now() >= next_probe {
                self.probe();
                next_probe = Instant::now() + pause;
                pause = (pause * 2).min(PROBE_PAUSE.1);
            }
        }
        if self.departing.load(Ordering::Acquire) && self.base.context().link.link() == Link::Up {
            self.depart();
        }
        match self.base.close_queue() {
            Ok(()) => {
                while !self.base.closed() {
                    self.turn();
                }
            }
            Err(error) => tracing::warn!(%error, "the group could not be left"),
        }
    }

    /// Gives up the place in the group. Closing does not: librdkafka keeps a static member's place (KIP-345) unless it has unsubscribed
    /// before. That the word was sent is not told, so it gets a moment; should it be lost, the session's end does the same later.
    fn depart(&self) {
        self.base.unsubscribe();
        let gone_by = Instant::now() + DEPART_WAIT.0;
        while !self.base.context().partitions().assigned.is_empty() && Instant::now() < gone_by {
            self.turn();
        }
        let sent_by = Instant::now() + DEPART_WAIT.1;
        while Instant::now() < sent_by {
            self.turn();
        }
    }

    /// Serves what waits in the consumer's own queue: rebalances and errors. Records have queues of their own.
    fn turn(&self) {
        match self.base.poll(TURN) {
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                let message = self.base.client().fatal_error().map_or_else(|| error.to_string(), |(_, text)| text);
                self.base.context().tell(SourceEvent::Fatal(message));
            }
            Some(Err(KafkaError::MessageConsumption(Code::UnknownTopicOrPartition | Code::UnknownTopic))) => {
                self.base.context().misses(&self.topic);
            }
            Some(Err(error)) => tracing::debug!(target: "kafka", %error, "reported by the client"),
            Some(Ok(record)) => {
                let (partition, offset) = (rdkafka::Message::partition(&record), rdkafka::Message::offset(&record));
                tracing::error!(partition, offset, "a record came beside its partition's queue");
            }
            None => {}
        }
    }

    /// Asks a question whose answer, or its absence, shows whether the broker is there, and the topic.
    fn probe(&self) {
        match partition_count(&self.base, &self.topic, PROBE_WAIT) {
            Ok(_) if self.base.context().is_topic_missing() => {
                // It exists now. Only an answer about all topics lets the client join the group at once.
                drop(self.base.fetch_metadata(None, PROBE_WAIT));
            }
            Ok(_) => {}
            Err(SourceError::FindTopic { .. }) => self.base.context().misses(&self.topic),
            Err(SourceError::AskTopic { source, .. }) => self.base.context().unanswered(&source),
            Err(error) => tracing::debug!(target: "kafka", %error, "probing"),
        }
    }
}

#[cfg(test)]
mod tests;

//! Owns this member's place in the group: which partitions are assigned, and which of them are being read.
//!
//! Kept true:
//! - an assignment is acknowledged at once and empty; each partition joins what is read when [`super::Consumer::start`] names its
//!   offset. So other partitions do not wait while one finds its anchor;
//! - a partition is given back only after the lane side said it is done with it (or the wait is over), and it can not be started
//!   any more from the moment its revocation is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

use super::link::{Link, LinkWatch};

/// What the lane side hears from the group.
#[derive(Debug)]
pub enum SourceEvent {
    /// These partitions are this worker's now. Find each one's offset and start it.
    Assigned(Vec<i32>),
    /// These partitions go to another worker. Stop reading, cut, then drop or call `done`.
    Revoked {
        /// The partitions.
        partitions: Vec<i32>,
        /// The session is over already: another member may have them, a commit will be refused.
        lost: bool,
        /// The partitions are given back when this is dropped.
        done: Done,
    },
    /// The way to the broker changed.
    Link(Link),
    /// The broker does not have the topic. It is looked for; when it is there, an assignment follows.
    TopicMissing(String),
    /// The client cannot go on (another process uses this member's name, for example). Join anew.
    Fatal(String),
}

/// Says, when dropped, that the revoked partitions are not touched any more.
#[derive(Debug)]
pub struct Done(#[expect(dead_code, reason = "its drop is the message")] Sender<()>);

impl Done {
    /// The same as dropping it.
    pub fn done(self) {}
}

/// The group's callbacks.
pub(super) struct Membership {
    pub(super) link: LinkWatch,
    events: Sender<SourceEvent>,
    parts: Mutex<Partitions>,
    topic_missing: AtomicBool,
    revoke_wait: Duration,
}

/// The partitions of this member.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    pub(super) assigned: BTreeSet<i32>,
    /// The number of the assignment by which each is this member's.
    pub(super) tenures: BTreeMap<i32, u64>,
    /// Assignments so far.
    pub(super) assignments: u64,
    /// Those that are read, with the number of their start.
    pub(super) started: BTreeMap<i32, u64>,
    /// Starts so far.
    pub(super) starts: u64,
}

impl Membership {
    /// `revoke_wait` bounds how long a revocation waits for the lanes; it must be below `max.poll.interval.ms`.
    pub(super) fn new(events: Sender<SourceEvent>, revoke_wait: Duration) -> Self {
        let topic_missing = AtomicBool::new(false);
        Self { link: LinkWatch::new(), events, parts: Mutex::default(), topic_missing, revoke_wait }
    }

    pub(super) fn partitions(&self) -> MutexGuard<'_, Partitions> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody listening is no error: the receiver is dropped when the worker ends.
    pub(super) fn tell(&self, event: SourceEvent) -> bool {
        self.events.send(event).is_ok()
    }

    pub(super) fn answered(&self) {
        if let Some(link) = self.link.answered() {
            self.tell(SourceEvent::Link(link));
        }
    }

    pub(super) fn unanswered(&self, error: &KafkaError) {
        if let Some(link) = self.link.unanswered(&error.to_string(), SystemTime::now()) {
            self.tell(SourceEvent::Link(link));
        }
    }

    /// The broker says that it does not have the topic.
    pub(super) fn misses(&self, topic: &str) {
        if !self.topic_missing.swap(true, Ordering::AcqRel) {
            self.tell(SourceEvent::TopicMissing(topic.to_owned()));
        }
    }

    pub(super) fn is_topic_missing(&self) -> bool {
        self.topic_missing.load(Ordering::Acquire)
    }

    /// Whether a question should be asked to find out more.
    pub(super) fn is_in_question(&self) -> bool {
        self.link.is_doubtful() || self.is_topic_missing()
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: Vec<i32>) {
        self.topic_missing.store(false, Ordering::Release);
        let mut parts = self.partitions();
        parts.assigned.extend(&partitions);
        parts.assignments += 1;
        let number = parts.assignments;
        parts.tenures.extend(partitions.iter().map(|partition| (*partition, number)));
        drop(parts);
        if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
            tracing::warn!(%error, "the assignment could not be acknowledged");
        }
        self.answered();
        self.tell(SourceEvent::Assigned(partitions));
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, topics: &TopicPartitionList) {
        let partitions = numbers(topics);
        let mut parts = self.partitions();
        parts.assigned.retain(|partition| !partitions.contains(partition));
        parts.tenures.retain(|partition, _| !partitions.contains(partition));
        drop(parts);
        let (done, waiting): (_, Receiver<()>) = bounded(0);
        let lost = consumer.assignment_lost();
        let revoked = SourceEvent::Revoked { partitions: partitions.clone(), lost, done: Done(done) };
        if self.tell(revoked) && waiting.recv_timeout(self.revoke_wait) == Err(TIMED_OUT) {
            tracing::warn!(?partitions, "partitions are given back before the lanes were done with them");
        }
        let mut kept = self.partitions();
        let mut returned = TopicPartitionList::new();
        for element in topics.elements() {
            if kept.started.remove(&element.partition()).is_some() {
                returned.add_partition(element.topic(), element.partition());
            }
        }
        if let Err(error) = consumer.incremental_unassign(&returned) {
            tracing::warn!(%error, ?partitions, "partitions could not be given back");
        }
    }
}

const TIMED_OUT: crossbeam_channel::RecvTimeoutError = crossbeam_channel::RecvTimeoutError::Timeout;

fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "kafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, reason);
        if let Some(link) = self.link.failed(&error, reason, SystemTime::now()) {
            self.tell(SourceEvent::Link(link));
        }
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, topics: &mut TopicPartitionList) {
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, numbers(topics)),
            _ => self.revoke(consumer, topics),
        }
    }
}

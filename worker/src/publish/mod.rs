//! Publishing: reads the partials topic, completes windows and writes each once.
//!
//! One thread owns all partitions of the topic that this worker publishes. It never sees a record of the source. Progress
//! is committed only after everything before it is on the disk, so a restart writes nothing twice and misses nothing.

mod output;
mod store;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Message as _, Offset as KafkaOffset, TopicPartitionList};
use stream_core::{CollectorProgress, Error as CoreError, Offset, Program};
use thiserror::Error;

use crate::client::client;
use crate::progress::{ProgressError, decode_collector, encode_collector};
use crate::quality::Quality;
use crate::source::{WhoActs, classify, close_within, commit_within};
use crate::status::Status;
use crate::stop::{Backoff, Stop};
use output::Output;
pub use store::{Store, StoreError};

/// How long a request to the broker may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often progress is committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// Publishing cannot go on.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The client could not be made. The user must mend the settings.
    #[error("cannot make the client that reads '{topic}': {source}")]
    MakeClient {
        /// The partials topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// The committed progress cannot be read.
    #[error("cannot read the publish progress of partition {output}: {source}")]
    ReadProgress {
        /// The partition of the partials topic.
        output: i32,
        /// Why.
        source: ProgressError,
    },
    /// A total does not fit, or the program does not fit its rows.
    #[error("cannot complete a window: {0}")]
    Complete(#[from] CoreError),
    /// A table could not be encoded. A bug.
    #[error("cannot encode a table: {0}")]
    Encode(#[from] parquet::errors::ParquetError),
    /// The worker is to stop; nothing is lost.
    #[error("stopped")]
    Stopped,
}

/// Everything that publishing needs.
pub(crate) struct Publisher {
    pub plan: Arc<Plan>,
    pub program: Arc<Program>,
    /// The group under which progress is committed.
    pub group: String,
    pub store: Store,
    pub status: Arc<Status>,
    pub stop: Stop,
    /// Told of every batch report; says whether windows may be published.
    pub quality: Arc<Quality>,
    /// Says up to where to read before ending, once a bounded run has drained.
    pub finish: crossbeam_channel::Receiver<BTreeMap<i32, i64>>,
}

impl Publisher {
    /// Publishes until stopped, or until everything up to the finish is published.
    pub(crate) fn run(self) -> Result<(), PublishError> {
        match self.publish() {
            Err(PublishError::Stopped) => Ok(()),
            other => other,
        }
    }

    fn publish(&self) -> Result<(), PublishError> {
        let consumer = self.consumer()?;
        let ended = self.publish_from(&consumer);
        close_within(consumer, TIMEOUT);
        ended
    }

    fn publish_from(&self, consumer: &BaseConsumer) -> Result<(), PublishError> {
        let mut outputs = self.take_up(consumer)?;
        let mut finish = None;
        let mut committed = Instant::now();
        while !self.stop.is_requested() {
            self.take_in(consumer, &mut outputs)?;
            let may_publish = self.quality.may_publish();
            for output in outputs.values_mut() {
                if may_publish {
                    output.write_complete(self)?;
                }
                self.status.set_output(output.report());
            }
            finish = finish.or_else(|| self.finish.try_recv().ok());
            let finished = finish.as_ref().is_some_and(|ends: &BTreeMap<i32, i64>| {
                self.quality.is_known() && ends.iter().all(|(output, end)| outputs[output].position() >= *end)
            });
            if finished || committed.elapsed() >= COMMIT_INTERVAL {
                let written_down = self.commit(consumer, &mut outputs);
                committed = Instant::now();
                if finished && written_down {
                    return Ok(());
                }
            }
        }
        self.commit(consumer, &mut outputs);
        Ok(())
    }

    fn consumer(&self) -> Result<BaseConsumer, PublishError> {
        client(&self.plan)
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .create()
            .map_err(|source| PublishError::MakeClient { topic: self.plan.partials_topic.clone(), source })
    }

    /// Reads the committed progress of every partition and starts each at its anchor.
    fn take_up(&self, consumer: &BaseConsumer) -> Result<BTreeMap<i32, Output>, PublishError> {
        let topic = &self.plan.partials_topic;
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(topic, 0, self.plan.partials_partitions as i32 - 1);
        let committed =
            self.persist("the committed publish progress", || consumer.committed_offsets(wanted.clone(), TIMEOUT))?;
        let mut start = TopicPartitionList::new();
        let mut outputs = BTreeMap::new();
        for element in committed.elements() {
            let output = element.partition();
            let partitions = self.plan.source.partitions as usize;
            let progress = if let KafkaOffset::Offset(position) = element.offset() {
                decode_collector(Offset(position), element.metadata(), partitions)
                    .map_err(|source| PublishError::ReadProgress { output, source })?
            } else {
                let low = self.persist("the log start", || consumer.fetch_watermarks(topic, output, TIMEOUT))?.0;
                CollectorProgress::start(Offset(low), partitions)
            };
            start
                .add_partition_offset(topic, output, KafkaOffset::Offset(progress.anchor.0))
                .expect("an offset from a commit or a log start is a valid position");
            outputs.insert(output, Output::resume(output, self.program.clone(), &progress));
        }
        self.persist("the assignment", || consumer.assign(&start))?;
        Ok(outputs)
    }

    /// Takes in the messages that are there, a bounded number.
    fn take_in(&self, consumer: &BaseConsumer, outputs: &mut BTreeMap<i32, Output>) -> Result<(), PublishError> {
        let mut wait = Duration::from_millis(50);
        for _ in 0..1000 {
            let Some(message) = consumer.poll(wait) else { break };
            wait = Duration::ZERO;
            match message {
                Ok(message) => {
                    self.status.recovered("publish");
                    if let Some(output) = outputs.get_mut(&message.partition()) {
                        output.take_in(self, message.offset(), message.payload().unwrap_or_default())?;
                    }
                }
                Err(error) => self.cannot_read(&error),
            }
        }
        Ok(())
    }

    /// A broker that is away is told by the source's link, which also sees it return; here the client just goes on.
    fn cannot_read(&self, error: &KafkaError) {
        if classify(error).0 == WhoActs::User {
            let message = format!("cannot read '{}': {error}", self.plan.partials_topic);
            self.status.trouble("publish", Self::reason(error), message);
        } else {
            tracing::debug!(%error, "reading the partials topic");
        }
    }

    fn reason(error: &KafkaError) -> &'static str {
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => "TopicMissing",
            _ if classify(error).0 == WhoActs::User => "BrokerRefuses",
            _ => "BrokerUnreachable",
        }
    }

    /// Writes progress down, if there is any; whether nothing is left to be written down.
    fn commit(&self, consumer: &BaseConsumer, outputs: &mut BTreeMap<i32, Output>) -> bool {
        let mut list = TopicPartitionList::new();
        let mut reached = Vec::new();
        for (partition, output) in outputs.iter() {
            let progress = output.progress();
            if output.is_committed(&progress) {
                continue;
            }
            let mut element = list.add_partition(&self.plan.partials_topic, *partition);
            element.set_metadata(encode_collector(&progress));
            element.set_offset(KafkaOffset::Offset(progress.position.0)).expect("a position is a valid offset");
            reached.push((*partition, progress));
        }
        if list.count() == 0 {
            return true;
        }
        if let Err(error) = commit_within(consumer, &list, TIMEOUT) {
            // Not written down is only slower: a restart reads from the last commit, and finds the files.
            let message = format!("the publish progress could not be committed: {error}");
            self.status.trouble("publish commit", Self::reason(&error), message);
            return false;
        }
        self.status.recovered("publish commit");
        for (partition, progress) in reached {
            if let Some(output) = outputs.get_mut(&partition) {
                output.set_committed(progress);
            }
        }
        true
    }

    /// Repeats `action` until it succeeds or the worker is to stop.
    fn persist<T>(&self, what: &str, mut action: impl FnMut() -> Result<T, KafkaError>) -> Result<T, PublishError> {
        let mut backoff = Backoff::default();
        loop {
            match action() {
                Ok(done) => {
                    self.status.recovered(what);
                    return Ok(done);
                }
                Err(error) => {
                    let message = match Self::reason(&error) {
                        "TopicMissing" => format!("topic '{}' does not exist at the broker", self.plan.partials_topic),
                        _ => format!("{what} could not be asked for: {error}"),
                    };
                    self.status.trouble(what, Self::reason(&error), message);
                }
            }
            if self.stop.wait(backoff.next()) {
                return Err(PublishError::Stopped);
            }
        }
    }
}

//! The real world of publish: a consumer that assigns itself, and its group's commits.

use std::sync::Arc;
use std::time::Duration;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use stream_core::Offset;

use super::PublishError;
use super::effects::Commits;
use crate::client::client;
use crate::source::{close_within, commit_within, committed_of};

/// How long a request to the broker may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The consumer of the partials topic; shared, because reading and committing go through it.
#[derive(Clone)]
pub(super) struct Partials {
    pub consumer: Arc<BaseConsumer>,
    topic: String,
}

impl Partials {
    pub(super) fn new(plan: &Plan, group: &str) -> Result<Self, PublishError> {
        let topic = plan.partials_topic.clone();
        let consumer = client(plan)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .create()
            .map_err(|source| PublishError::MakeClient { topic: topic.clone(), source })?;
        Ok(Self { consumer: Arc::new(consumer), topic })
    }

    /// Begins to read the partitions at these offsets.
    pub(super) fn assign(&self, starts: &[(i32, Offset)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (output, offset) in starts {
            list.add_partition_offset(&self.topic, *output, KafkaOffset::Offset(offset.0))?;
        }
        self.consumer.assign(&list)
    }

    pub(super) fn close(self) {
        if let Some(consumer) = Arc::into_inner(self.consumer) {
            close_within(consumer, TIMEOUT);
        }
    }
}

impl Commits for Partials {
    fn committed(&self, outputs: &[i32]) -> Result<Vec<Option<(Offset, String)>>, KafkaError> {
        let mut wanted = TopicPartitionList::new();
        for output in outputs {
            wanted.add_partition(&self.topic, *output);
        }
        let committed = self.consumer.committed_offsets(wanted, TIMEOUT)?;
        let find = |output: &i32| {
            let found = committed_of(&committed, &self.topic, *output)?;
            Ok(found.map(|(position, metadata)| (Offset(position), metadata)))
        };
        outputs.iter().map(find).collect()
    }

    fn low(&self, output: i32) -> Result<Offset, KafkaError> {
        Ok(Offset(self.consumer.fetch_watermarks(&self.topic, output, TIMEOUT)?.0))
    }

    fn commit(&self, reached: &[(i32, Offset, String)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (output, position, metadata) in reached {
            let mut element = list.add_partition(&self.topic, *output);
            element.set_offset(KafkaOffset::Offset(position.0))?;
            element.set_metadata(metadata);
        }
        commit_within(&self.consumer, &list, TIMEOUT)
    }
}

//! What is committed and what the logs hold.

use std::collections::BTreeMap;

use plan::Plan;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use worker::agree::{self, Disagreement, count};
use worker::client::{client, publish_group};
use worker::progress::{Standing, published_until, standing};
use worker::source::committed_of;

use super::{ASK, OutputView, PartitionView, members};

/// Position and metadata that a group has committed for each partition of a topic.
type Commits = BTreeMap<i32, (i64, String)>;

/// The source partitions.
pub(super) fn partitions(plan: &Plan) -> Result<Vec<PartitionView>, KafkaError> {
    let asker: BaseConsumer = client(plan).set("group.id", &plan.group).create()?;
    let commits = commits(&asker, &plan.source.topic, plan.source.partitions)?;
    let owners = members::owners(&asker, plan);
    let view = |partition: i32| {
        let (low, end) = asker.fetch_watermarks(&plan.source.topic, partition, ASK)?;
        let owner = owners.get(&partition).cloned();
        let Some((position, metadata)) = commits.get(&partition) else {
            return Ok(PartitionView { partition, owner, position: low, end, ..PartitionView::default() });
        };
        let Standing { watermark, sealed, latest, idle, losses } =
            standing(plan, *position, metadata).unwrap_or_default();
        let (position, end) = (*position, end.max(*position));
        let (begun, open, still) = (true, None, false);
        Ok(PartitionView {
            partition,
            owner,
            position,
            begun,
            end,
            watermark,
            sealed,
            latest,
            idle,
            open,
            still,
            losses,
        })
    };
    // Those that the manifest says and the topic lacks are told of by themselves.
    let found = count(&asker, &plan.source.topic, ASK)?.unwrap_or(plan.source.partitions);
    (0..plan.source.partitions.min(found) as i32).map(view).collect()
}

/// Whether the topics have as many partitions as the manifest says.
pub(super) fn disagreement(plan: &Plan) -> Result<Option<Disagreement>, KafkaError> {
    let asker: BaseConsumer = client(plan).create()?;
    agree::disagreement(plan, &asker, ASK)
}

/// The partitions of the partials topic, with nothing in them where a pipeline has not begun and there is no such topic.
pub(super) fn outputs(plan: &Plan) -> Result<Vec<OutputView>, KafkaError> {
    let asker: BaseConsumer = client(plan).set("group.id", publish_group(&plan.group)).create()?;
    let outputs = 0..plan.partials_partitions as i32;
    let Some(found) = count(&asker, &plan.partials_topic, ASK)? else {
        return Ok(outputs.map(|output| OutputView { output, ..OutputView::default() }).collect());
    };
    let outputs = outputs.take(found as usize);
    let commits = commits(&asker, &plan.partials_topic, plan.partials_partitions.min(found))?;
    let view = |output: i32| {
        let (low, end) = asker.fetch_watermarks(&plan.partials_topic, output, ASK)?;
        let commit = commits.get(&output);
        let until = commit.and_then(|(position, metadata)| published_until(*position, metadata));
        let published_until = until.filter(|until| *until != i64::MIN);
        let lag = end - commit.map_or(low, |(position, _)| *position).min(end);
        Ok(OutputView { output, published_until, lag })
    };
    outputs.map(view).collect()
}

fn commits(asker: &BaseConsumer, topic: &str, partitions: u32) -> Result<Commits, KafkaError> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(topic, 0, partitions as i32 - 1);
    let committed = asker.committed_offsets(wanted, ASK)?;
    let of = |partition| Ok(committed_of(&committed, topic, partition)?.map(|commit| (partition, commit)));
    (0..partitions as i32).filter_map(|partition| of(partition).transpose()).collect()
}

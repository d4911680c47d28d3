//! A commit that was made for another topic of the same name: its partition is told and not read, and the others go on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plan::Plan;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use worker::{Config, Worker, bounded};

use crate::job::{Job, until};

const EVENTS: u32 = 2_000;

fn start(plan: &Arc<Plan>) -> Result<Worker> {
    let cut_interval = Duration::from_millis(50);
    Ok(Worker::start(Config { cut_interval, ..Config::new(plan.clone(), "revenue-5m-0") })?)
}

/// Commits for partition 0 what is committed, but of a topic with another identity; gives the one that was there.
fn commit_of_another_topic(job: &Job, plan: &Plan) -> Result<String> {
    let consumer: BaseConsumer = job.kafka.client().set("group.id", &plan.name).create()?;
    let committed = job.kafka.committed(&plan.name, &plan.source.topic, 1)?;
    let element = committed.find_partition(&plan.source.topic, 0).context("a commit")?;
    let (offset, metadata) = (element.offset(), element.metadata().to_owned());
    ensure!(matches!(offset, Offset::Offset(_)), "nothing is committed");
    let mut fields: Vec<&str> = metadata.split(' ').collect();
    let id = (*fields.get(1).context("an identity")?).to_owned();
    ensure!(id.len() == 32, "'{id}' is no identity: {metadata}");
    let other = "f".repeat(32);
    fields[1] = &other;
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(&plan.source.topic, 0);
    element.set_offset(offset)?;
    element.set_metadata(fields.join(" "));
    consumer.commit(&list, CommitMode::Sync)?;
    Ok(id)
}

#[test]
#[ignore = "needs servers: make test"]
fn a_commit_for_another_topic_stops_its_partition_alone() -> Result<()> {
    let job = Job::start()?;
    let plan = Arc::new(job.plan(&job.path("store"))?);
    job.produce(EVENTS * 2, 0, EVENTS)?;
    let ends = bounded::ends(&plan)?;
    let worker = start(&plan)?;
    until("everything is committed", || {
        ensure!(!worker.is_ended(), "the worker has ended");
        Ok((job.committed(&plan, &plan.name)? == ends).then_some(()))
    })?;
    worker.request_stop();
    worker.join()?;

    let id = commit_of_another_topic(&job, &plan)?;
    job.produce(EVENTS * 2, EVENTS, EVENTS * 2)?;
    let now = bounded::ends(&plan)?;
    let worker = start(&plan)?;
    let trouble = until("the partition is told", || {
        ensure!(!worker.is_ended(), "the worker has ended");
        Ok(worker.report().troubles.into_iter().find(|trouble| trouble.reason == "TopicRecreated"))
    })?;
    for words in ["partition 0 ", "of another topic 'sales.events.v1'", &"f".repeat(32), &id, "to begin anew"] {
        ensure!(trouble.message.contains(words), "'{words}' is missing: {trouble:?}");
    }
    until("the other partitions are read", || {
        let committed = job.committed(&plan, &plan.name)?;
        Ok((committed[&1] == now[&1] && committed[&2] == now[&2]).then_some(()))
    })?;
    ensure!(job.committed(&plan, &plan.name)?[&0] == ends[&0], "partition 0 was committed");
    worker.request_stop();
    worker.join()?;
    Ok(())
}

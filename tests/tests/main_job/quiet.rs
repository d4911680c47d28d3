//! Quiet partitions: they do not hold up the windows of the others, and what comes on them later is judged by the decree.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cli::generate::{Generator, Options, register};
use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use schemas::report::{PartitionReport, WorkerReport};
use tests::pipeline::files;
use worker::{Config, Worker};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain, until};

const EVENTS: u64 = 5_000;

/// Sends events to partition 0 alone.
fn feed(job: &Job, plan: &Plan) -> Result<()> {
    let ids = register(&plan.registry_url, &plan.source.topic, false)?;
    let mut generator = Generator::new(&Options::new(EVENTS, 1), ids)?;
    let producer: ThreadedProducer<DefaultProducerContext> = job.kafka.client().create()?;
    while let Some(event) = generator.next_event() {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&plan.source.topic).partition(0).key(event.key);
        producer.send(BaseRecord { payload: event.value, ..record }).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

fn start(plan: &Arc<Plan>) -> Result<Worker> {
    let cut_interval = Duration::from_millis(50);
    Ok(Worker::start(Config { static_member: true, cut_interval, ..Config::new(plan.clone(), "revenue-5m-0") })?)
}

fn wait<T>(worker: &Worker, what: &str, look: impl Fn(&WorkerReport) -> Option<T>) -> Result<T> {
    until(what, || {
        ensure!(!worker.is_ended(), "the worker has ended");
        Ok(look(&worker.report()))
    })
    .with_context(|| format!("{:#?}", worker.report()))
}

fn partition(report: &WorkerReport, number: i32) -> Option<&PartitionReport> {
    report.partitions.iter().find(|partition| partition.partition == number)
}

/// Copies the first record of partition 0 to the end of partition `to`; long before, its window was closed there by decree.
fn copy_first(job: &Job, topic: &str, to: i32) -> Result<()> {
    let consumer: BaseConsumer = job.kafka.client().set("group.id", "copy").create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let first = consumer.poll(PATIENCE).context("a first record")??;
    let producer: ThreadedProducer<DefaultProducerContext> = job.kafka.client().create()?;
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
        .partition(to)
        .key(first.key().unwrap_or_default())
        .payload(first.payload().unwrap_or_default());
    producer.send(record).map_err(|(error, _)| error)?;
    Ok(producer.flush(PATIENCE)?)
}

#[test]
#[ignore = "needs servers: make test"]
fn a_quiet_partition_holds_nothing_up_and_makes_latecomers_late() -> Result<()> {
    let job = Job::start()?;
    let mut plan = job.plan(&job.path("store"))?;
    plan.idle_after_ms = 3000;
    let plan = Arc::new(plan);
    let worker = start(&plan)?;
    wait(&worker, "all partitions are idle", |report| {
        (report.partitions.len() == 3 && report.partitions.iter().all(|partition| partition.idle)).then_some(())
    })?;
    feed(&job, &plan)?;
    // Partition 0 is not idle now; the others follow what it has committed.
    let sealed = wait(&worker, "the decrees have caught up", |report| {
        let sealed = partition(report, 0)?.sealed?;
        let caught_up = |number| partition(report, number).and_then(|quiet| quiet.sealed) == Some(sealed);
        let published = report.outputs.iter().all(|output| output.published_until == Some(sealed));
        (caught_up(1) && caught_up(2) && published).then_some(sealed)
    })?;
    worker.request_stop();
    worker.join()?;

    // The decree outlives its owner, and judges what comes.
    copy_first(&job, &plan.source.topic, 1)?;
    let worker = start(&plan)?;
    wait(&worker, "the latecomer is judged", |report| {
        let quiet = partition(report, 1)?;
        ensure_late(quiet, sealed).then_some(())
    })?;
    worker.request_stop();
    worker.join()?;
    Ok(())
}

fn ensure_late(quiet: &PartitionReport, sealed: i64) -> bool {
    quiet.ledger.late == 1 && quiet.ledger.consumed == 1 && quiet.committed == 1 && quiet.sealed == Some(sealed)
}

#[test]
#[ignore = "needs servers: make test"]
fn a_pipeline_that_closes_when_idle_publishes_its_last_windows() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let mut plan = job.plan(&store)?;
    (plan.idle_after_ms, plan.close_when_idle_for_ms) = (500, Some(1500));
    let plan = Arc::new(plan);
    feed(&job, &plan)?;
    let expected = files(&job.run(&plain("undisturbed"))?.0)?;
    let worker = start(&plan)?;
    wait(&worker, "every window is published", |report| {
        let latest = report.partitions.iter().filter_map(|partition| partition.latest).max()?;
        let idle = report.partitions.len() == 3 && report.partitions.iter().all(|partition| partition.idle);
        let published =
            |output: &schemas::report::OutputReport| output.published_until.is_some_and(|until| until > latest);
        (idle && report.outputs.iter().all(published)).then_some(())
    })?;
    until("every report is written", || Ok((files(&store)?.len() >= expected.len()).then_some(())))?;
    worker.request_stop();
    worker.join()?;
    ensure_same(&expected, &files(&store)?, "closed when idle")
}

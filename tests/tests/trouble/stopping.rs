//! Stopping while something is away.

use std::time::{Duration, Instant};

use anyhow::Result;
use worker::{Config, Worker};

use crate::world::{World, finish, until, until_trouble};

/// Kubernetes kills after 30 s.
const GRACE: Duration = Duration::from_secs(20);

fn stop(worker: Worker) -> Result<()> {
    let asked = Instant::now();
    worker.request_stop();
    worker.join()?;
    assert!(asked.elapsed() < GRACE, "it took {:?}", asked.elapsed());
    Ok(())
}

#[test]
fn a_worker_stops_in_time_while_the_broker_is_away_and_a_restart_makes_up_for_it() -> Result<()> {
    let (mut world, truth) = World::with_events(20_000)?;
    let (sink, target) = (world.path("data"), world.broker.address());
    // As sluice-worker does it: whoever comes back under the same name takes its partitions up at once.
    let config = Config { static_member: true, ..world.config("restarted", &sink)? };
    // With records, partials and commits on their way.
    world.kafka.open_for(target, 1_000_000)?;
    let worker = Worker::start(config.clone())?;
    until(&worker, "the line is cut", |_| (!world.kafka.is_open()).then_some(()))?;
    stop(worker)?;
    // It has never answered.
    let worker = Worker::start(config.clone())?;
    until_trouble(&worker, "BrokerUnreachable")?;
    stop(worker)?;
    world.open_kafka()?;
    finish(Worker::start(config)?)?;
    world.expect_undisturbed(&sink, &truth)
}

#[test]
fn a_worker_stops_in_time_while_registry_and_sink_are_away() -> Result<()> {
    let (mut world, truth) = World::with_events(20_000)?;
    let sink = world.path("data");
    std::fs::write(&sink, "a file where the folder should be")?;
    let config = world.config("restarted", &sink)?;
    world.schemas.close();
    let worker = Worker::start(config.clone())?;
    until_trouble(&worker, "RegistryUnreachable")?;
    stop(worker)?;
    world.open_schemas()?;
    let worker = Worker::start(config.clone())?;
    until_trouble(&worker, "SinkUnavailable")?;
    stop(worker)?;
    std::fs::remove_file(&sink)?;
    finish(Worker::start(config)?)?;
    world.expect_undisturbed(&sink, &truth)
}

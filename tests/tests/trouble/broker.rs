//! The broker is away: at the start, and in the middle.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use worker::Worker;

use crate::world::{PATIENCE, World, finish, get, until, until_message};

#[test]
fn a_broker_that_is_away_at_the_start_is_waited_for() -> Result<()> {
    let (mut world, truth) = World::with_events(20_000)?;
    world.kafka.close();
    let sink = world.path("data");
    let config = world.config("patient", &sink)?;
    let address = world.kafka.address();

    let worker = Worker::start(config.clone())?;
    let message = format!(
        "cannot reach the broker at '{address}': {address}/bootstrap: Connect to ipv4#{address} failed: Connection refused"
    );
    until_message(&worker, "BrokerUnreachable", |found| found == message)?;
    assert_eq!(get(&config, "/readyz")?, (503, format!("BrokerUnreachable: {message}")));
    assert_eq!(get(&config, "/livez")?, (200, "ok".to_owned()));

    world.open_kafka()?;
    let report = finish(worker)?;
    let consumed: u64 = report.partitions.iter().map(|partition| partition.ledger.consumed).sum();
    assert_eq!(consumed, 20_000);
    world.expect_undisturbed(&sink, &truth)
}

#[test]
fn a_broker_that_goes_away_in_the_middle_costs_nothing_but_time() -> Result<()> {
    let (mut world, truth) = World::with_events(20_000)?;
    let (sink, target) = (world.path("data"), world.broker.address());
    let config = world.config("steadfast", &sink)?;
    let address = world.kafka.address();

    // The log has about 3 MB; each time the line is cut in the middle of an answer.
    world.kafka.open_for(target, 500_000)?;
    let worker = Worker::start(config.clone())?;
    let mut cuts = 0;
    loop {
        let deadline = Instant::now() + PATIENCE;
        while world.kafka.is_open() && !worker.is_finished() {
            ensure!(!worker.is_ended() && Instant::now() < deadline, "{:#?}", worker.report());
            sleep(Duration::from_millis(5));
        }
        if worker.is_finished() {
            break;
        }
        cuts += 1;
        let ours = format!("cannot reach the broker at '{address}': ");
        let message = until_message(&worker, "BrokerUnreachable", |found| found.starts_with(&ours))?;
        let theirs = &message[ours.len()..];
        assert!(theirs.contains(&address.to_string()), "{message}");
        assert!(!theirs.contains("after"), "{message}");
        let (status, body) = get(&config, "/readyz")?;
        assert_eq!((status, body.starts_with("BrokerUnreachable: ")), (503, true), "{body}");
        world.kafka.open_for(target, 1_500_000)?;
    }
    assert!(cuts >= 2, "{cuts} cuts");
    until(&worker, "it is ready again", |report| report.troubles.is_empty().then_some(()))?;
    assert_eq!(get(&config, "/readyz")?, (200, "ok".to_owned()));
    world.open_kafka()?;
    finish(worker)?;
    world.expect_undisturbed(&sink, &truth)
}

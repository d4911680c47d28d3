//! A topic is missing.

use anyhow::Result;
use cli::dev::broker::TimestampType;
use worker::{Config, Worker};

use crate::world::{World, finish, get, until, until_trouble};

#[test]
fn a_missing_source_topic_is_waited_for() -> Result<()> {
    let mut world = World::empty()?;
    let source = world.plan.source.topic.clone();
    for topic in world.plan.topics.iter().filter(|topic| topic.name != source) {
        world.broker.create_topic(&topic.name, topic.partitions as i32, TimestampType::LogAppendTime)?;
    }
    let sink = world.path("data");
    let config = Config { ends: None, ..world.config("patient", &sink)? };

    let worker = Worker::start(config.clone())?;
    let message = until_trouble(&worker, "TopicMissing")?;
    assert_eq!(message, "topic 'sales.events.v1' does not exist at the broker");
    assert_eq!(get(&config, "/readyz")?, (503, format!("TopicMissing: {message}")));

    world.broker.create_topic(&source, 3, TimestampType::LogAppendTime)?;
    let truth = world.feed(20_000)?;
    until(&worker, "all is read", |report| {
        let consumed: u64 = report.partitions.iter().map(|partition| partition.ledger.consumed).sum();
        (consumed == 20_000 && report.troubles.is_empty()).then_some(())
    })?;
    assert_eq!(get(&config, "/readyz")?, (200, "ok".to_owned()));
    worker.request_stop();
    worker.join()?;
    let rest = Worker::start(Config { ends: Some(world.ends()), ..config })?;
    finish(rest)?;
    world.open_kafka()?;
    world.expect_undisturbed(&sink, &truth)
}

#[test]
fn missing_topics_of_its_own_are_named_and_waited_for() -> Result<()> {
    for missing in ["partials", "dead letters"] {
        let world = World::empty()?;
        let plan = &world.plan;
        let absent = if missing == "partials" { &plan.partials_topic } else { &plan.dead_letter_topic };
        for topic in plan.topics.iter().filter(|topic| topic.name != *absent) {
            world.broker.create_topic(&topic.name, topic.partitions as i32, TimestampType::LogAppendTime)?;
        }
        let truth = world.feed(2_000)?;
        let config = Config { ends: Some(world.ends()), ..Config::new(std::sync::Arc::new(plan.clone()), "patient") };
        let worker = Worker::start(config)?;
        let message = until_trouble(&worker, "TopicMissing")?;
        assert_eq!(message, format!("topic '{absent}' does not exist at the broker"));
        world.broker.create_topic(absent, 3, TimestampType::LogAppendTime)?;
        finish(worker)?;
        let differences = tests::pipeline::differences(&truth, &world.path("data"))?;
        assert!(differences.is_empty(), "{differences:?}");
    }
    Ok(())
}

//! The schema registry is away.

use anyhow::Result;
use worker::{Config, Worker};

use crate::world::{World, finish, get, until_trouble};

#[test]
fn a_registry_that_is_away_is_waited_for_and_nothing_is_refused() -> Result<()> {
    let (mut world, truth) = World::with_events(20_000)?;
    world.schemas.close();
    let sink = world.path("data");
    let config = world.config("patient", &sink)?;
    let address = world.schemas.address();

    let worker = Worker::start(config.clone())?;
    assert_eq!(
        until_trouble(&worker, "RegistryUnreachable")?,
        format!("schema 1: schema registry http://{address}/schemas/ids/1: Connection refused (os error 111)")
    );
    let report = worker.report();
    assert!(report.partitions.iter().all(|partition| partition.ledger.consumed == 0), "{report:#?}");
    assert_eq!(world.count(&world.plan.dead_letter_topic), 0, "no record is refused for a question without answer");
    assert_eq!(get(&config, "/readyz")?, (200, "ok".to_owned()), "partitions are kept while the registry is away");

    world.open_schemas()?;
    finish(worker)?;
    assert!(world.count(&world.plan.dead_letter_topic) > 0, "the poison of the log");
    world.expect_undisturbed(&sink, &truth)
}

#[test]
fn schemas_that_were_met_are_known_after_a_restart_while_the_registry_is_away() -> Result<()> {
    // So few events that none of them is poison of an unknown schema, which only the registry can call unknown.
    let (mut world, truth) = World::with_events(1_000)?;
    let schemas = Some(world.path("schemas"));
    let first = Config { schemas: schemas.clone(), ..world.config("first", &world.path("first"))? };
    finish(Worker::start(first)?)?;
    world.schemas.close();
    let sink = world.path("data");
    let second = Config { schemas, ..world.config("second", &sink)? };
    let report = finish(Worker::start(second)?)?;
    let consumed: u64 = report.partitions.iter().map(|partition| partition.ledger.consumed).sum();
    assert_eq!(consumed, 1_000);
    let differences = tests::pipeline::differences(&truth, &sink)?;
    assert!(differences.is_empty(), "{differences:?}");
    Ok(())
}

//! The schema registry is away.

use anyhow::Result;
use worker::Worker;

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

//! What the README promises: `helm install`, `kubectl apply`, events, tables.

use anyhow::{Result, ensure};

use crate::steps::{Steps, until};
use crate::store::{closed_windows, gold};
use crate::world::{PATIENCE, World};

const EVENTS: u32 = 60_000;

#[test]
#[ignore = "needs a cluster: make test"]
fn a_manifest_becomes_exact_tables() -> Result<()> {
    let world = World::start("first")?;
    world.told(first_pipeline(&world))
}

fn first_pipeline(world: &World) -> Result<()> {
    let mut steps = Steps::begin("first pipeline");
    world.apply(&world.manifest())?;
    steps.done("kubectl apply");
    world.wait_condition("Ready", PATIENCE)?;
    steps.done("Ready");
    world.produce(EVENTS, 0, EVENTS)?;
    steps.done("60000 events sent by the Python client");
    let recount = world.recount()?;
    steps.done("recounted independently");
    let store = world.path("volume");
    let expected = closed_windows(&recount)?;
    until(&format!("{expected} windows are published"), PATIENCE, || {
        world.copy_volume(&store)?;
        Ok((gold(&store)?.len() >= expected).then_some(()))
    })?;
    steps.done("published, as a pod sees the volume");
    world.ensure_recounted(&recount, &store)?;
    steps.done("gold equals the recount");
    world.wait_condition("DataQualityHealthy", PATIENCE)?;
    steps.done("DataQualityHealthy");
    let [status, reason, message] = world.until_condition("Ready", "True", |_, _| true)?;
    ensure!(status == "True", "{reason}: {message}");
    let printed = world.kubectl(&["get", "apl"])?;
    ensure!(printed.contains("True"), "{printed}");
    Ok(())
}

//! A registry that is away.

use anyhow::Result;

use crate::steps::Steps;
use crate::world::{PATIENCE, World};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_registry_that_is_away_stops_no_worker() -> Result<()> {
    let mut world = World::start("registry-down")?;
    let result = registry_down(&mut world);
    world.told(result)
}

fn registry_down(world: &mut World) -> Result<()> {
    let mut steps = Steps::begin("registry-down");
    world.apply(&world.manifest())?;
    world.wait_condition("Ready", PATIENCE)?;
    world.grow(0)?;
    steps.done("Ready, and the first part sent");
    let before = world.workers()?;
    world.registry.kill()?;
    let [_, _, message] =
        world.until_condition("SchemaReady", "Unknown", |reason, _| reason == "RegistryUnreachable")?;
    steps.done(&format!("told: {message}"));
    world.registry.restart()?;
    world.until_condition("SchemaReady", "True", |_, _| true)?;
    world.ensure_untouched(&before)?;
    world.grow(1)?;
    world.converges(&mut steps)
}

//! Processes that end from one moment to the next: the operator, a worker.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::running::disturbed;
use crate::steps::until;
use crate::world::{PATIENCE, PIPELINE};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_killed_worker_goes_on_where_it_was() -> Result<()> {
    disturbed("killed-worker", |world, steps| {
        world.grow(1)?;
        world.kill_worker(0)?;
        world.grow(2)?;
        until("the container is restarted", PATIENCE, || {
            Ok(world.workers()?.values().any(|(_, restarts)| *restarts > 0).then_some(()))
        })?;
        steps.done("worker killed and started again");
        world.converges(steps)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_killed_operator_comes_back_and_touches_no_worker() -> Result<()> {
    disturbed("killed-operator", |world, steps| {
        let before = world.workers()?;
        world.kill_operator()?;
        // What a person changes while nobody looks is done when somebody does again.
        world.patch(&json!({"spec": {"workers": {"replicas": 2}}}))?;
        world.grow(1)?;
        world.until_workers(2)?;
        steps.done("operator killed, back, and a second worker ready");
        let now = world.workers()?;
        let first = format!("{PIPELINE}-0");
        ensure!(now[&first] == before[&first], "the worker was {before:?} and is {now:?}");
        world.converges(steps)
    })
}

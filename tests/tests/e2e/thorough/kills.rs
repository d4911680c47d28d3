//! More that can end: a kubelet, and one of two operators.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::cluster::SYSTEM;
use crate::running::disturbed;
use crate::steps::until;
use crate::world::PATIENCE;

#[test]
#[ignore = "needs a cluster: make test"]
fn a_killed_kubelet_comes_back_and_brings_its_pods_along() -> Result<()> {
    disturbed("killed-kubelet", |world, steps| {
        world.kill_kubelet_of(0)?;
        // While the kubelet is away nobody restarts the container.
        world.kill_worker(0)?;
        world.grow(1)?;
        until("the container is restarted", PATIENCE, || {
            Ok(world.workers()?.values().any(|(_, restarts)| *restarts > 0).then_some(()))
        })?;
        steps.done("kubelet and worker killed, both back");
        world.converges(steps)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn of_two_operators_one_works_and_the_other_takes_over() -> Result<()> {
    disturbed("two-operators", |world, steps| {
        let scale = |replicas: &str| {
            world.cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/sluice", &format!("--replicas={replicas}")])?;
            world.cluster.kubectl(&["-n", SYSTEM, "rollout", "status", "deployment/sluice", "--timeout=60s"])
        };
        scale("2")?;
        let holder = || {
            let field = "jsonpath={.spec.holderIdentity}";
            world.cluster.kubectl(&["-n", SYSTEM, "get", "lease", "sluice", "-o", field])
        };
        let first = holder()?;
        world.cluster.kubectl(&["-n", SYSTEM, "delete", "pod", &first, "--grace-period=0", "--force"])?;
        until("another operator holds the lease", Duration::from_mins(1), || Ok((holder()? != first).then_some(())))?;
        steps.done("the second operator took over");
        world.patch(&json!({"spec": {"workers": {"replicas": 2}}}))?;
        world.until_workers(2)?;
        scale("1")?;
        world.grow(1)?;
        world.converges(steps)
    })
}

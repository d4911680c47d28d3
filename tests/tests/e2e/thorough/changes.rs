//! What people change: how many workers, how many partitions, the chart; and a namespace that goes.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::cluster::SYSTEM;
use crate::running::disturbed;
use crate::steps::until;
use crate::store::closed_windows;
use crate::world::{PATIENCE, PIPELINE};

#[test]
#[ignore = "needs a cluster: make test"]
fn workers_come_and_go_and_the_bytes_stay_the_same() -> Result<()> {
    disturbed("scaled", |world, steps| {
        for (part, replicas) in [(1, 3), (2, 2)] {
            world.kubectl(&["scale", &format!("analyticspipeline/{PIPELINE}"), &format!("--replicas={replicas}")])?;
            // In the middle of the rebalance.
            world.grow(part)?;
            world.until_workers(replicas)?;
            steps.done(&format!("{replicas} workers"));
        }
        world.converges(steps)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn an_upgrade_of_the_chart_restarts_no_worker() -> Result<()> {
    disturbed("upgraded", |world, steps| {
        let before = world.workers()?;
        world.cluster.install(&world.cluster.images.next_tag)?;
        world.grow(1)?;
        world.converges(steps)?;
        world.ensure_untouched(&before)?;
        world.cluster.run("helm", &["test", "sluice", "--namespace", SYSTEM, "--timeout", "1m"])?;
        steps.done("helm test");
        world.cluster.install(&world.cluster.images.tag)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn partitions_are_added_and_no_window_is_published_without_them() -> Result<()> {
    disturbed("more-partitions", |world, steps| {
        world.patch(&json!({"spec": {"source": {"topic": {"partitions": 5}}}}))?;
        until("the topic has five partitions", PATIENCE, || {
            let topic = world.kafka.partitions("sales.events.v1")?;
            Ok((topic == 5).then_some(()))
        })?;
        world.wait_condition("Ready", PATIENCE)?;
        steps.done("five partitions, Ready");
        world.grow(1)?;
        world.grow(2)?;
        let epochs = &world.pipeline()?["status"]["epochs"]["topology"];
        let from = epochs.as_array().and_then(|epochs| epochs.last()?["from"].as_i64()).context("a boundary")?;
        let joined = [3, 4].map(|partition| format!("{partition}:{from}"));
        let recount = world.python("recount.py", &["--joined", &joined[0], "--joined", &joined[1]])?;
        world.until_gold(&recount, PATIENCE)?;
        world.ensure_recounted(&recount, &world.volume(0)?)?;
        steps.done(&format!("{} windows equal a recount that knows the boundary", closed_windows(&recount)?));
        Ok(())
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_namespace_goes_away_without_the_operator() -> Result<()> {
    disturbed("namespace-gone", |world, steps| {
        let operator = |replicas: &str| {
            world.cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/sluice", &format!("--replicas={replicas}")])?;
            world.cluster.kubectl(&["-n", SYSTEM, "rollout", "status", "deployment/sluice", "--timeout=60s"])
        };
        operator("0")?;
        let deleted = world.cluster.kubectl(&["delete", "namespace", &world.namespace, "--timeout=90s"]);
        operator("1")?;
        deleted?;
        steps.done("the namespace is gone");
        // Topics stay: nobody asked for their deletion.
        ensure!(world.kafka.partitions("sales.events.v1")? == 3, "the source topic is gone");
        Ok(())
    })
}

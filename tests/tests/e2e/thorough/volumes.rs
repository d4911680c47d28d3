//! Volumes that are lost, and volumes that grow.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::running::disturbed;
use crate::steps::until;
use crate::world::{PATIENCE, PIPELINE, World};

/// Deletes a worker's claim and pod, and waits until both are there anew.
fn lose_volume(world: &World, worker: u32) -> Result<()> {
    let (pod, claim) = (format!("{PIPELINE}-{worker}"), format!("data-{PIPELINE}-{worker}"));
    let uid =
        || Ok::<_, anyhow::Error>(world.json(&["get", "persistentvolumeclaim", &claim])?["metadata"]["uid"].clone());
    let old = uid()?;
    world.kubectl(&["delete", "persistentvolumeclaim", &claim, "--wait=false"])?;
    world.kubectl(&["delete", "pod", &pod, "--wait=false"])?;
    until("claim and pod are there anew", PATIENCE, || {
        let is_new = uid().is_ok_and(|new| new != old);
        Ok((is_new && world.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=5s"]).is_ok())
            .then_some(()))
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_lost_volume_of_a_worker_that_does_not_publish_costs_nothing() -> Result<()> {
    disturbed("lost-volume", |world, steps| {
        world.patch(&json!({"spec": {"workers": {"replicas": 2}}}))?;
        world.until_workers(2)?;
        world.grow(1)?;
        lose_volume(world, 1)?;
        steps.done("claim and pod of worker 1 deleted, both there anew");
        world.grow(2)?;
        world.converges(steps)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn lost_tables_are_written_again_from_kafka() -> Result<()> {
    disturbed("lost-tables", |world, steps| {
        world.grow(1)?;
        lose_volume(world, 0)?;
        steps.done("claim and pod of worker 0 deleted, both there anew");
        world.grow(2)?;
        world.converges(steps)
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_volume_grows_without_a_restart() -> Result<()> {
    let world = World::start("grown-volume")?;
    world.told(grow_volume(&world))
}

fn grow_volume(world: &World) -> Result<()> {
    let mut steps = crate::steps::Steps::begin("grown-volume");
    let class = format!("grows-{}", world.namespace);
    // The provisioner of the test cluster has no resizer, so the test is the resizer.
    world.cluster.run("bash", &["-c", &CLASS.replace("@NAME@", &class)])?;
    let manifest =
        world.manifest().replace("storage: {size: 1Gi}", &format!("storage: {{size: 1Gi, storageClass: {class}}}"));
    ensure!(manifest.contains(&class), "the manifest names the storage class");
    world.apply(&manifest)?;
    world.wait_condition("Ready", PATIENCE)?;
    world.grow(0)?;
    steps.done("Ready");
    let before = world.workers()?;
    world.patch(&json!({"spec": {"workers": {"storage": {"size": "2Gi"}}}}))?;
    until("the claim asks for more", PATIENCE, || {
        let claim = world.json(&["get", "persistentvolumeclaim", &format!("data-{PIPELINE}-0")])?;
        Ok((claim["spec"]["resources"]["requests"]["storage"] == "2Gi").then_some(()))
    })?;
    until("the stateful set's claims are larger", PATIENCE, || {
        let set = world.json(&["get", "statefulset", PIPELINE]);
        let size = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
        Ok(set.is_ok_and(|set| set.pointer(size).is_some_and(|size| size == "2Gi")).then_some(()))
    })?;
    steps.done("claim and stateful set ask for more");
    let status = json!({"status": {"capacity": {"storage": "2Gi"}}}).to_string();
    let claim = format!("data-{PIPELINE}-0");
    world.kubectl(&[
        "patch",
        "persistentvolumeclaim",
        &claim,
        "--subresource=status",
        "--type=merge",
        "-p",
        &status,
    ])?;
    world.until_condition("StorageHealthy", "True", |_, _| true)?;
    world.ensure_untouched(&before)?;
    world.grow(1)?;
    world.converges(&mut steps)
}

const CLASS: &str = r#"kubectl get storageclass standard -o json |
  jq '.metadata = {name: "@NAME@", annotations: {defaultVolumeType: "local"}} | .allowVolumeExpansion = true' | kubectl apply -f -"#;

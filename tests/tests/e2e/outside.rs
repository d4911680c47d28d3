//! What pipelines need and the cluster does not have: a broker, a registry, the right password.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::running::disturbed;
use crate::steps::Steps;
use crate::world::{PATIENCE, World};
use tests::kafka::{PASSWORD, USER};

/// How long the broker is away: `SLUICE_OUTAGE` seconds, by default as long as it takes to be told.
fn outage() -> Duration {
    let seconds = std::env::var("SLUICE_OUTAGE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_broker_that_was_away_is_found_again_and_nothing_is_lost() -> Result<()> {
    let world = World::start("broker-down")?;
    let mut world = world;
    let result = broker_down(&mut world);
    world.told(result)
}

fn broker_down(world: &mut World) -> Result<()> {
    let mut steps = Steps::begin("broker-down");
    world.apply(&world.manifest())?;
    world.wait_condition("Ready", PATIENCE)?;
    world.grow(0)?;
    steps.done("Ready, and the first part sent");
    world.kafka.kill()?;
    let since = Instant::now();
    let [_, _, message] = world
        .until_condition("Ready", "False", |reason, _| reason == "BrokerUnreachable")
        .or_else(|_| world.until_condition("Ready", "Unknown", |reason, _| reason == "BrokerUnreachable"))?;
    steps.done(&format!("told: {message}"));
    let before = world.workers()?;
    std::thread::sleep(outage().saturating_sub(since.elapsed()));
    world.kafka.restart()?;
    world.grow(1)?;
    steps.done(&format!("broker back after {:?}", since.elapsed()));
    world.converges(&mut steps)?;
    world.ensure_untouched(&before)
}

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

#[test]
#[ignore = "needs a cluster: make test"]
fn wrong_credentials_are_told_and_right_ones_are_taken_up() -> Result<()> {
    let world = World::start("credentials")?;
    world.told(credentials(&world))
}

fn credentials(world: &World) -> Result<()> {
    let mut steps = Steps::begin("credentials");
    let security = "security: {protocol: SaslPlaintext, mechanism: Plain, credentialsSecretRef: {name: kafka}}";
    let plain = format!("{{bootstrapServers: \"{}\"}}", world.kafka.bootstrap);
    let sasl = format!("{{bootstrapServers: \"{}\", {security}}}", world.kafka.sasl);
    let manifest = world.manifest().replace(&plain, &sasl);
    ensure!(manifest.contains("credentialsSecretRef"), "the manifest names the secret");
    let secret = |password: &str| {
        let literals = [format!("--from-literal=username={USER}"), format!("--from-literal=password={password}")];
        let made =
            ["create", "secret", "generic", "kafka", &literals[0], &literals[1], "--dry-run=client", "-o", "yaml"];
        world.apply(&world.kubectl(&made)?)
    };
    secret("wrong")?;
    world.apply(&manifest)?;
    let [_, _, message] =
        world.until_condition("Ready", "False", |reason, _| reason == "BrokerAuthenticationFailed")?;
    steps.done(&format!("told: {message}"));
    ensure!(!message.contains("wrong") && !message.contains(PASSWORD), "the message tells the password: {message}");
    secret(PASSWORD)?;
    world.wait_condition("Ready", PATIENCE)?;
    steps.done("Ready with the right password");
    world.grow(0)?;
    world.converges(&mut steps)
}

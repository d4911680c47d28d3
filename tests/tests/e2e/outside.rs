//! What pipelines need from outside: an image, a broker, the right password.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

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
fn a_bad_image_is_told_and_a_good_one_replaces_it_without_a_person() -> Result<()> {
    disturbed("bad-image", |world, steps| {
        world.patch(&json!({"spec": {"workers": {"image": "docker.io/sluice/no-such-image:1"}}}))?;
        let names_it = |reason: &str, message: &str| reason == "ImageUnavailable" && message.contains("no-such-image");
        let [_, _, message] = world.until_condition("Ready", "False", names_it)?;
        steps.done(&format!("told: {message}"));
        world.patch(&json!({"spec": {"workers": {"image": Value::Null}}}))?;
        world.grow(1)?;
        world.until_workers(1)?;
        world.converges(steps)
    })
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
    world.until_condition("TopicsReady", "Unknown", |reason, _| reason == "BrokerUnreachable")?;
    let address = world.kafka.bootstrap.clone();
    let [_, _, message] = world.until_condition("Ready", "False", |_, message| message.contains(&address))?;
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
    let [_, _, message] = world.until_condition("Ready", "False", |reason, _| reason == "NotAllowed")?;
    steps.done(&format!("told: {message}"));
    world.kubectl(&["label", "secret", "kafka", "sluice.dev/use=pipelines"])?;
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

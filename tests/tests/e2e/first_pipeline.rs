//! What the README promises: `helm install`, `kubectl apply`, events, tables.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::steps::{Steps, until};
use crate::store::{closed_windows, gold};
use crate::world::{PATIENCE, World};

/// The stream has this many events.
const ALL: u32 = 60_000;
/// So many are sent at once, and the rest a few at a time.
const EVENTS: u32 = 30_000;
const FEW: u32 = 300;

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
    world.produce(ALL, 0, EVENTS)?;
    steps.done(&format!("{EVENTS} events sent by the Python client"));
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
    let printed = world.kubectl(&["get", "apl"])?;
    ensure!(printed.contains("True"), "{printed}");
    quality(world, &mut steps)
}

/// A burst of bad records puts the data in doubt, with the rule's name, and good ones take the doubt away.
fn quality(world: &World, steps: &mut Steps) -> Result<()> {
    // Batches and a span of seconds instead of minutes, so that nobody waits for a quarter of an hour.
    let quality = json!({"batch": {"interval": "5s"}, "thresholds": {"span": "10s", "minRecords": 100}});
    world.patch(&json!({"spec": {"quality": quality}}))?;
    let mut stream = Stream { world, sent: EVENTS };
    stream.until_quality("True", "0", "")?;
    steps.done("DataQualityHealthy");
    let message = stream.until_quality("False", "0.3", "'region'")?;
    steps.done(&format!("bad records: {message}"));
    stream.until_quality("True", "0", "")?;
    steps.done("good records, DataQualityHealthy again");
    let recount = world.recount()?;
    let store = world.path("volume-after");
    let expected = closed_windows(&recount)?;
    until(&format!("{expected} windows are published"), PATIENCE, || {
        world.copy_volume(&store)?;
        Ok((gold(&store)?.len() >= expected).then_some(()))
    })?;
    world.ensure_recounted(&recount, &store)?;
    steps.done(&format!("{expected} windows equal the recount"));
    Ok(())
}

/// A producer that goes on.
struct Stream<'a> {
    world: &'a World,
    sent: u32,
}

impl Stream<'_> {
    /// Sends a few events again and again, a share of them bad, until the data is judged like that, naming `named`.
    fn until_quality(&mut self, status: &str, bad: &str, named: &str) -> Result<String> {
        until(&format!("DataQualityHealthy is {status}"), PATIENCE, || {
            ensure!(self.sent < ALL, "the stream is at its end");
            self.world.produce_spoilt(ALL, self.sent, self.sent + FEW, bad)?;
            self.sent += FEW;
            let found = self.world.condition("DataQualityHealthy")?;
            Ok(found
                .filter(|[own, _, message]| own == status && message.contains(named))
                .map(|[_, _, message]| message))
        })
    }
}

//! A pipeline that runs and has published something, and what must hold after each disturbance.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::steps::{Steps, until};
use crate::world::{PATIENCE, PIPELINE, World};

/// The stream is sent in parts of this many events.
pub const PART: u32 = 6_000;
/// Parts of a stream.
pub const PARTS: u32 = 4;

/// Runs a disturbance on a pipeline that has published the first part of a stream.
pub fn disturbed(name: &'static str, disturb: impl FnOnce(&World, &mut Steps) -> Result<()>) -> Result<()> {
    let world = World::start(name)?;
    let mut steps = Steps::begin(name);
    let story = || {
        world.apply(&world.manifest())?;
        world.wait_condition("Ready", PATIENCE)?;
        world.grow(0)?;
        world.until_published(PATIENCE)?;
        steps.done("Ready, and the first part published");
        disturb(&world, &mut steps)
    };
    world.told(story())
}

impl World {
    /// Sends one part of the stream.
    pub fn grow(&self, part: u32) -> Result<()> {
        self.produce(PART * PARTS, PART * part, PART * (part + 1))
    }

    /// The pipeline gets Ready by itself, and what is published is exact.
    pub fn converges(&self, steps: &mut Steps) -> Result<()> {
        self.wait_condition("Ready", PATIENCE)?;
        steps.done("Ready");
        let windows = self.ensure_exact()?;
        steps.done(&format!("{windows} windows exact, to the byte"));
        Ok(())
    }

    /// The pods of the workers by name: uid and how often its container was restarted.
    pub fn workers(&self) -> Result<BTreeMap<String, (String, u64)>> {
        let pods = self.json(&["get", "pods", "-l", &format!("sluice.dev/pipeline={PIPELINE}")])?;
        let pods = pods["items"].as_array().context("pods")?;
        let seen = |pod: &Value| {
            let text = |at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            let restarts = pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_u64);
            (text("/metadata/name"), (text("/metadata/uid"), restarts.unwrap_or_default()))
        };
        Ok(pods.iter().map(seen).collect())
    }

    /// Waits until that many workers are ready, and no others exist.
    pub fn until_workers(&self, count: usize) -> Result<()> {
        until(&format!("{count} workers are ready"), PATIENCE, || {
            let status = &self.pipeline()?["status"];
            let is = |field: &str| status[field].as_u64() == Some(count as u64);
            Ok((is("replicas") && is("readyReplicas") && self.workers()?.len() == count).then_some(()))
        })
    }

    /// Fails if a worker was replaced or restarted since.
    pub fn ensure_untouched(&self, before: &BTreeMap<String, (String, u64)>) -> Result<()> {
        let now = self.workers()?;
        ensure!(now == *before, "the workers were {before:?} and are {now:?}");
        Ok(())
    }

    /// `kubectl patch` of the pipeline.
    pub fn patch(&self, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        self.kubectl(&["patch", "analyticspipeline", PIPELINE, "--type=merge", "-p", &patch]).map(drop)
    }
}

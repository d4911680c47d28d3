//! Whole passes over a world in memory: what comes about, what is repaired, and that a crash anywhere changes nothing.

mod crash;
mod life;
mod looks;
mod rights;
mod subject;
mod template;
mod world;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};

use self::world::{Crashing, MemoryWorld};
use super::build::Defaults;
use super::{Allowed, Memory, Policy, Settings, reconcile};
use crate::compile::Compiler;

fn settings() -> Settings {
    Settings {
        defaults: Defaults { worker_image: "worker:1".to_owned(), pull_policy: None },
        policy: Policy {
            images: Allowed::new(vec!["worker:*".to_owned()]),
            priority_classes: Allowed::new(vec!["high".to_owned()]),
            pod_annotations: Allowed::new(vec!["note".to_owned()]),
            ..Policy::default()
        },
        look_every: Duration::from_secs(15),
        look_soon: Duration::from_secs(3),
        look_outside: Duration::from_mins(1),
        deletion_deadline: Duration::from_mins(5),
    }
}

/// The example, as the API server would hold it.
fn pipeline() -> Value {
    let manifest = include_str!("../../../../examples/revenue-5m.yaml");
    let manifest: schemas::spec::AnalyticsPipeline =
        serde_saphyr::from_str(manifest).expect("the example is a manifest");
    let mut pipeline = serde_json::to_value(manifest).expect("a manifest's maps have text keys");
    pipeline["metadata"] = json!({"name": "revenue-5m", "namespace": "team", "uid": "p-1", "generation": 1});
    pipeline
}

/// One pass, until it ends or the world stops answering. Whether it ended.
fn pass(world: &Crashing<'_>, memory: &Memory) -> bool {
    let settings = settings();
    match reconcile(world, &settings, memory, "team", "revenue-5m").now_or_never() {
        Some(ended) => {
            ended.expect("nothing is away");
            true
        }
        None => false,
    }
}

/// An operator that has just started. What was compiled is shared by all of them: compiling is a function of the manifest
/// alone, and takes most of a test's time.
fn fresh() -> Memory {
    static COMPILER: OnceLock<Arc<Compiler>> = OnceLock::new();
    Memory::with(COMPILER.get_or_init(Arc::default).clone())
}

/// Passes of an undisturbed operator, and what Kubernetes does between them, until nothing changes any more.
fn converge(world: &MemoryWorld) {
    assert!(come_to_rest(world, &Crashing::never(world)), "it was stopped");
}

/// Passes of one operator until nothing changes any more. Whether it was not stopped meanwhile.
fn come_to_rest(world: &MemoryWorld, through: &Crashing<'_>) -> bool {
    let memory = fresh();
    for _ in 0..20 {
        let before = world.snapshot();
        if !pass(through, &memory) {
            return false;
        }
        world.kubernetes();
        if world.snapshot() == before {
            return true;
        }
    }
    panic!("it does not come to rest: {:#?}", world.writes());
}

/// A world in which the pipeline runs.
fn running() -> MemoryWorld {
    let world = MemoryWorld::new(pipeline());
    converge(&world);
    world
}

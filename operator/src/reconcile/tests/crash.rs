//! The operator is stopped before and after each call that it makes outside, and started again with an empty memory. Whatever
//! the place, the world comes to the same objects, topics and subject.

use serde_json::{Value, json};

use super::world::{Crashing, MemoryWorld, Stop};
use super::{come_to_rest, converge, pipeline, running};

/// A world before something is to be done, and how it got there.
struct Story {
    name: &'static str,
    begin: fn() -> MemoryWorld,
}

fn edited(edit: impl FnOnce(&mut Value)) -> MemoryWorld {
    let world = running();
    world.edit(edit);
    world
}

const STORIES: [Story; 9] = [
    Story { name: "a new pipeline", begin: || MemoryWorld::new(pipeline()) },
    Story { name: "scaled to three", begin: || edited(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(3)) },
    Story { name: "suspended", begin: || edited(|pipeline| pipeline["spec"]["suspend"] = json!(true)) },
    Story {
        name: "another image",
        begin: || edited(|pipeline| pipeline["spec"]["workers"]["image"] = json!("worker:2")),
    },
    Story {
        name: "larger volumes",
        begin: || edited(|pipeline| pipeline["spec"]["workers"]["storage"]["size"] = json!("2Gi")),
    },
    Story {
        name: "more partitions",
        begin: || edited(|pipeline| pipeline["spec"]["source"]["topic"]["partitions"] = json!(5)),
    },
    Story {
        name: "another meaning",
        begin: || {
            edited(|pipeline| {
                pipeline["spec"]["revision"] = json!(2);
                pipeline["spec"]["groupBy"] = json!(["region"]);
            })
        },
    },
    Story {
        name: "to be deleted with everything",
        begin: || edited(|pipeline| pipeline["spec"]["deletionPolicy"] = json!("Delete")),
    },
    Story {
        name: "deleted with everything",
        begin: || {
            let world = edited(|pipeline| pipeline["spec"]["deletionPolicy"] = json!("Delete"));
            converge(&world);
            world.edit(|pipeline| pipeline["metadata"]["deletionTimestamp"] = json!("2026-11-27T10:14:00Z"));
            world
        },
    },
];

#[test]
fn a_crash_at_any_call_changes_nothing() {
    for Story { name, begin } in STORIES {
        let beginning = begin();
        let undisturbed = beginning.copy();
        let counting = Crashing::never(&undisturbed);
        assert!(come_to_rest(&undisturbed, &counting));
        let expected = undisturbed.snapshot();
        assert_ne!(expected, beginning.snapshot(), "{name}: nothing is to be done");
        let calls = counting.calls();
        for stop in (1..=calls).flat_map(|call| [Stop::Before(call), Stop::After(call)]) {
            // Kubernetes goes on while the operator is away, or the operator is faster.
            for meanwhile in [false, true] {
                let world = beginning.copy();
                assert!(!come_to_rest(&world, &Crashing::at(&world, stop)), "{name}: not stopped at {stop:?}");
                if meanwhile {
                    world.kubernetes();
                }
                converge(&world);
                assert_eq!(world.snapshot(), expected, "{name}: after a stop at {stop:?}, meanwhile: {meanwhile}");
            }
        }
        println!("{name}: {calls} calls, {} stops", 4 * calls);
    }
}

//! When a pipeline is looked at, and what is looked at then.

use futures::FutureExt as _;
use schemas::report::Trouble;
use serde_json::json;

use super::world::{Crashing, MemoryWorld};
use super::{fresh, pass, pipeline, running, settings};
use crate::reconcile::reconcile;

#[test]
fn what_runs_is_looked_at_for_its_reports_and_what_is_on_its_way_ever_less_often() {
    let world = MemoryWorld::new(pipeline());
    let memory = fresh();
    let again = || {
        let ended = reconcile(&world, &settings(), &memory, "team", "revenue-5m").now_or_never();
        ended.expect("nothing waits").expect("nothing is away").expect("the pipeline is there").as_secs()
    };
    // No worker comes up: nothing but the watches tells when.
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let pause = again();
        world.lock().later += pause as i64 * 1_000;
        pauses.push(pause);
    }
    assert!(pauses[0] == 3 && pauses.is_sorted() && pauses.last() == Some(&60), "{pauses:?}");
    world.kubernetes();
    again();
    assert_eq!(again(), 15, "reports come by no watch");
    world.edit(|pipeline| pipeline["spec"]["suspend"] = json!(true));
    for _ in 0..3 {
        again();
        world.kubernetes();
        world.lock().later += 600_000;
    }
    assert_eq!(again(), 60, "nothing runs");
}

#[test]
fn topics_and_the_subject_are_looked_at_when_that_is_due_or_a_worker_is_in_trouble() {
    let world = running();
    let memory = fresh();
    let looks = |later: i64| {
        world.lock().later += later;
        world.lock().looks = (0, 0);
        assert!(pass(&Crashing::never(&world), &memory));
        world.lock().looks
    };
    assert_eq!((looks(0), looks(15_000), looks(60_000), looks(15_000)), ((1, 1), (0, 0), (1, 1), (0, 0)));
    world.lock().troubles = vec![Trouble { reason: "TopicMissing".into(), message: String::new(), since: 0 }];
    assert_eq!(looks(15_000), (1, 1));
    world.lock().troubles.clear();
    world.lock().topics.remove("sales.events.dlq.v1");
    assert_eq!((looks(1_000), looks(60_000)), ((0, 0), (1, 1)));
    assert!(world.lock().topics.contains_key("sales.events.dlq.v1"));
    assert_eq!(looks(1_000), (1, 0), "what was just made is looked at again");
    let level = |world: &MemoryWorld| world.lock().subjects["sales.events.v1-value"].1.clone();
    world.lock().subjects.get_mut("sales.events.v1-value").expect("it is registered").1 = None;
    assert_eq!((looks(60_000), level(&world).as_deref()), ((1, 1), Some("BACKWARD")));
    assert_eq!(looks(1_000), (0, 1), "what was just set is looked at again");
}

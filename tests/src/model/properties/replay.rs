//! The replay theorem, on random logs with random commits and decrees, and that each of its parts is needed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::arb_decreed;
use crate::model::{Anchor, Batch, Decree, History, Seal, Verdict, World};

/// What is said from position `commit` on, given that everything up to it is known.
fn said_after(history: &History, commit: i64) -> (Vec<(i64, Verdict)>, Vec<Seal>, Vec<Batch>) {
    let mut said = (history.verdicts(), history.seals(), history.batches());
    said.0.retain(|(offset, _)| *offset >= commit);
    said.1.retain(|seal| seal.position > commit);
    said.2.retain(|batch| batch.known_at > commit);
    said
}

fn resume(world: &World, decrees: &[Decree], from: Anchor) -> History {
    History::resume(&world.params, &world.records, decrees, from)
}

/// Positions at which a commit can be: before and after each record, at each decree.
fn commits(whole: &History, decrees: &[Decree]) -> BTreeSet<i64> {
    let around_records = whole.verdicts().into_iter().flat_map(|(offset, _)| [offset, offset + 1]);
    around_records.chain(decrees.iter().map(|decree| decree.at)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 3, ..ProptestConfig::default() })]

    #[test]
    fn replay_from_the_anchor_is_exact((world, decrees) in arb_decreed()) {
        let whole = History::new(&world.params, &world.records, &decrees);
        let partials = whole.partials();
        for commit in commits(&whole, &decrees) {
            let rebuilt = resume(&world, &decrees, whole.rebuild_point(commit).anchor);
            prop_assert_eq!(rebuilt.state(commit), whole.state(commit), "state at {}", commit);
            let (verdicts, seals, batches) = said_after(&rebuilt, commit);
            let expected = said_after(&whole, commit);
            prop_assert_eq!(&verdicts, &expected.0, "verdicts from {}", commit);
            prop_assert_eq!(&seals, &expected.1, "seals after {}", commit);
            prop_assert_eq!(&batches, &expected.2, "batches after {}", commit);
            let again = rebuilt.partials();
            for window in seals.iter().flat_map(|seal| &seal.closed) {
                prop_assert_eq!(again.get(window), partials.get(window), "partial of {:?}, commit {}", window, commit);
            }
        }
    }

    #[test]
    fn verdicts_alone_need_only_the_first_step((world, decrees) in arb_decreed()) {
        let whole = History::new(&world.params, &world.records, &decrees);
        for commit in commits(&whole, &decrees) {
            let rebuilt = resume(&world, &decrees, whole.anchor_at(whole.rebuild_point(commit).for_verdicts));
            prop_assert_eq!(said_after(&rebuilt, commit).0, said_after(&whole, commit).0, "from {}", commit);
        }
    }

    #[test]
    fn a_rebuilt_partition_can_be_rebuilt_again((world, decrees) in arb_decreed()) {
        let whole = History::new(&world.params, &world.records, &decrees);
        let mut latest = whole.clone();
        for commit in commits(&whole, &decrees).into_iter().step_by(5) {
            latest = resume(&world, &decrees, latest.rebuild_point(commit).anchor);
            prop_assert_eq!(latest.state(commit), whole.state(commit), "state at {}", commit);
        }
    }
}

/// Each part of the anchor is needed, and often: without it some commit of many random worlds goes wrong.
#[test]
fn nothing_shorter_than_the_anchor_will_do() {
    let mut runner = TestRunner::deterministic();
    let (mut from_commit, mut from_verdicts, mut without_batch, mut without_log_time) = (0, 0, 0, 0);
    for _ in 0..150 {
        let (world, decrees) = arb_decreed().new_tree(&mut runner).expect("no filters in the strategy").current();
        let whole = History::new(&world.params, &world.records, &decrees);
        let goes_wrong = |shorter: &dyn Fn(i64) -> Anchor| {
            let differs = |commit| {
                let rebuilt = resume(&world, &decrees, shorter(commit));
                rebuilt.state(commit) != whole.state(commit)
                    || said_after(&rebuilt, commit) != said_after(&whole, commit)
            };
            u32::from(commits(&whole, &decrees).into_iter().any(differs))
        };
        let point = |commit| whole.rebuild_point(commit);
        from_commit += goes_wrong(&|commit| whole.anchor_at(commit));
        from_verdicts += goes_wrong(&|commit| whole.anchor_at(point(commit).for_verdicts));
        without_batch += goes_wrong(&|commit| whole.anchor_at(point(commit).for_windows));
        without_log_time += goes_wrong(&|commit| Anchor { log_time: None, ..point(commit).anchor });
    }
    let wrong = [from_commit, from_verdicts, without_batch, without_log_time];
    assert!(wrong.iter().all(|worlds| *worlds >= 20), "worlds of 150 that go wrong: {wrong:?}");
}

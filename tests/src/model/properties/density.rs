//! What random worlds contain: a property over logs in which nothing happens proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::model::{PartitionOutcome, Seal, Verdict, Window, World, arb_drain, arb_world, run_with_decrees};

/// What random worlds contain, in how many of them.
#[test]
fn random_worlds_are_dense() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..400 {
        let world = arb_world().new_tree(&mut runner).expect("no filters in the strategy").current();
        let drain = arb_drain(&world.records).new_tree(&mut runner).expect("no filters in the strategy").current();
        let outcome = run_with_decrees(&world.records, &world.params, &[drain]);
        for sight in sights(&world, &outcome) {
            *seen.entry(sight).or_default() += 1;
        }
    }
    for wanted in [
        "undecodable",
        "invalid",
        "filtered",
        "late",
        "duplicate",
        "counted",
        "gap",
        "several batches",
        "empty partial",
        "duplicate of another window",
        "seal over several boundaries",
        "several groups",
        "timestamp goes back",
        "log time goes back",
        "anchor far behind",
        "A(A(c)) before A(c)",
        "A(b) before A(A(c))",
    ] {
        let worlds = seen.get(wanted).copied().unwrap_or(0);
        assert!(worlds >= 40, "\"{wanted}\" in {worlds} of 400 worlds; all: {seen:?}");
    }
}

fn sights(world: &World, outcome: &PartitionOutcome) -> BTreeSet<&'static str> {
    let ledger = &outcome.ledger;
    let points = || outcome.rebuild_points.iter();
    let size = world.params.window;
    let leaps = |pair: &[Seal]| pair[1].sealed_until - pair[0].sealed_until > size;
    let timestamps = world.records.iter().map(|record| record.log_time);
    let log_times = world.records.iter().scan(None, |before, record| {
        *before = Some(world.params.log_time(*before, record.offset, record.log_time));
        *before
    });
    let sights = [
        ("undecodable", ledger.undecodable > 0),
        ("invalid", ledger.invalid > 0),
        ("filtered", ledger.filtered > 0),
        ("late", ledger.late > 0),
        ("duplicate", ledger.duplicate > 0),
        ("counted", ledger.counted > 0),
        ("gap", ledger.gaps > 0),
        ("several batches", outcome.batches.len() > 2),
        ("empty partial", outcome.partials.values().any(BTreeMap::is_empty)),
        ("duplicate of another window", duplicate_across_windows(world, outcome)),
        ("seal over several boundaries", outcome.seals.windows(2).any(leaps)),
        ("several groups", outcome.partials.values().any(|groups| groups.len() > 2)),
        ("timestamp goes back", !timestamps.is_sorted()),
        ("log time goes back", !log_times.is_sorted()),
        ("anchor far behind", points().any(|(position, point)| position - point.anchor.offset > 10)),
        ("A(A(c)) before A(c)", points().any(|(_, point)| point.for_windows < point.for_verdicts)),
        ("A(b) before A(A(c))", points().any(|(_, point)| point.for_batch < point.for_windows)),
    ];
    sights.into_iter().filter(|(_, there)| *there).map(|(sight, _)| sight).collect()
}

/// Whether some duplicate's id was never seen in its own window before.
fn duplicate_across_windows(world: &World, outcome: &PartitionOutcome) -> bool {
    let mut seen: BTreeSet<(Window, String)> = BTreeSet::new();
    let mut across = false;
    for (record, (_, verdict)) in world.records.iter().zip(&outcome.verdicts) {
        let Some(event) = &record.decodable else {
            continue;
        };
        let (Some(time), Some(id)) = (event.event_time, event.id.clone()) else {
            continue;
        };
        if matches!(verdict, Verdict::Counted | Verdict::Duplicate) {
            let new_in_window = seen.insert((world.params.window_of(time), id));
            across |= new_in_window && *verdict == Verdict::Duplicate;
        }
    }
    across
}

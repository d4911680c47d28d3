//! The laws: every record accounted for, nothing goes back, windows close once, nothing early, no future known.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::arb_decreed;
use super::machine::Machine;
use crate::model::{
    AggState, Decree, History, Ledger, Verdict, Window, arb_log, arb_params, arb_world, publish, run, run_with_decrees,
};

proptest! {
    #[test]
    fn formulas_and_machine_agree((world, decrees) in arb_decreed()) {
        let machine = Machine::run(&world.params, &world.records, &decrees);
        let outcome = run_with_decrees(&world.records, &world.params, &decrees);
        prop_assert_eq!(&outcome.verdicts, &machine.verdicts);
        prop_assert_eq!(&outcome.seals, &machine.seals);
        prop_assert_eq!(&outcome.partials, &machine.partials);
    }

    #[test]
    fn l8_open_windows_lie_between_the_watermark_and_the_allowed_skew((world, decrees) in arb_decreed()) {
        let history = History::new(&world.params, &world.records, &decrees);
        for (position, watermark) in history.watermarks() {
            let state = history.state(position);
            let newest = history.newest_log_time(position);
            let horizon = newest.map(|log_time| log_time + world.params.max_future_skew);
            for window in state.open.keys() {
                prop_assert!(Some(window.end) > watermark && Some(window.start) <= horizon);
            }
        }
    }

    #[test]
    fn l1_every_record_is_accounted_for((world, decrees) in arb_decreed()) {
        let outcome = run_with_decrees(&world.records, &world.params, &decrees);
        prop_assert!(outcome.ledger.balances());
        prop_assert_eq!(outcome.ledger.consumed, world.records.len() as u64);

        let batches: Vec<_> = outcome.batches.iter().chain(&outcome.left.batch).collect();
        let mut total = batches.iter().fold(Ledger::default(), |sum, batch| sum.plus(&batch.ledger));
        for batch in &batches {
            prop_assert!(batch.ledger.balances());
            prop_assert_eq!((batch.end - batch.first).unsigned_abs(), batch.ledger.consumed + batch.ledger.gaps);
            for rule in &batch.rules {
                prop_assert_eq!(rule.evaluated + rule.skipped, batch.ledger.consumed - batch.ledger.undecodable);
                prop_assert!(rule.violations <= rule.evaluated);
            }
        }
        // Only a decree inside a gap leaves offsets that no batch covers.
        let covered: i64 = batches.iter().map(|batch| batch.end - batch.first).sum();
        let first = world.records.first().map_or(0, |record| record.offset);
        let end = History::new(&world.params, &world.records, &decrees).end();
        if !world.records.is_empty() && decrees.is_empty() {
            prop_assert_eq!(covered, end - first);
        }
        total.gaps = outcome.ledger.gaps;
        prop_assert_eq!(total, outcome.ledger, "the verdicts of the batches add up");
        prop_assert!(batches.windows(2).all(|pair| pair[0].end <= pair[1].first), "batches do not overlap");
    }

    #[test]
    fn counted_records_are_what_the_partials_and_open_windows_hold((world, decrees) in arb_decreed()) {
        let outcome = run_with_decrees(&world.records, &world.params, &decrees);
        let closed = outcome.partials.values();
        let open = outcome.left.open.values().map(|window| &window.groups);
        let held: u64 = closed.chain(open).flat_map(BTreeMap::values).map(|state| state.records).sum();
        prop_assert_eq!(held, outcome.ledger.counted);
    }

    #[test]
    fn l5_nothing_goes_back((world, decrees) in arb_decreed()) {
        let history = History::new(&world.params, &world.records, &decrees);
        prop_assert!(history.watermarks().is_sorted_by_key(|(position, watermark)| (*position, *watermark)));
        prop_assert!(history.watermarks().is_sorted_by_key(|(_, watermark)| *watermark));
        let seals = history.seals();
        prop_assert!(seals.is_sorted_by(|a, b| a.sealed_until < b.sealed_until && a.position <= b.position));
        let outcome = run_with_decrees(&world.records, &world.params, &decrees);
        let anchors: Vec<_> = outcome.rebuild_points.iter().map(|(_, point)| point.anchor).collect();
        prop_assert!(anchors.is_sorted_by_key(|anchor| anchor.offset));
        prop_assert!(anchors.is_sorted_by_key(|anchor| anchor.watermark));
        prop_assert!(outcome.rebuild_points.iter().all(|(position, point)| point.anchor.offset <= *position));
    }

    #[test]
    fn a_window_closes_once_and_after_its_last_record((world, decrees) in arb_decreed()) {
        let outcome = run_with_decrees(&world.records, &world.params, &decrees);
        let mut closed_at: BTreeMap<Window, i64> = BTreeMap::new();
        for seal in &outcome.seals {
            for window in &seal.closed {
                prop_assert!(window.end <= seal.sealed_until);
                prop_assert_eq!(closed_at.insert(*window, seal.position), None, "closed twice");
            }
        }
        prop_assert!(closed_at.keys().eq(outcome.partials.keys()));
        for (record, (_, verdict)) in world.records.iter().zip(&outcome.verdicts) {
            let time = record.decodable.as_ref().and_then(|event| event.event_time);
            let (Some(time), Verdict::Counted | Verdict::Duplicate) = (time, verdict) else { continue };
            let window = world.params.window_of(time);
            prop_assert!(closed_at.get(&window).is_none_or(|position| record.offset < *position));
        }
    }

    #[test]
    fn what_was_said_before_is_not_changed_by_what_comes((world, decrees) in arb_decreed(), cut in 0..60_usize) {
        let whole = run_with_decrees(&world.records, &world.params, &decrees);
        let cut = cut.min(world.records.len());
        let position = Decree::after(&world.records[..cut], 0).at;
        let earlier: Vec<_> = decrees.iter().copied().filter(|decree| decree.at <= position).collect();
        let prefix = run_with_decrees(&world.records[..cut], &world.params, &earlier);
        prop_assert!(whole.verdicts.starts_with(&prefix.verdicts));
        prop_assert!(whole.seals.starts_with(&prefix.seals));
        prop_assert!(whole.batches.starts_with(&prefix.batches));
        prop_assert!(prefix.partials.iter().all(|(window, groups)| whole.partials.get(window) == Some(groups)));
    }

    #[test]
    fn a_drain_far_ahead_leaves_nothing_open(world in arb_world()) {
        let target = world.records.iter().map(|record| record.log_time).max().unwrap_or(0) + 1_000_000;
        let outcome = run(&world.records, &world.params, Some(target));
        prop_assert!(outcome.left.open.is_empty());
        prop_assert!(outcome.left.batch.is_none());
        prop_assert_eq!(outcome.sealed_until(), Some(world.params.boundary(target)));
    }

    #[test]
    fn l6_l7_publish_once_and_nothing_early(
        (params, logs) in arb_params().prop_flat_map(|params| {
            let logs = proptest::collection::vec(arb_log(&params), 1..4);
            (Just(params), logs)
        })
    ) {
        let outcomes: Vec<_> = logs.iter().map(|log| run(log, &params, None)).collect();
        let published = publish(&outcomes);
        for (window, rows) in &published {
            prop_assert!(!rows.is_empty());
            prop_assert!(rows.is_sorted_by(|a, b| a.group < b.group));
            prop_assert!(outcomes.iter().all(|outcome| outcome.sealed_until() >= Some(window.end)));
        }
        // Sealing everything publishes every counted record, and changes no window that was there.
        let drained: Vec<_> = logs.iter().map(|log| run(log, &params, Some(2_000_000_000_000))).collect();
        let finally = publish(&drained);
        prop_assert!(published.iter().all(|(window, rows)| finally.get(window) == Some(rows)));
        let rows: u64 = finally.values().flatten().map(|row| row.state.records).sum();
        prop_assert_eq!(rows, drained.iter().map(|outcome| outcome.ledger.counted).sum::<u64>());
        let reversed: Vec<_> = drained.into_iter().rev().collect();
        prop_assert_eq!(publish(&reversed), finally, "the order of partitions does not matter");
    }

    #[test]
    fn merging_is_a_commutative_monoid(values in proptest::collection::vec(proptest::option::of(-9..9_i128), 3)) {
        let [a, b, c] = [0, 1, 2].map(|index| AggState::of(&values[index..=index]));
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&AggState::default()), a);
    }
}

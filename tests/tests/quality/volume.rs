//! The rule about the records of a batch: what passes, violates and is skipped, whatever interrupts the worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use schemas::report::QualityState;
use serde_json::json;
use tests::pipeline::{Way, files, rows, run_bounded};
use worker::{Config, bounded};

use crate::table::counts;
use crate::world::{PATIENCE, World, consumed, start, stop, trouble, until};

#[test]
fn a_batch_far_from_the_median_breaks_the_rule_and_restarts_change_nothing() -> Result<()> {
    let world = World::start()?;
    let rule = json!({
        "name": "steady",
        "volume": {"minPercent": 50, "maxPercent": 150, "batches": 5},
        "onViolation": "Report",
        "threshold": {"warning": 0},
    });
    let changes = [("/spec/quality/rules/6", rule)];
    let plan = Arc::new(world.plan(&world.path("data"), &changes)?);
    // Minutes 0 to 8 as usual, 8 too few, 9 too many, 10 and 11 as usual. Workers stop in the middle of batches.
    let mut read = 0;
    for (from, to, rate) in [(0, 3, 1000), (3, 8, 1000), (8, 9, 200), (9, 10, 3000), (10, 12, 1000)] {
        let worker = start(&plan)?;
        world.feed_many(from, to, rate, |_| {})?;
        let count = rate * (to - from).unsigned_abs();
        until(&worker, "the part is read", |report| (consumed(report) == count).then_some(()))?;
        read += count;
        stop(worker)?;
    }
    let worker = start(&plan)?;
    let quality = until(&worker, "the rule is in doubt", |report| {
        assert_eq!(trouble(report, "SourceDataLost"), None);
        report.quality.clone().filter(|quality| quality.state == QualityState::Warning)
    })?;
    let standing = quality.rules.iter().find(|rule| rule.name == "steady").context("it is judged")?.standing.clone();
    assert_eq!((standing.state, standing.violations), (QualityState::Warning, 6), "{standing:?}");
    assert!(quality.message.contains("rule 'steady' is Warning since 2026-11-23T06:"), "{}", quality.message);
    assert!(quality.message.contains("6 of 15 batches break it"), "{}", quality.message);
    stop(worker)?;
    let ends = bounded::ends(&plan)?;
    assert_eq!(ends.values().sum::<i64>().unsigned_abs(), read);
    let begun = Instant::now();
    let last = Config { ends: Some(ends), cut_interval: Duration::from_millis(50), ..Config::new(plan, "worker-0") };
    bounded::run(vec![last], |_| begun.elapsed() < PATIENCE)?;

    // Of each partition: minutes 6, 7 and 10 pass, 8 and 9 do not; before 6 too little is known, 0 and 11 are no whole minutes.
    let found = counts(&rows(&world.path("data/dq/revenue-5m/metrics"))?);
    eprintln!("steady: evaluated, violations, skipped {:?}", found["steady"]);
    assert_eq!(found["steady"], [15, 6, 21]);

    let undisturbed = world.path("undisturbed");
    let way = Way { group: "undisturbed".to_owned(), workers: 2, lanes: 1, fetch_records: 77 };
    run_bounded(&world.plan(&undisturbed, &changes)?, &way, PATIENCE)?;
    let (expected, found) = (files(&undisturbed)?, files(&world.path("data"))?);
    assert!(expected.keys().filter(|name| name.starts_with("dq/")).count() >= 36);
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    let differ: Vec<_> =
        expected.iter().filter(|(name, bytes)| found[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "{differ:?}");
    Ok(())
}

//! Bad data is noticed within its batch, named by its rule, acted on as the manifest says, and over when it has slid out of
//! the span.

use anyhow::{Context as _, Result};
use schemas::report::{QualityReport, QualityState, WorkerReport};
use serde_json::{Value, json};
use tests::pipeline::{Way, files, run_bounded};

use crate::world::{MINUTE, PATIENCE, START, World, consumed, published, start, stop, trouble, until};

/// The rule that is watched, and what is done about it.
fn watched(on_critical: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("/spec/quality/thresholds", json!({"span": "5m", "minRecords": 100, "onCritical": on_critical})),
        ("/spec/quality/rules/2/threshold", json!({"warning": 1000, "critical": 20000})),
    ]
}

/// Good, bad and good again: minutes 0 to 20, 20 to 24, 24 to 50.
const GOOD: (i64, i64) = (0, 20);
const BAD: (i64, i64) = (20, 24);
const AGAIN: (i64, i64) = (24, 50);

fn region(report: &WorkerReport) -> Option<(QualityState, QualityReport)> {
    let quality = report.quality.clone()?;
    Some((quality.rules.iter().find(|rule| rule.name == "region")?.standing.state, quality))
}

/// Judged up to the last minute before `minute` that has a report: the newest batch has none yet.
fn is_judged(quality: &QualityReport, minute: i64) -> bool {
    quality.until.is_some_and(|until| until >= START + (minute - 2) * MINUTE)
}

#[test]
fn a_rule_in_doubt_is_named_and_recovers_when_the_span_has_passed() -> Result<()> {
    let world = World::start()?;
    let plan = world.plan(&world.path("data"), &watched("Report"))?;
    let worker = start(&plan)?;
    world.feed(GOOD.0, GOOD.1, |_| {})?;
    let good = until(&worker, "the good part is judged", |report| {
        region(report).filter(|(_, quality)| is_judged(quality, GOOD.1))
    })?;
    assert_eq!((good.0, good.1.state, good.1.message.as_str()), (QualityState::Ok, QualityState::Ok, ""));
    assert!((3..=18).contains(&good.1.batches), "{good:#?}");

    world.feed(BAD.0, BAD.1, |shape| shape.invalid = 0.3)?;
    let bad = until(&worker, "the rule is critical", |report| {
        region(report).filter(|(state, quality)| *state == QualityState::Critical && is_judged(quality, BAD.1))
    })?;
    assert_eq!(bad.1.state, QualityState::Critical);
    assert!(bad.1.message.contains("rule 'region' is Critical since 2026-11-23T06:2"), "{}", bad.1.message);
    assert!(bad.1.message.contains("the whole is Critical"), "{}", bad.1.message);
    let rule = bad.1.rules.iter().find(|rule| rule.name == "region").context("it is there")?;
    assert!((20_000..80_000).contains(&rule.standing.per_million), "{rule:?}");
    let worst = bad.1.worst_batch.context("there is a worst batch")?;
    assert!(worst.violations > 10 && worst.last_log_time >= START + BAD.0 * MINUTE, "{worst:?}");
    let quiet = bad.1.rules.iter().find(|rule| rule.name == "fresh").context("it is there")?;
    assert_eq!((quiet.standing.violations, quiet.standing.state), (0, QualityState::Ok));

    // Nothing comes: nothing is known to be better. Every restart finds the same.
    stop(worker)?;
    let found = [(); 2].map(|()| {
        let worker = start(&plan)?;
        let (state, quality) = until(&worker, "the state is known again", region)?;
        stop(worker)?;
        anyhow::Ok((state, quality))
    });
    let [first, second] = found;
    let (first, second) = (first?, second?);
    assert_eq!(first, second);
    assert_eq!(first.0, QualityState::Critical);
    assert!(first.1.until >= bad.1.until && first.1.overall.violations >= bad.1.overall.violations, "{first:#?}");

    let worker = start(&plan)?;
    world.feed(AGAIN.0, AGAIN.1, |_| {})?;
    let over = until(&worker, "it is over", |report| {
        region(report).filter(|(state, quality)| *state == QualityState::Ok && is_judged(quality, AGAIN.1))
    })?;
    assert_eq!((over.1.state, over.1.message.as_str(), over.1.worst_batch), (QualityState::Ok, "", None));
    stop(worker)
}

#[test]
fn output_is_held_while_the_data_is_critical_and_then_complete() -> Result<()> {
    let world = World::start()?;
    let plan = world.plan(&world.path("held"), &watched("HoldOutput"))?;
    let worker = start(&plan)?;
    world.feed(GOOD.0, GOOD.1, |_| {})?;
    until(&worker, "the good part is judged", |report| {
        region(report).filter(|(_, quality)| is_judged(quality, GOOD.1))
    })?;
    world.feed(BAD.0, BAD.1, |shape| shape.invalid = 0.3)?;
    until(&worker, "the rule is critical", |report| {
        region(report).filter(|(state, quality)| *state == QualityState::Critical && is_judged(quality, BAD.1))
    })?;
    let held = until(&worker, "the output is held", |report| trouble(report, "OutputHeld").map(|_| published(report)))?;
    // Enough to close windows, too little to be good again.
    world.feed(AGAIN.0, AGAIN.0 + 2, |_| {})?;
    let still = until(&worker, "more is judged", |report| {
        region(report).filter(|(_, quality)| is_judged(quality, AGAIN.0 + 2)).map(|_| published(report))
    })?;
    assert_eq!(still, held, "windows are closed but not published");
    world.feed(AGAIN.0 + 2, AGAIN.1, |_| {})?;
    until(&worker, "what was held is published", |report| {
        (trouble(report, "OutputHeld").is_none() && published(report) > held + 3).then_some(())
    })?;
    stop(worker)?;

    // The same log without a hold gives the same files; the last windows are only in the bounded run.
    let undisturbed = world.path("undisturbed");
    let way = Way { group: "undisturbed".to_owned(), workers: 1, lanes: 2, fetch_records: 5000 };
    run_bounded(&world.plan(&undisturbed, &watched("Report"))?, &way, PATIENCE)?;
    let (expected, found) = (files(&undisturbed)?, files(&world.path("held"))?);
    assert!(found.keys().filter(|name| name.starts_with("gold/")).count() > 5);
    for (name, bytes) in found {
        assert!(expected.get(&name) == Some(&bytes), "'{name}' differs");
    }
    Ok(())
}

#[test]
fn reading_is_suspended_until_a_person_acts() -> Result<()> {
    let world = World::start()?;
    let plan = world.plan(&world.path("data"), &watched("Suspend"))?;
    let worker = start(&plan)?;
    world.feed(GOOD.0, GOOD.1, |_| {})?;
    world.feed(BAD.0, BAD.1, |shape| shape.invalid = 0.3)?;
    let message = until(&worker, "reading is suspended", |report| trouble(report, "QualitySuspended"))?;
    assert!(message.contains("rule 'region' is Critical"), "{message}");
    world.feed(AGAIN.0, AGAIN.1, |_| {})?;
    stop(worker)?;

    // A restart alone changes nothing: it reads nothing.
    let worker = start(&plan)?;
    until(&worker, "a restart is suspended too", |report| trouble(report, "QualitySuspended"))?;
    let untouched =
        until(&worker, "it owns all partitions", |report| (report.partitions.len() == 3).then(|| consumed(report)))?;
    assert_eq!(untouched, 0);
    stop(worker)?;

    let mut changes = watched("Suspend");
    changes.push(("/spec/quality/thresholds/ignoreBefore", json!("2026-11-23T06:24:30Z")));
    let worker = start(&world.plan(&world.path("data"), &changes)?)?;
    until(&worker, "the rest is read", |report| {
        let read = |partition: &schemas::report::PartitionReport| partition.end == Some(partition.position);
        (report.partitions.len() == 3 && report.partitions.iter().all(read)).then_some(())
    })?;
    assert_eq!(trouble(&worker.report(), "QualitySuspended"), None);
    stop(worker)
}

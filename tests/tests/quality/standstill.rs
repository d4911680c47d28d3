//! What a person has to decide: a partition stands still, the others go on, and a changed manifest lets it go on.

use anyhow::{Context as _, Result};
use schemas::report::WorkerReport;
use serde_json::{Value, json};

use crate::world::{World, consumed, start, stop, trouble, until};

fn all_read(report: &WorkerReport, total: u64) -> Option<()> {
    let positions: i64 = report.partitions.iter().map(|partition| partition.position).sum();
    (report.partitions.len() == 3 && positions as u64 == total && report.troubles.is_empty()).then_some(())
}

/// The number after `word` in a message.
fn number(message: &str, word: &str) -> Result<i64> {
    let rest = message.split(word).nth(1).with_context(|| format!("'{word}' in '{message}'"))?;
    Ok(rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse()?)
}

#[test]
fn a_rule_can_stop_a_partition_before_a_record() -> Result<()> {
    let world = World::start()?;
    let rule = |on_violation: &str| -> Vec<(&'static str, Value)> {
        vec![("/spec/quality/rules/2/onViolation", json!(on_violation))]
    };
    // Some twenty records of one minute break the five dead-letter rules in turn.
    world.feed(0, 3, |_| {})?;
    world.feed(3, 4, |shape| shape.invalid = 0.02)?;
    world.feed(4, 6, |_| {})?;
    let plan = world.plan(&world.path("data"), &rule("Stop"))?;
    let stands = |report: &WorkerReport| {
        let message = trouble(report, "StoppedByRule")?;
        // Partitions that do not stand have read all.
        let rest = report.partitions.iter().filter(|partition| Some(partition.position) != partition.end);
        let stopped = report.troubles.iter().filter(|trouble| trouble.reason == "StoppedByRule").count();
        (report.partitions.len() == 3 && rest.count() == stopped).then_some((message, consumed(report)))
    };
    let worker = start(&plan)?;
    let (message, read) = until(&worker, "a partition stands and the others have read all", stands)?;
    let (partition, offset) = (number(&message, "partition ")?, number(&message, "offset ")?);
    assert_eq!(
        message,
        format!(
            "partition {partition} stands before offset {offset}: the record breaks rule 'region', expected one of 'us', 'eu', \
             'apac', 'latam'; mend the rule, or give it another onViolation"
        )
    );
    let report = worker.report();
    let stopped =
        report.partitions.iter().find(|found| i64::from(found.partition) == partition).context("it is there")?;
    assert_eq!(stopped.position, offset, "everything before the record is judged, and nothing behind it");
    assert!(read < 6000, "{read} of 6000 records are judged");
    stop(worker)?;

    // A restart alone comes to the same standstill.
    let worker = start(&plan)?;
    let (again, nothing) = until(&worker, "it stands again", stands)?;
    assert_eq!((again, nothing), (message, 0));
    stop(worker)?;

    let worker = start(&world.plan(&world.path("data"), &rule("DeadLetter"))?)?;
    until(&worker, "all is read", |report| all_read(report, 6000))?;
    assert_eq!(read + consumed(&worker.report()), 6000, "every record is judged once");
    stop(worker)
}

#[test]
fn a_runaway_share_of_dead_letters_pauses_the_partition() -> Result<()> {
    let world = World::start()?;
    let most = |share: u32| -> Vec<(&'static str, Value)> {
        let topic = json!({"name": "sales.events.dlq.v1"});
        vec![
            ("/spec/deadLetter", json!({"topic": topic, "maxShare": share})),
            ("/spec/quality/thresholds", json!({"minRecords": 100})),
        ]
    };
    world.feed(0, 3, |_| {})?;
    world.feed(3, 30, |shape| shape.invalid = 1.0)?;
    let plan = world.plan(&world.path("data"), &most(500_000))?;
    let worker = start(&plan)?;
    let pauses = |report: &WorkerReport| {
        let paused = report.troubles.iter().filter(|trouble| trouble.reason == "DeadLetterRunaway").count();
        (paused == 3).then(|| (trouble(report, "DeadLetterRunaway").unwrap_or_default(), consumed(report)))
    };
    // The good part is told a moment after the pause.
    let (message, read) =
        until(&worker, "all partitions pause", |report| pauses(report).filter(|(_, read)| *read >= 3000))?;
    assert!(message.contains("allowed are 500000 per million"), "{message}");
    assert!((3000..10_000).contains(&read), "{read} of 30000 records are judged: the topic is not drained");
    stop(worker)?;
    let worker = start(&plan)?;
    let (_, more) = until(&worker, "they pause again", pauses)?;
    assert_eq!(more, 0, "a restart alone comes to the same standstill");
    stop(worker)?;
    let worker = start(&world.plan(&world.path("data"), &most(1_000_000))?)?;
    until(&worker, "all is read", |report| all_read(report, 30_000))?;
    stop(worker)
}

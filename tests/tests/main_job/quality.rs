//! What is said of the data is a function of the log: other workers, other fetches and kills leave no trace in `dq/`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use plan::Plan;
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use serde_json::json;
use tests::pipeline::{Way, files, rows, run_bounded, set_sink};
use worker::{Config, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, until};
use crate::process::Process;

/// The log grows in parts of this many events, each of which takes some seconds.
const PART: u32 = 30_000;
const PARTS: u32 = 3;
const WORKERS: usize = 3;

/// The quickstart with short batches, many samples, and the rules that look further than a record.
fn manifest(job: &Job, store: &Path, properties: &serde_json::Value) -> Result<AnalyticsPipeline> {
    let mut manifest = serde_json::to_value(job.manifest(store)?)?;
    let spec = &mut manifest["spec"];
    spec["kafka"]["properties"] = properties.clone();
    spec["quality"]["batch"] = json!({"interval": "250ms", "maxRecords": 100_000});
    spec["quality"]["samples"] = json!({"perRule": 5, "redact": ["account_id"]});
    if let Some(rules) = spec["quality"]["rules"].as_array_mut() {
        rules.push(json!({"name": "once", "unique": "event_id", "onViolation": "Report"}));
        let volume = json!({"minPercent": 80, "maxPercent": 120, "batches": 3});
        rules.push(json!({"name": "steady", "volume": volume, "onViolation": "Report"}));
    }
    Ok(serde_json::from_value(manifest)?)
}

fn name(number: usize) -> String {
    format!("revenue-5m-{number}")
}

fn is_ahead(report: &WorkerReport) -> bool {
    report.partitions.iter().any(|partition| partition.position > partition.committed)
}

#[test]
#[ignore = "needs servers: make test"]
fn quality_is_the_same_with_other_workers_other_fetches_and_kills() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    // Fetches of a few records, and a group that notices soon that a member is gone.
    let small =
        json!({"fetch.message.max.bytes": "2000", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"});
    let manifest_of_killed = manifest(&job, &store, &small)?;
    let plan = Arc::new(Plan::compile(&manifest_of_killed)?);
    let start = |number: usize| Process::start(&name(number), &manifest_of_killed, &job.path(&name(number)));
    let grow = |part: u32| job.produce(PART * PARTS, part * PART, (part + 1) * PART);
    let ahead =
        |process: &Process| until("something read that is not committed", || Ok(process.report().filter(is_ahead)));

    let workers = (0..WORKERS).map(start).collect::<Result<Vec<_>>>()?;
    grow(0)?;
    until("each worker has a partition", || {
        let owned = workers.iter().filter_map(Process::report).filter(|report| report.partitions.len() == 1);
        Ok((owned.count() == WORKERS).then_some(()))
    })?;
    let mut workers = workers.into_iter();
    let [first, second, third] = [workers.next(), workers.next(), workers.next()].map(|worker| worker.expect("three"));
    // One is gone for good in the middle of the log; its partition goes to another.
    std::thread::scope(|scope| -> Result<()> {
        let growing = scope.spawn(|| grow(1));
        ahead(&third)?;
        third.kill()?;
        growing.join().expect("growing does not panic")
    })?;
    until("the others have taken its partition over", || {
        let reports: Vec<_> = [&first, &second].into_iter().filter_map(Process::report).collect();
        let owned: usize = reports.iter().map(|report| report.partitions.len()).sum();
        Ok((owned == 3).then_some(()))
    })?;
    // The one that publishes is killed and comes back.
    let first = std::thread::scope(|scope| -> Result<Process> {
        let growing = scope.spawn(|| grow(2));
        ahead(&first)?;
        first.kill()?;
        let first = start(0)?;
        growing.join().expect("growing does not panic")?;
        Ok(first)
    })?;
    let ends = bounded::ends(&plan)?;
    until("all is committed", || Ok((job.committed(&plan, &plan.name)? == ends).then_some(())))?;
    for process in [first, second] {
        let status = process.terminate()?;
        ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    }
    let config = Config { static_member: true, ends: Some(ends), ..Config::new(plan.clone(), name(0)) };
    let started = Instant::now();
    bounded::run(vec![config], |_| started.elapsed() < PATIENCE)?;

    let found = files(&store)?;
    for (workers, lanes, fetch_records) in [(1, 1, 100_000), (2, 2, 333)] {
        let group = format!("undisturbed-{workers}");
        let undisturbed = job.path(&group);
        let mut plan = Plan::compile(&manifest(&job, &undisturbed, &json!({}))?)?;
        set_sink(&mut plan, &undisturbed);
        run_bounded(&plan, &Way { group, workers, lanes, fetch_records }, PATIENCE)?;
        ensure_same(&files(&undisturbed)?, &found, &format!("{workers} workers against three with kills"))?;
    }
    let count = |folder: &str| found.keys().filter(|name| name.starts_with(folder)).count();
    let (metrics, samples) = (count("dq/revenue-5m/metrics/"), count("dq/revenue-5m/samples/"));
    let judged = judged(&rows(&store.join("dq/revenue-5m/metrics"))?);
    eprintln!("{metrics} reports and {samples} of samples are the same; 'steady' judged {judged} batches");
    ensure!(metrics > 20 && samples > 20 && judged > 0, "{metrics} reports, {samples} of samples, {judged} judged");
    Ok(())
}

/// Batches of which the rule 'steady' said anything.
fn judged(metrics: &[arrow::array::RecordBatch]) -> i64 {
    use arrow::array::{Array, AsArray};
    let each = metrics.iter().flat_map(|batch| {
        let column = |name: &str| batch.column_by_name(name).expect("a report has the documented columns");
        let (names, evaluated) = (column("rule").as_string::<i32>().clone(), column("evaluated").clone());
        let evaluated = evaluated.as_primitive::<arrow::datatypes::Int64Type>().clone();
        (0..batch.num_rows())
            .filter(move |row| names.is_valid(*row) && names.value(*row) == "steady")
            .map(move |row| evaluated.value(row))
    });
    each.sum()
}

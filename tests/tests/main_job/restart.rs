//! Interruptions: whatever ends a worker, the next one goes on from what is committed, and the files are those of an
//! undisturbed run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use plan::Plan;
use schemas::report::WorkerReport;
use tests::pipeline::files;
use worker::{Config, Worker, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain, until};
use crate::process::Process;

/// The log grows in parts of this many events.
const PART: u32 = 10_000;
const PARTS: u32 = 3;
/// The name of the worker; a static member of the group, so that a new one takes its place at once.
const NAME: &str = "revenue-5m-0";

/// Sends the next part of the log.
fn grow(job: &Job, part: u32) -> Result<()> {
    job.produce(PART * PARTS, part * PART, (part + 1) * PART)
}

/// A worker that cuts often.
fn config(plan: &Arc<Plan>) -> Config {
    let cut_interval = Duration::from_millis(20);
    Config { static_member: true, fetch_records: 50, cut_interval, ..Config::new(plan.clone(), NAME) }
}

/// Runs to the end of the log; gives how many records were judged on the way.
fn finish(plan: &Arc<Plan>) -> Result<u64> {
    let config = Config { ends: Some(bounded::ends(plan)?), ..config(plan) };
    let started = Instant::now();
    let reports = bounded::run(vec![config], |_| started.elapsed() < PATIENCE)?;
    ensure!(started.elapsed() < PATIENCE, "not finished after {PATIENCE:?}: {reports:#?}");
    Ok(reports.iter().flat_map(|report| &report.partitions).map(|partition| partition.ledger.consumed).sum())
}

/// The records of a log that is committed to there.
fn total(offsets: &BTreeMap<i32, i64>) -> u64 {
    offsets.values().map(|offset| offset.cast_unsigned()).sum()
}

fn has_published(report: &WorkerReport) -> bool {
    report.outputs.iter().any(|output| output.windows_published > 0)
}

fn is_ahead(report: &WorkerReport) -> bool {
    report.partitions.iter().any(|partition| partition.position > partition.committed)
}

fn has_committed(report: &WorkerReport, ends: &BTreeMap<i32, i64>) -> bool {
    let committed = report.partitions.iter().map(|partition| (partition.partition, partition.committed));
    committed.eq(ends.iter().map(|(partition, end)| (*partition, *end)))
}

/// When each gold file was written.
fn written(store: &Path) -> Result<BTreeMap<String, SystemTime>> {
    let names = files(store)?.into_keys().filter(|name| name.starts_with("gold/"));
    names.map(|name| Ok((name.clone(), fs::metadata(store.join(name))?.modified()?))).collect()
}

/// The store is that of an undisturbed run, and what was `early` there has been left alone.
fn ensure_unchanged(job: &Job, store: &Path, early: &BTreeMap<String, SystemTime>) -> Result<()> {
    ensure!(!early.is_empty(), "nothing was published before the interruption");
    let late = written(store)?;
    ensure!(early.iter().all(|(name, at)| late.get(name) == Some(at)), "a file was written again");
    let expected = files(&job.run(&plain("undisturbed"))?.0)?;
    ensure_same(&expected, &files(store)?, "after interruptions")?;
    eprintln!("{} files, {} of them gold, {} before the last interruption", expected.len(), late.len(), early.len());
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn a_restart_resumes_and_changes_nothing() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let plan = Arc::new(job.plan(&store)?);
    let mut reached = BTreeMap::new();
    for part in 0..PARTS - 1 {
        grow(&job, part)?;
        let worker = Worker::start(config(&plan))?;
        let goes_on = |report: &WorkerReport| {
            let moved = |partition: i32, committed: i64| committed > reached.get(&partition).copied().unwrap_or(0);
            report.partitions.len() == 3
                && report.partitions.iter().all(|partition| moved(partition.partition, partition.committed))
                && has_published(report)
        };
        until("every partition committed and a window published", || {
            ensure!(!worker.is_ended(), "the worker has ended");
            Ok(goes_on(&worker.report()).then_some(()))
        })?;
        worker.request_stop();
        worker.join()?;
        reached = job.committed(&plan, &plan.name)?;
        eprintln!("stopped at {reached:?} of {:?}", bounded::ends(&plan)?);
    }
    let early = written(&store)?;
    grow(&job, PARTS - 1)?;
    let left = total(&bounded::ends(&plan)?) - total(&reached);
    let judged = finish(&plan)?;
    ensure!(judged == left, "{judged} records were judged after the last restart, and {left} were left");
    ensure_unchanged(&job, &store, &early)
}

#[test]
#[ignore = "needs servers: make test"]
fn a_killed_worker_loses_nothing_and_writes_nothing_twice() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let (plan, manifest) = (Arc::new(job.plan(&store)?), job.manifest(&store)?);
    let start = || Process::start(NAME, &manifest, &job.path("process"));
    let wait = |process: &Process, what: &str, holds: &dyn Fn(&WorkerReport) -> bool| {
        until(what, || Ok(process.report().filter(|report| holds(report))))
    };
    let told = |report: &WorkerReport| {
        let places = report.partitions.iter().map(|partition| (partition.committed, partition.position));
        eprintln!("killed at (committed, read) {:?}", places.collect::<Vec<_>>());
    };

    grow(&job, 0)?;
    let process = start()?;
    told(&wait(&process, "something read that is not committed", &is_ahead)?);
    process.kill()?;

    let process = start()?;
    let ends = bounded::ends(&plan)?;
    wait(&process, "all committed and a window published", &|report| {
        has_committed(report, &ends) && has_published(report)
    })?;
    grow(&job, 1)?;
    told(&wait(&process, "something read that is not committed", &is_ahead)?);
    process.kill()?;

    let process = start()?;
    let ends = bounded::ends(&plan)?;
    let report = wait(&process, "something to cut", &|report| is_ahead(report) || has_committed(report, &ends))?;
    let status = process.terminate()?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    let reached = job.committed(&plan, &plan.name)?;
    for partition in &report.partitions {
        let committed = reached[&partition.partition];
        ensure!(committed >= partition.position, "{partition:?} and then only {committed} committed");
    }
    let early = written(&store)?;
    grow(&job, 2)?;
    let judged = finish(&plan).context("the last run")?;
    eprintln!("{judged} records were left for the last run");
    ensure_unchanged(&job, &store, &early)
}

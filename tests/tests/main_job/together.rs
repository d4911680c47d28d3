//! Workers that start at once: the group deals the partitions anew while they are being read, and nothing is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::scope;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use plan::Plan;
use schemas::report::PartitionReport;
use schemas::spec::AnalyticsPipeline;
use tests::pipeline::{create_topics, files, run_bounded, set_sink};
use worker::{Config, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain, until};
use crate::process::Process;

/// The log grows in parts of this many events.
const PART: u32 = 5_000;
/// The group deals the partitions in another way each time.
const STARTS: u32 = 3;
const WORKERS: usize = 3;

#[test]
#[ignore = "needs servers: make test"]
fn workers_that_join_together_share_the_log_and_read_all_of_it() -> Result<()> {
    let job = Job::start()?;
    let grow = |part: u32| job.produce(PART * (STARTS + 1), part * PART, (part + 1) * PART);
    grow(0)?;
    for start in 0..STARTS {
        let name = format!("together-{start}");
        let mut manifest = job.manifest(&job.path(&name))?;
        manifest.metadata.name = name;
        let plan = Plan::compile(&manifest)?;
        create_topics(&plan)?;
        let workers = begin(&job, &manifest)?;
        wait_until_shared(&workers, &bounded::ends(&plan)?)?;
        // Every worker was told the end of the log, and then the group dealt anew; now the log goes on.
        grow(start + 1)?;
        wait_until_shared(&workers, &bounded::ends(&plan)?)?;
        for worker in workers {
            let status = worker.terminate()?;
            ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
        }
        finish(plan.clone()).context("the last run")?;
        ensure_undisturbed(&job, plan).with_context(|| format!("start {start}"))?;
    }
    Ok(())
}

fn name(pipeline: &str, number: usize) -> String {
    format!("{pipeline}-{number}")
}

/// Starts all workers at once.
fn begin(job: &Job, manifest: &AnalyticsPipeline) -> Result<Vec<Process>> {
    scope(|scope| {
        let starting = [0, 1, 2].map(|number| {
            let name = name(&manifest.metadata.name, number);
            scope.spawn(move || Process::start(&name, manifest, &job.path(&format!("{name}-process"))))
        });
        starting.into_iter().map(|started| started.join().expect("starting does not panic")).collect()
    })
}

/// Waits until each worker has a partition of its own, and all that is in the log is committed.
fn wait_until_shared(workers: &[Process], ends: &BTreeMap<i32, i64>) -> Result<()> {
    let begun = Instant::now();
    until("every worker has a partition, and all is committed", || {
        let owned: Vec<Vec<PartitionReport>> =
            workers.iter().filter_map(Process::report).map(|report| report.partitions).collect();
        let committed = owned.iter().flatten().map(|partition| (partition.partition, partition.committed));
        let shared = owned.len() == WORKERS && owned.iter().all(|partitions| partitions.len() == 1);
        Ok((shared && committed.collect::<BTreeMap<_, _>>() == *ends).then_some(()))
    })
    .with_context(|| workers.iter().map(Process::tell).collect::<Vec<_>>().join("\n"))?;
    eprintln!("{ends:?} shared and committed in {:?}", begun.elapsed());
    Ok(())
}

/// Runs the same members to the end of the log.
fn finish(plan: Plan) -> Result<()> {
    let (ends, plan) = (bounded::ends(&plan)?, Arc::new(plan));
    let configs = (0..WORKERS).map(|number| Config {
        static_member: true,
        publishes: number == 0,
        ends: Some(ends.clone()),
        ..Config::new(plan.clone(), name(&plan.name, number))
    });
    let started = Instant::now();
    let reports = bounded::run(configs.collect(), |_| started.elapsed() < PATIENCE)?;
    ensure!(started.elapsed() < PATIENCE, "not finished after {PATIENCE:?}: {reports:#?}");
    Ok(())
}

/// The store of `plan` is that of one worker that nothing disturbed.
fn ensure_undisturbed(job: &Job, mut plan: Plan) -> Result<()> {
    let found = files(&job.path(&plan.name))?;
    let alone = format!("{}-alone", plan.name);
    set_sink(&mut plan, &job.path(&alone));
    run_bounded(&plan, &plain(&alone), PATIENCE)?;
    ensure_same(&files(&job.path(&alone))?, &found, "with workers that joined together")
}

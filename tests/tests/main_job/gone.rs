//! Records that a real Kafka has deleted before they could be read again: a stop with the numbers, or, where the manifest says
//! so, the rest of the log in marked windows, the same however often it is interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cli::observe::{WorkerArgs, observe};
use cli::verify::{Outcome, verify};
use plan::{OnDataLoss, Plan};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use schemas::epochs::Epochs;
use schemas::report::{LossReport, WorkerReport};
use tests::pipeline::{files, run_bounded};
use worker::publish::gold::{Gold, Lost};
use worker::{Config, Worker, bounded};

use crate::job::{Job, PATIENCE, plain, until};
use crate::verify::lose;

const EVENTS: u32 = 40_000;
/// Records of partition 1 that are gone before they were read.
const UNREAD: i64 = 1000;

fn config(plan: &Arc<Plan>) -> Config {
    let cut_interval = Duration::from_millis(20);
    Config { static_member: true, fetch_records: 50, cut_interval, ..Config::new(plan.clone(), "revenue-5m-0") }
}

/// Works until the report is as wanted, and stops.
fn work(plan: &Arc<Plan>, what: &str, wanted: impl Fn(&WorkerReport) -> bool) -> Result<WorkerReport> {
    let worker = Worker::start(config(plan))?;
    let report = until(what, || {
        ensure!(!worker.is_ended(), "the worker has ended");
        Ok(Some(worker.report()).filter(|report| wanted(report)))
    });
    worker.request_stop();
    worker.join()?;
    report
}

/// Another group begins with the same commits.
fn copy_commits(job: &Job, plan: &Plan, group: &str) -> Result<()> {
    let commits = job.kafka.committed(&plan.name, &plan.source.topic, plan.source.partitions as i32)?;
    let member: BaseConsumer = job.kafka.client().set("group.id", group).create()?;
    Ok(member.commit(&commits, CommitMode::Sync)?)
}

/// A gold file's bytes, and what it may lack.
type File = (Vec<u8>, Vec<Lost>);

/// The gold files below a folder, with what they may lack.
fn gold(store: &Path) -> Result<BTreeMap<String, File>> {
    let gold = files(store)?.into_iter().filter(|(name, _)| name.starts_with("gold/"));
    gold.map(|(name, bytes)| Ok((name, (bytes.clone(), Gold::read(bytes)?.lost)))).collect()
}

#[test]
#[ignore = "needs servers: make test"]
fn what_is_left_of_a_log_is_counted_in_marked_windows_and_the_same_after_every_restart() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let stopping = Arc::new(job.plan(&store)?);
    job.produce(EVENTS, 0, EVENTS / 2)?;
    let half = bounded::ends(&stopping)?;
    let at = |report: &WorkerReport| -> BTreeMap<i32, i64> {
        report.partitions.iter().map(|partition| (partition.partition, partition.committed)).collect()
    };
    work(&stopping, "the first half is committed", |report| at(report) == half)?;
    job.produce(EVENTS, EVENTS / 2, EVENTS)?;
    let (whole, _) = job.run(&plain("whole"))?;

    // Partition 0 loses what its windows were made of, partition 1 also what has not been read.
    let lows = BTreeMap::from([(0, half[&0] - 5), (1, half[&1] + UNREAD)]);
    lows.iter().try_for_each(|(partition, low)| lose(&job, *partition, *low))?;
    let lost =
        |report: &WorkerReport| report.troubles.iter().filter(|trouble| trouble.reason == "SourceDataLost").count();
    let stopped = work(&stopping, "both partitions stop", |report| lost(report) == 2 && report.partitions.len() == 1)?;
    let low = lows[&1];
    ensure!(
        stopped.troubles.iter().any(|trouble| trouble.message.contains(&format!("its log holds {low} to"))),
        "{stopped:#?}"
    );

    let going = |mut plan: Plan| {
        plan.source.on_data_loss = OnDataLoss::Continue;
        Arc::new(plan)
    };
    let plan = going(job.plan(&store)?);
    copy_commits(&job, &plan, "twin")?;
    // It goes on, and is interrupted soon after.
    let report = work(&plan, "it has gone on", |report| {
        report.partitions.len() == 3
            && report
                .partitions
                .iter()
                .all(|of| of.position > half[&of.partition].max(lows.get(&of.partition).copied().unwrap_or(0)))
    })?;
    let losses: BTreeMap<i32, LossReport> =
        report.partitions.iter().filter_map(|of| Some((of.partition, *of.losses.last()?))).collect();
    let numbers: Vec<_> = losses.iter().map(|(partition, loss)| (*partition, loss.to, loss.unread)).collect();
    ensure!(numbers == [(0, lows[&0], 0), (1, lows[&1], UNREAD as u64)], "{losses:#?}");
    let seen = observe(&plan, &WorkerArgs::default())?.partitions.into_iter();
    let seen: Vec<_> = seen.filter_map(|of| Some((of.partition, of.losses.last()?.to))).collect();
    ensure!(seen == [(0, lows[&0]), (1, lows[&1])], "the commits tell {seen:?}");
    let ends = bounded::ends(&plan)?;
    let started = Instant::now();
    let rest = bounded::run(vec![Config { ends: Some(ends), ..config(&plan) }], |_| started.elapsed() < PATIENCE)?;
    ensure!(rest.iter().all(|report| report.troubles.is_empty()), "{rest:#?}");

    let twin = job.path("twin");
    run_bounded(&going(job.plan(&twin)?), &plain("twin"), PATIENCE)?;
    let (found, twin, whole) = (gold(&store)?, gold(&twin)?, gold(&whole)?);
    let marked: BTreeSet<&String> =
        found.iter().filter(|(_, (_, lost))| !lost.is_empty()).map(|(name, _)| name).collect();
    let told: BTreeSet<_> =
        found.values().flat_map(|(_, lost)| lost).map(|lost| (lost.partition, lost.from, lost.to)).collect();
    ensure!(told == losses.iter().map(|(partition, loss)| (*partition, loss.from, loss.to)).collect(), "{told:?}");
    ensure!(twin.iter().all(|(name, file)| found.get(name) == Some(file)), "the same commits and log gave other files");
    ensure!(marked.iter().all(|name| twin.contains_key(*name)), "a marked window is not in the twin");
    let unmarked = found.iter().filter(|(name, _)| !marked.contains(name));
    ensure!(unmarked.clone().all(|(name, file)| whole.get(name) == Some(file)), "an unmarked window is not whole");
    let (few, many) = (marked.len(), unmarked.count());
    // The log was written in no time, so a record that was not read may have been in any window up to then.
    ensure!(few > 0 && many > whole.len() / 4, "{few} marked, {many} whole of {}", whole.len());
    eprintln!("{few} windows are marked, {many} are those of the whole log, which has {}", whole.len());

    let verified = verify(&plan, &Epochs::default(), None, None)?;
    let outcomes = [Outcome::Equal, Outcome::Different, Outcome::Missing, Outcome::Unknown];
    let [equal, different, missing, unknown] = outcomes.map(|outcome| verified.count(outcome));
    ensure!(different == 0 && missing == 0 && unknown >= few, "{verified:#?}");
    let told =
        verified.windows.iter().find(|window| window.detail.contains("it is marked")).context("marks are told")?;
    eprintln!("verify: {equal} equal, {unknown} unknown, such as {}: {}", told.window, told.detail);
    Ok(())
}

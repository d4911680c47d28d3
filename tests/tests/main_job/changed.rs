//! A meaning that changes in the middle of the log: windows before the boundary are those of the meaning before, the others those of
//! the new one, by an independent recount and to the byte.

mod killed;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow::array::{Array as _, AsArray};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMillisecondType};
use plan::Plan;
use schemas::epochs::{Epochs, PreviousMeaning};
use schemas::spec::AnalyticsPipeline;
use schemas::status::Time;
use serde_json::Value;
use tests::pipeline::{files, ledger, rows, run_bounded};
use worker::{Config, Worker, bounded};

use crate::job::{Job, PATIENCE, plain, until};

const EVENTS: u32 = 40_000;
/// Length of the quickstart's windows, milliseconds.
const WINDOW: i64 = 300_000;

/// Start of the window, region, plan tier where the meaning has it: cents and events.
type Rows = BTreeMap<(i64, Option<String>, Option<String>), (i128, i64)>;

fn config(plan: &Arc<Plan>, epochs: &Epochs, name: &str) -> Config {
    let cut_interval = Duration::from_millis(50);
    Config { cut_interval, epochs: epochs.clone(), publishes: name.ends_with("-0"), ..Config::new(plan.clone(), name) }
}

/// Reads what there is with one worker, which then ends; the largest event time that it saw.
fn read_on(job: &Job, plan: &Arc<Plan>, epochs: &Epochs) -> Result<i64> {
    let ends = bounded::ends(plan)?;
    let worker = Worker::start(config(plan, epochs, "revenue-5m-0"))?;
    until("everything is committed", || {
        ensure!(!worker.is_ended(), "the worker has ended");
        // A fresh group has no coordinator yet.
        Ok(job.committed(plan, &plan.name).is_ok_and(|committed| committed == ends).then_some(()))
    })?;
    let latest = worker.report().partitions.iter().filter_map(|partition| partition.latest).max();
    worker.request_stop();
    worker.join()?;
    latest.context("an event time")
}

fn found(store: &Path) -> Result<Rows> {
    let mut found = Rows::new();
    for batch in rows(&store.join("gold"))? {
        let column = |name: &str| batch.column_by_name(name);
        let starts = column("window_start").context("a start")?.as_primitive::<TimestampMillisecondType>();
        let revenue = column("revenue").context("revenue")?.as_primitive::<Decimal128Type>();
        let counts = column("event_count").context("a count")?.as_primitive::<Int64Type>();
        let text = |name: &str, row: usize| {
            let column = column(name)?.as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        for row in 0..batch.num_rows() {
            let key = (starts.value(row), text("region", row), text("plan_tier", row));
            let before = found.insert(key.clone(), (revenue.value(row), counts.value(row)));
            ensure!(before.is_none(), "{key:?} is there twice");
        }
    }
    Ok(found)
}

/// The recount's rows, from the boundary on without the plan tier.
fn wanted(recount: &Value, boundary: i64) -> Result<Rows> {
    let mut wanted = Rows::new();
    for row in recount["gold"].as_array().context("gold rows")? {
        let start = row["window_start"].as_i64().context("a start")?;
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let tier = if start < boundary { text("plan_tier") } else { None };
        let cents: i128 = row["revenue"].as_str().context("revenue")?.replace('.', "").parse()?;
        let sums = wanted.entry((start, text("region"), tier)).or_default();
        *sums = (sums.0 + cents, sums.1 + row["event_count"].as_i64().context("a count")?);
    }
    Ok(wanted)
}

/// Fails unless the gold files of `store` are those of an undisturbed run for the windows that `own` accepts.
fn ensure_own(
    job: &Job,
    pipeline: &AnalyticsPipeline,
    store: &Path,
    group: &str,
    own: impl Fn(&str) -> bool,
) -> Result<usize> {
    let mut alone = Plan::compile(pipeline)?;
    let undisturbed = job.path(group);
    tests::pipeline::set_sink(&mut alone, &undisturbed);
    run_bounded(&alone, &plain(group), PATIENCE)?;
    let gold = |store: &Path| -> Result<BTreeMap<String, Vec<u8>>> {
        Ok(files(&store.join("gold"))?.into_iter().filter(|(name, _)| own(name)).collect())
    };
    let (wanted, found) = (gold(&undisturbed)?, gold(store)?);
    ensure!(wanted.keys().eq(found.keys()), "{:?} instead of {:?}", found.keys(), wanted.keys());
    ensure!(wanted == found, "files of '{group}' have other bytes");
    Ok(found.len())
}

/// The window's start in the name of a gold file.
fn name_of(file: &str) -> &str {
    let name = file.rsplit_once("/w=").map_or(file, |(_, name)| name);
    name.split('-').next().unwrap_or(name)
}

#[test]
#[ignore = "needs servers: make test"]
fn no_window_mixes_two_meanings() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let before = job.manifest(&store)?;
    let plan = Arc::new(Plan::compile(&before)?);
    job.produce(EVENTS, 0, EVENTS / 2)?;
    let latest = read_on(&job, &plan, &Epochs::default())?;

    let mut pipeline = before.clone();
    pipeline.spec.revision = 2;
    pipeline.spec.group_by = vec!["region".to_owned()];
    let boundary = (latest.div_euclid(WINDOW) + 1) * WINDOW;
    let previous = Some(PreviousMeaning { until: boundary, spec: before.spec.clone() });
    let epochs = Epochs { previous, ..Epochs::default() };
    let plan = Arc::new(Plan::compile(&pipeline)?);
    // One that ends while windows of both meanings are open, then two that read to the end.
    job.produce(EVENTS, EVENTS / 2, EVENTS / 2 + 500)?;
    read_on(&job, &plan, &epochs)?;
    job.produce(EVENTS, EVENTS / 2 + 500, EVENTS)?;
    let ends = bounded::ends(&plan)?;
    let configs = ["revenue-5m-0", "revenue-5m-1"]
        .map(|name| Config { ends: Some(ends.clone()), ..config(&plan, &epochs, name) });
    let started = std::time::Instant::now();
    let reports = bounded::run(configs.into(), |_| started.elapsed() < PATIENCE)?;
    ensure!(started.elapsed() < PATIENCE, "not finished: {reports:#?}");
    ensure!(reports.iter().all(|report| report.troubles.is_empty()), "{reports:#?}");

    ensure_unmixed(&job, &store, [&before, &pipeline], boundary)
}

/// Fails unless every window in `store` is what its own meaning alone makes of the log, by a recount and to the byte.
fn ensure_unmixed(job: &Job, store: &Path, meanings: [&AnalyticsPipeline; 2], boundary: i64) -> Result<()> {
    let recount = job.python("recount.py", &[])?;
    let (found, wanted) = (found(store)?, wanted(&recount, boundary)?);
    let differ: Vec<_> = wanted.iter().filter(|(key, sums)| found.get(*key) != Some(*sums)).collect();
    let instead: Vec<_> = differ.iter().map(|(key, _)| found.get(*key)).take(3).collect();
    ensure!(
        differ.is_empty() && found.len() == wanted.len(),
        "{} of {} rows differ ({} found, boundary {boundary}), such as {:?}: {instead:?}",
        differ.len(),
        wanted.len(),
        found.len(),
        &differ[..differ.len().min(3)]
    );
    let counted: i64 = found.values().map(|(_, count)| count).sum();
    let told = ledger(store)?;
    ensure!(told.consumed == u64::from(EVENTS) && told.counted as i64 == counted, "{told:?}, {counted} in the tables");

    let name = Time::from_millis(boundary).to_string().replace(['-', ':'], "");
    let old = ensure_own(job, meanings[0], store, "old", |file| name_of(file) < name.as_str())?;
    let new = ensure_own(job, meanings[1], store, "new", |file| name_of(file) >= name.as_str())?;
    ensure!(old > 3 && new > 3, "{old} windows before the boundary, {new} from it on");
    eprintln!("{old} windows of the meaning before, {new} of the new one");
    Ok(())
}

//! Reports of closed days over a log of a week: one file a day with the rows that the batches had, the same bytes however often
//! the publisher is killed on the way, and a reader of the folder who misses no row at any moment.

mod reader;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::scope;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cli::generate::{Options, SchemaIds, Shape, Target, register, send};
use cli::query::Store;
use cli::verify::verify;
use plan::Plan;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::epochs::Epochs;
use schemas::report::{QualityReport, WorkerReport};
use schemas::spec::AnalyticsPipeline;
use serde_json::{Value, json};
use tests::pipeline::{create_topics, files, run_bounded};
use worker::{Config, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain, until};
use crate::process::Process;
use reader::Reader;

/// 2026-11-10T00:00:00Z. The log ends on the seventh day at 17:00: with `rollUpAfter: 12h` six days are closed, and with `keep: 3d`
/// the first three of them are gone.
const START: i64 = 1_794_268_800_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const PARTS: i64 = 6;
const KEPT: i64 = START + 3 * DAY;
/// Most reports of the day that is open at the end.
const OPEN: usize = 3 * 8;
/// Events an hour.
const RATE: u64 = 30;
const TOPIC: &str = "sales.events.week";
/// The pipeline, and its worker.
const PIPELINE: &str = "week";
const NAME: &str = "week-0";

/// A batch every two hours. Log times are the producer's, and nobody is called idle by the clock.
fn manifest(job: &Job, store: &Path, reports: &Value) -> Result<AnalyticsPipeline> {
    let mut manifest = serde_json::to_value(job.manifest(store)?)?;
    manifest["metadata"]["name"] = PIPELINE.into();
    let spec = &mut manifest["spec"];
    let config = json!({"message.timestamp.type": "CreateTime", "retention.ms": "-1"});
    spec["source"]["topic"] = json!({"name": TOPIC, "partitions": 3, "config": config});
    spec["source"]["schema"]["subject"] = format!("{TOPIC}-value").into();
    spec["source"]["watermark"]["idleAfter"] = "1d".into();
    spec["window"]["size"] = "6h".into();
    spec["partials"] = json!({"partitions": 2});
    spec["quality"]["batch"] = json!({"interval": "2h"});
    spec["quality"]["thresholds"] = json!({"span": "6h", "minRecords": 10});
    spec["quality"]["reports"] = reports.clone();
    if let Some(rules) = spec["quality"]["rules"].as_array_mut() {
        let volume = json!({"minPercent": 80, "maxPercent": 120, "batches": 3});
        rules.push(json!({"name": "steady", "volume": volume, "onViolation": "Report"}));
    }
    Ok(serde_json::from_value(manifest)?)
}

/// Sends part number `part` of the log, which closes one more day.
fn feed(job: &Job, ids: SchemaIds, part: i64) -> Result<()> {
    let begin = |part: i64| START + if part == 0 { 0 } else { part * DAY + 17 * HOUR };
    let (start, span) = (begin(part), begin(part + 1) - begin(part));
    let shape = Shape { seed: start.unsigned_abs(), start, span, jitter: 0, invalid: 0.1, ..Shape::default() };
    let options = Options { shape, ..Options::new((span / HOUR).unsigned_abs() * RATE, 3) };
    let target = Target { create_time: true, ..Target::new(&job.kafka.bootstrap, TOPIC) };
    send(&options, ids, &target, |_| {})?;
    Ok(())
}

/// How many days have files, and how many batches, in the metrics.
fn look(store: &Path) -> (usize, usize) {
    let metrics = store.join("dq/week/metrics");
    let entries = fs::read_dir(&metrics).into_iter().flatten().flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let has_table = |day: &&String| {
        let mut files = fs::read_dir(metrics.join(day)).into_iter().flatten().flatten();
        files.any(|file| file.path().extension().is_some_and(|extension| extension == "parquet"))
    };
    let days = names.iter().filter(|name| name.starts_with("day=")).filter(has_table).count();
    (days, names.iter().filter(|name| name.starts_with("batch_id=")).count())
}

/// Waits for the moment of kill number `part`: a random one, when a day has got its file, when files begin to go, and again.
fn moment(store: &Path, part: i64, random: Duration) -> Result<()> {
    let (begun, before, mut most) = (Instant::now(), look(store), 0);
    let now = until("a moment for a kill", || {
        let now = look(store);
        most = most.max(now.1);
        let is_time = match part % 3 {
            0 => begun.elapsed() > random,
            1 => now.0 > before.0,
            _ => now.1 < most,
        };
        Ok((is_time || begun.elapsed() > Duration::from_secs(8)).then_some(now))
    })?;
    eprintln!("killed {:?} after part {part} at {now:?}, before {before:?}, at most {most}", begun.elapsed());
    Ok(())
}

/// A worker that is killed over and over, while the log grows by what closes one more day.
fn disturb(job: &Job, told: &AnalyticsPipeline, store: &Path) -> Result<()> {
    let seed = std::env::var("SEED").ok().map_or(Ok(7), |seed| seed.parse())?;
    eprintln!("SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let ids = register(&job.schemas, TOPIC, false)?;
    let start = || {
        Process::start_with(NAME, told, &job.path("process"), |command| {
            command.args(["--linger", "1"]);
        })
    };
    let mut process = start()?;
    for part in 0..PARTS {
        feed(job, ids, part)?;
        moment(store, part, Duration::from_millis(random.random_range(0..3000)))?;
        process.kill_and(start)?;
    }
    until("every closed day is one file, by the worker alone", || {
        let (days, batches) = look(store);
        Ok((days == 3 && batches <= OPEN).then_some(()))
    })
    .with_context(|| process.tell())?;
    let status = process.terminate()?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    let log = fs::read_to_string(job.path("process").join("sluice-worker.log"))?;
    for trouble in ["the store lacks", "ReportsNotRolledUp", "Divergence"] {
        ensure!(!log.contains(trouble), "'{trouble}' is in the log: {log}");
    }
    Ok(())
}

/// Runs to the end of the log; what is known of the data then.
fn drain(plan: &Arc<Plan>) -> Result<QualityReport> {
    let config = Config { static_member: true, ends: Some(bounded::ends(plan)?), ..Config::new(plan.clone(), NAME) };
    let started = Instant::now();
    quality(&bounded::run(vec![config], |_| started.elapsed() < PATIENCE)?)
}

fn quality(reports: &[WorkerReport]) -> Result<QualityReport> {
    reports.iter().find_map(|report| report.quality.clone()).context("the state of the data is known")
}

/// Without since when a state is known to be, which is only as far as a worker looks back.
fn figures(mut quality: QualityReport) -> QualityReport {
    let standings = quality.rules.iter_mut().map(|rule| &mut rule.standing).chain([&mut quality.overall]);
    standings.for_each(|standing| standing.since = None);
    QualityReport { message: String::new(), ..quality }
}

/// The rows of the days that are kept, each as often as it should be.
fn ensure_same_rows(whole: &Path, found: &Path) -> Result<()> {
    let duckdb = Store::open(found, None)?;
    let of = |store: &Path, tree: &str| {
        let folder = store.join("dq/week").join(tree);
        format!("read_parquet('{}/**/*.parquet', union_by_name = true, hive_partitioning = false)", folder.display())
    };
    let kept = format!("(select batch_id from {} where epoch_ms(first_log_time) >= {KEPT})", of(whole, "metrics"));
    for tree in ["metrics", "samples"] {
        let expected = format!("(select * from {} where batch_id in {kept})", of(whole, tree));
        let now = format!("(select * from {})", of(found, tree));
        let differ = format!("(({expected} except all {now}) union all ({now} except all {expected}))");
        let sql = format!("select (select count(*) from {expected}), (select count(*) from {differ})");
        let counts = duckdb.rows(&sql)?.rows.remove(0);
        eprintln!("{tree}: {counts:?} rows, and those that differ");
        let rows: u64 = counts[0].as_deref().unwrap_or_default().parse()?;
        ensure!(rows > 100 && counts[1].as_deref() == Some("0"), "{tree}: {counts:?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn closed_days_become_one_file_each_whatever_happens_meanwhile() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let rolled_up = json!({"rollUpAfter": "12h", "keep": "3d"});
    let told = manifest(&job, &store, &rolled_up)?;
    let plan = Arc::new(Plan::compile(&told)?);
    create_topics(&plan)?;
    let reader = Reader::new(&store, KEPT);
    scope(|scope| {
        let reading = scope.spawn(|| reader.read());
        let disturbed = disturb(&job, &told, &store);
        reader.end();
        disturbed.and(reading.join().expect("reading does not panic"))
    })?;
    let drained = drain(&plan)?;

    let undisturbed = |group: &str, reports: &Value| {
        let store = job.path(group);
        let plan = Plan::compile(&manifest(&job, &store, reports)?)?;
        anyhow::Ok((run_bounded(&plan, &plain(group), PATIENCE)?, store))
    };
    let never = json!({"rollUpAfter": "100d"});
    let runs = scope(|scope| {
        let whole = scope.spawn(|| undisturbed("whole", &never));
        (undisturbed("rolled", &rolled_up), whole.join().expect("running does not panic"))
    });
    let ((of_rolled, rolled), (of_whole, whole)) = (runs.0?, runs.1?);
    ensure!(look(&whole).0 == 0, "nothing is rolled up before its time: {:?}", look(&whole));
    ensure_same_rows(&whole, &store)?;
    ensure_same(&files(&rolled)?, &files(&store)?, "killed against undisturbed")?;
    for tree in ["metrics", "samples"] {
        let days: Vec<_> = files(&store.join("dq/week").join(tree))?.into_keys().collect();
        let days: Vec<_> = days.iter().filter_map(|name| name.strip_prefix("day=")?.split('/').next()).collect();
        ensure!(days == ["2026-11-13", "2026-11-14", "2026-11-15"], "{tree}: {days:?}");
    }
    // What is said of the data knows nothing of files.
    let [drained, whole, rolled] = [drained, quality(&of_whole)?, quality(&of_rolled)?].map(figures);
    ensure!(drained == whole && rolled == whole && whole.batches > 5, "{drained:#?}\n{whole:#?}\n{rolled:#?}");
    let verified = verify(&plan, &Epochs::default(), None)?;
    ensure!(verified.is_equal(), "{verified:#?}");
    Ok(())
}

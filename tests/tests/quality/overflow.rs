//! Totals that do not fit their columns: null and told, in the file, by the worker and after a restart; nothing else is touched.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use clap::Parser as _;
use cli::status::StatusArgs;
use schemas::report::{OverflowReport, WorkerReport};
use serde_json::json;
use tests::pipeline::files;
use tests::server::free_ports;
use worker::publish::gold::Gold;
use worker::{Config, Worker};

use crate::world::{MINUTE, START, World, consumed, published, stop, until};

#[derive(clap::Parser)]
struct Status {
    #[command(flatten)]
    args: StatusArgs,
}

fn overflows(report: &WorkerReport) -> Vec<OverflowReport> {
    report.outputs.iter().flat_map(|output| output.overflows.clone()).collect()
}

#[test]
fn a_total_that_does_not_fit_is_null_and_told_and_everything_else_goes_on() -> Result<()> {
    let world = World::start()?;
    let (data, manifest) = (world.path("data"), world.path("pipeline.json"));
    let of = |largest: &str| format!("sum(case when region = 'eu' then {largest} else schema_version end)");
    let changes = [
        ("/spec/measures/2", json!({"name": "whole", "expression": of("9223372036854775807")})),
        ("/spec/measures/3", json!({"name": "float", "expression": of("cast('1.7e308' as double)")})),
    ];
    let plan = Arc::new(world.plan(&data, &changes)?);
    std::fs::write(&manifest, serde_json::to_string(&world.manifest(&data, &changes)?)?)?;
    world.feed(0, 22, |_| {})?;
    let [port] = free_ports()?;
    let config = || Config {
        http: Some((Ipv4Addr::LOCALHOST, port).into()),
        cut_interval: Duration::from_millis(50),
        ..Config::new(plan.clone(), "worker-0")
    };
    let worker = Worker::start(config())?;
    until(&worker, "windows are published", |report| {
        (consumed(report) == 22_000 && published(report) >= 2 && !overflows(report).is_empty()).then_some(())
    })?;
    let report = worker.report();
    assert_eq!(report.troubles, [], "nothing is stopped");
    let told = overflows(&report);
    let first = |measure: &str| told.iter().find(|told| told.measure == measure).cloned();
    for measure in ["whole", "float"] {
        let told = first(measure).with_context(|| format!("'{measure}' is told"))?;
        assert_eq!((told.start, told.end), (START, START + 5 * MINUTE));
        assert!(
            told.cells > 1 && told.group.starts_with("plan_tier=") && told.group.ends_with(", region=eu"),
            "{told:?}"
        );
    }
    let mut out = Vec::new();
    let (file, at) = (manifest.to_string_lossy(), format!("127.0.0.1:{port}"));
    cli::status::run(&Status::parse_from(["status", &file, "--worker", &at]).args, &mut out)?;
    let status = String::from_utf8(out)?;
    assert!(
        status.contains("Overflow") && status.contains("measure 'whole' has a value that does not fit"),
        "{status}"
    );
    stop(worker)?;

    let written = files(&data.join("gold"))?;
    assert!(written.len() >= 2, "{written:?}");
    for bytes in written.into_values() {
        let gold = Gold::read(bytes)?;
        let measures: Vec<&str> = gold.overflow.iter().map(|found| found.measure.as_str()).collect();
        assert_eq!(measures, ["whole", "float"]);
        for found in &gold.overflow {
            let column = gold.rows.column_by_name(&found.measure).context("it is a column")?;
            assert_eq!(column.null_count() as u64, found.cells);
            assert_eq!(rows_of(&gold.rows, "eu", |row| column.is_null(row)), rows_of(&gold.rows, "eu", |_| true));
            assert!(found.groups.iter().all(|group| group["region"].as_deref() == Some("eu")), "{found:?}");
        }
        let counts = gold.rows.column_by_name("event_count").context("it is a column")?;
        assert_eq!(counts.null_count(), 0, "what fits is there");
    }

    // The commit names the file that tells of it.
    let worker = Worker::start(config())?;
    let again = until(&worker, "it is told again", |report| Some(overflows(report)).filter(|told| !told.is_empty()))?;
    let newest = told.last().map(|told| told.start);
    assert!(again.iter().all(|told| Some(told.start) == newest), "{again:?}");
    stop(worker)
}

/// The rows of a region for which something holds.
fn rows_of(rows: &RecordBatch, region: &str, holds: impl Fn(usize) -> bool) -> Vec<usize> {
    let regions = rows.column_by_name("region").expect("a grouping column").as_string::<i32>();
    let is_of = |row: &usize| regions.is_valid(*row) && regions.value(*row) == region;
    (0..rows.num_rows()).filter(is_of).filter(|row| holds(*row)).collect()
}

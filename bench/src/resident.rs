//! Whether memory stays flat: the same pipeline over a log, and over one of ten times the events and hours at the same rate.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cli::generate::Options;
use tests::pipeline::{differences, quickstart};

use crate::endtoend::{Used, child, fill};

/// How much longer the second log is.
const TIMES: u64 = 10;
const HOUR_MS: i64 = 3_600_000;

/// Runs both, each on servers of its own, checks the tables, and prints the resident memory as reading goes on.
pub fn compare(events: u64, hours: u32) -> Result<()> {
    let short = run(events, hours)?;
    let long = run(events * TIMES, hours * TIMES as u32)?;
    println!(
        "peak {} MB, and {} MB over {TIMES} times the events and hours: {:+.1} %",
        short.peak_bytes / 1_000_000,
        long.peak_bytes / 1_000_000,
        100.0 * (long.peak_bytes as f64 / short.peak_bytes as f64 - 1.0),
    );
    Ok(())
}

fn run(events: u64, hours: u32) -> Result<Used> {
    let (kafka, registry) = (tests::kafka::Kafka::start()?, tests::registry::Registry::start()?);
    let data = tempfile::tempdir()?;
    let plan = quickstart(&kafka.bootstrap, &registry.url, data.path())?;
    let mut options = Options::new(events, plan.source.partitions);
    options.shape.span = i64::from(hours) * HOUR_MS;
    let truth = fill(&plan, &options)?;
    let store = data.path().join("store");
    let folder = store.to_str().context("a temporary folder has a plain name")?;
    let servers = ["--kafka", &kafka.bootstrap, "--registry", &registry.url];
    let used = child("run", &[&servers[..], &["--group", "whole", "--data", folder]].concat())?;
    ensure!(used.records == events, "{} of {events} events were read", used.records);
    let found = differences(&truth, Path::new(&store))?;
    ensure!(found.is_empty(), "the tables differ from the truth: {:?}", &found[..found.len().min(5)]);
    let megabytes = used.resident.iter().map(|bytes| (bytes / 1_000_000).to_string());
    println!(
        "{events} events over {hours} h: resident {} MB at each tenth, peak {} MB; tables checked",
        megabytes.collect::<Vec<_>>().join(" "),
        used.peak_bytes / 1_000_000,
    );
    Ok(used)
}

//! What comes out equals what others count, read and find.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::python;

use crate::job::{Job, plain};

const EVENTS: u32 = 60_000;

#[test]
#[ignore = "needs servers: make test"]
fn gold_equals_an_independent_recount() -> Result<()> {
    let job = Job::start()?;
    job.produce(EVENTS, 0, EVENTS)?;
    let started = Instant::now();
    let (store, reports) = job.run(&plain("recounted"))?;
    eprintln!("{EVENTS} events in {:?}", started.elapsed());
    ensure!(reports.iter().all(|report| report.troubles.is_empty()), "{reports:#?}");

    let recount = job.python("recount.py", &[])?;
    let file = job.path("recount.json");
    std::fs::write(&file, recount.to_string())?;
    let verdicts = &recount["total"]["counts"];
    eprintln!("{verdicts}");
    for verdict in ["counted", "duplicate", "late", "invalid", "undecodable"] {
        ensure!(verdicts[verdict].as_u64() > Some(0), "'{verdict}' does not occur: {verdicts}");
    }
    ensure!(verdicts["consumed"] == EVENTS, "{verdicts}");
    let (file, store) = (file.to_string_lossy(), store.to_string_lossy());
    python::run("compare.py", &["--recount", &file, "--store", &store])?;
    readers_agree(&recount, &store)?;

    let letters = job.python("dead_letters.py", &["--pipeline", "revenue-5m"])?;
    eprintln!("{letters}");
    let refused = ["late", "invalid", "undecodable"].map(|verdict| verdicts[verdict].as_u64().unwrap_or_default());
    ensure!(letters["letters"] == refused.iter().sum::<u64>(), "{letters}");
    Ok(())
}

/// Both pyarrow and `DuckDB`'s Python package read the folder by a plain recursive glob, with the same rows, the right column
/// types, and the recount's sums.
fn readers_agree(recount: &Value, store: &str) -> Result<()> {
    let read: Value = serde_json::from_str(&python::run("read_gold.py", &[store])?)?;
    eprintln!("{read}");
    let rows = recount["gold"].as_array().context("gold rows")?;
    let cents = |text: &Value| text.as_str().and_then(|text| text.replace('.', "").parse::<i128>().ok());
    let revenue = rows.iter().map(|row| cents(&row["revenue"])).sum::<Option<i128>>().context("revenue in cents")?;
    for reader in ["pyarrow", "duckdb"] {
        let sums = &read[reader];
        ensure!(sums["rows"] == rows.len(), "{reader}: {sums}");
        ensure!(sums["event_count"] == recount["total"]["counts"]["counted"], "{reader}: {sums}");
        ensure!(cents(&sums["revenue"]) == Some(revenue), "{reader}: {sums}, expected {revenue} cents");
    }
    Ok(())
}

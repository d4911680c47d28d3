//! The files depend on the log alone: not on fetches, lanes or workers, and not on when they were written.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, ensure};
use tests::pipeline::{Way, files};

use crate::job::{Job, plain};

const EVENTS: u32 = 20_000;

type Files = BTreeMap<String, Vec<u8>>;

/// Fails unless both have the same files with the same bytes, of gold and of quality.
pub fn ensure_same(expected: &Files, found: &Files, how: &str) -> Result<()> {
    for folder in ["gold/", "dq/"] {
        ensure!(expected.keys().any(|name| name.starts_with(folder)), "nothing below '{folder}'");
    }
    let names = || expected.keys().chain(found.keys());
    let differ: Vec<_> = names().filter(|name| expected.get(*name) != found.get(*name)).collect();
    ensure!(differ.is_empty(), "{how}: {} files differ, such as {:?}", differ.len(), &differ[..differ.len().min(6)]);
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn the_same_log_gives_the_same_bytes() -> Result<()> {
    let job = Job::start()?;
    job.produce(EVENTS, 0, EVENTS)?;
    let expected = files(&job.run(&plain("undisturbed"))?.0)?;
    eprintln!("{} files of {EVENTS} events", expected.len());
    for (workers, lanes, fetch_records) in
        [(1, 1, 100_000), (1, 3, 100_000), (1, 3, 1000), (3, 1, 1000), (1, 1, 7), (3, 3, 7), (1, 3, 1)]
    {
        let how = format!("{workers} workers, {lanes} lanes each, fetches of {fetch_records}");
        let group = format!("same-{workers}-{lanes}-{fetch_records}");
        let started = Instant::now();
        let (store, reports) = job.run(&Way { group, workers, lanes, fetch_records })?;
        let owned: Vec<_> = reports.iter().map(|report| report.partitions.len()).collect();
        eprintln!("{how}: {:?}, partitions {owned:?}", started.elapsed());
        ensure_same(&expected, &files(&store)?, &how)?;
    }
    Ok(())
}

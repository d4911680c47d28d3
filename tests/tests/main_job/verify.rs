//! `sluice verify` on a real Kafka: equal windows, files that were changed or are gone, and a log that has lost its beginning.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use cli::verify::{Outcome, verify};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use schemas::epochs::Epochs;
use tests::pipeline::files;
use worker::{Config, bounded};

use crate::job::{Job, PATIENCE};
use crate::process::Process;

const EVENTS: u32 = 40_000;

#[test]
#[ignore = "needs servers: make test"]
fn published_windows_are_verified_against_the_log_while_it_lasts() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let plan = Arc::new(job.plan(&store)?);
    job.produce(EVENTS, 0, EVENTS / 2)?;
    // The first half is closed by a drain, so what the second half says of it is late by decree alone.
    let drain = || -> Result<()> {
        let started = std::time::Instant::now();
        let config = Config { ends: Some(bounded::ends(&plan)?), ..Config::new(plan.clone(), "revenue-5m-0") };
        bounded::run(vec![config], |_| started.elapsed() < PATIENCE).map(drop)?;
        Ok(())
    };
    drain()?;
    job.produce(EVENTS, EVENTS / 2, EVENTS)?;
    let process = Process::start("revenue-5m-0", &job.manifest(&store)?, &job.path("process"))?;
    crate::job::until("all is committed", || {
        Ok((job.committed(&plan, &plan.name)? == bounded::ends(&plan)?).then_some(()))
    })?;
    // Verified beside a running worker, which does not notice.
    let check = || verify(&plan, &Epochs::default(), None, None);
    let found = check()?;
    ensure!(found.is_equal() && found.records == u64::from(EVENTS), "{found:#?}");
    process.terminate()?;
    drain()?;
    let found = check()?;
    let gold: Vec<_> = files(&store)?.into_keys().filter(|name| name.starts_with("gold/")).collect();
    ensure!(found.is_equal() && found.windows.len() == gold.len() && gold.len() > 60, "{found:#?}");
    eprintln!("{} windows of {} records are equal", found.windows.len(), found.records);

    let tampered = store.join(&gold[50]);
    let mut bytes = std::fs::read(&tampered)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&tampered, bytes)?;
    std::fs::remove_file(store.join(&gold[60]))?;
    let found = check()?;
    let outcomes = [Outcome::Equal, Outcome::Different, Outcome::Missing, Outcome::Unknown];
    let counts = outcomes.map(|outcome| found.count(outcome));
    ensure!(counts == [gold.len() - 2, 1, 1, 0], "{counts:?}: {found:#?}");

    // The log of partition 1 loses its first third. What remains to be said is right, and what is not is named with its offsets.
    let low = bounded::ends(&plan)?[&1] / 3;
    lose(&job, 1, low)?;
    let found = check()?;
    let unknown = found.count(Outcome::Unknown);
    let detail = found.windows.iter().find(|window| window.outcome == Outcome::Unknown).context("some are unknown")?;
    eprintln!("{unknown} of {} cannot be recomputed: {}", gold.len(), detail.detail);
    ensure!(detail.detail.contains(&format!("the log of partition 1 begins at offset {low}")), "{detail:?}");
    ensure!(unknown >= gold.len() / 4 && unknown <= gold.len() / 2, "{unknown} of {}", gold.len());
    let last =
        found.windows.iter().rposition(|window| window.outcome == Outcome::Unknown).context("some are unknown")?;
    ensure!(found.windows[last + 1..].iter().all(|window| window.outcome != Outcome::Unknown), "{found:#?}");
    ensure!(found.count(Outcome::Equal) >= gold.len() / 2 - 2, "{found:#?}");
    ensure!(!found.is_equal(), "what cannot be known is not equal");
    // The file that is gone is told as long as the log can say so; the tampered one in any case.
    ensure!(found.count(Outcome::Missing) == 1 && found.count(Outcome::Different) == 1, "{found:#?}");
    Ok(())
}

/// Deletes the records of a partition before `offset`.
pub fn lose(job: &Job, partition: i32, offset: i64) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = job.kafka.client().create()?;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("sales.events.v1", partition, Offset::Offset(offset))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    runtime.block_on(admin.delete_records(&before, &options))?;
    Ok(())
}

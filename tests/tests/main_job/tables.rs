//! A store that is not the one that publish has committed: all that the partials topic holds is written again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use plan::Plan;
use tests::pipeline::files;
use worker::{Config, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain};

const EVENTS: u32 = 20_000;

/// Reads and publishes everything that there is.
fn publish(plan: &Arc<Plan>) -> Result<()> {
    let config = Config {
        ends: Some(bounded::ends(plan)?),
        cut_interval: Duration::from_millis(50),
        ..Config::new(plan.clone(), "revenue-5m-0")
    };
    let started = Instant::now();
    let reports = bounded::run(vec![config], |_| started.elapsed() < PATIENCE)?;
    ensure!(started.elapsed() < PATIENCE, "not finished: {reports:#?}");
    let lost = reports.iter().flat_map(|report| &report.outputs).find_map(|output| output.lost_until);
    ensure!(lost.is_none(), "windows that end by {lost:?} are told as lost");
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn tables_on_a_volume_that_was_lost_are_written_again() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let plan = Arc::new(job.plan(&store)?);
    job.produce(EVENTS, 0, EVENTS)?;
    let expected = files(&job.run(&plain("undisturbed"))?.0)?;
    publish(&plan)?;
    ensure_same(&expected, &files(&store)?, "first written")?;
    // A new volume.
    std::fs::remove_dir_all(&store)?;
    publish(&plan)?;
    ensure_same(&expected, &files(&store)?, "written again")?;
    // Half of one, as an old copy has it: the files that were written last are not there.
    let names: Vec<&String> = expected.keys().filter(|name| name.starts_with("gold/")).collect();
    for name in &names[names.len() / 2..] {
        std::fs::remove_file(store.join(name))?;
    }
    publish(&plan)?;
    ensure_same(&expected, &files(&store)?, "completed")
}

//! A worker with a volume begins where its last checkpoint was taken; without one, at its anchor; and no one can tell from the files.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tests::pipeline::files;
use worker::{Config, Worker, bounded};

use crate::bytes::ensure_same;
use crate::job::{Job, PATIENCE, plain, until};

/// The log grows in parts of this many events.
const PART: u32 = 10_000;
/// What happens to the volume before each part but the first.
const VOLUMES: [Volume; 4] = [Volume::Kept, Volume::Lost, Volume::Kept, Volume::Old];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Volume {
    Kept,
    Lost,
    /// The one of two parts before.
    Old,
}

#[test]
#[ignore = "needs servers: make test"]
fn a_restart_begins_at_its_checkpoint_and_changes_nothing() -> Result<()> {
    let job = Job::start()?;
    let (store, folder) = (job.path("store"), job.path("volume"));
    let plan = Arc::new(job.plan(&store)?);
    let parts = VOLUMES.len() as u32 + 1;
    for part in 0..parts {
        let volume = (part > 0).then(|| VOLUMES[part as usize - 1]);
        match volume {
            Some(Volume::Lost) => fs::remove_dir_all(&folder)?,
            Some(Volume::Old) => {
                fs::remove_dir_all(&folder)?;
                fs::rename(job.path(&format!("volume-{}", part - 2)), &folder)?;
            }
            Some(Volume::Kept) | None => {}
        }
        let worker = Worker::start(Config {
            static_member: true,
            checkpoints: Some(folder.clone()),
            checkpoint_interval: Duration::ZERO,
            cut_interval: Duration::from_millis(50),
            ..Config::new(plan.clone(), "revenue-5m-0")
        })?;
        let taken = until("every partition is taken over", || {
            ensure!(!worker.is_ended(), "the worker has ended");
            let report = worker.report();
            Ok((report.partitions.len() == 3).then_some(report.partitions))
        })?;
        for partition in &taken {
            let begins = (partition.from_checkpoint, partition.began_at == partition.committed);
            eprintln!("part {part}, {volume:?}: from {} of {}", partition.began_at, partition.committed);
            match volume {
                Some(Volume::Kept) => ensure!(begins == (true, true), "{partition:?}"),
                None | Some(Volume::Lost) => ensure!(!begins.0, "{partition:?}"),
                // Its checkpoints may still shorten the replay, or lie before the anchor.
                Some(Volume::Old) => ensure!(!begins.1, "{partition:?}"),
            }
        }
        job.produce(PART * parts, part * PART, (part + 1) * PART)?;
        let ends = bounded::ends(&plan)?;
        until("everything is committed", || {
            let report = worker.report();
            let done = |partition: &schemas::report::PartitionReport| {
                Some(&partition.committed) == ends.get(&partition.partition) && partition.checkpoint.is_some()
            };
            Ok(report.partitions.iter().all(done).then_some(()))
        })?;
        worker.request_stop();
        worker.join()?;
        copy(&folder, &job.path(&format!("volume-{part}")))?;
    }
    let config = Config { ends: Some(bounded::ends(&plan)?), ..Config::new(plan.clone(), "revenue-5m-0") };
    let started = std::time::Instant::now();
    bounded::run(vec![Config { static_member: true, ..config }], |_| started.elapsed() < PATIENCE)?;
    let expected = files(&job.run(&plain("undisturbed"))?.0)?;
    ensure_same(&expected, &files(&store)?, "after restarts")
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

//! The sink cannot be written to, or is full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use schemas::report::WorkerReport;
use tests::pipeline::files;
use worker::{Config, Worker};

use crate::world::{World, finish, get, until, until_trouble};

/// Whether ingest has read and committed everything.
fn is_read(report: &WorkerReport, config: &Config) -> bool {
    let ends = config.ends.as_ref().unwrap();
    let committed = |(partition, end): (&i32, &i64)| {
        report.partitions.iter().any(|report| report.partition == *partition && report.committed >= *end)
    };
    ends.iter().all(committed)
}

#[test]
fn a_sink_that_cannot_be_written_to_holds_up_publishing_alone() -> Result<()> {
    let (world, truth) = World::with_events(20_000)?;
    let sink = world.path("data");
    fs::create_dir(&sink)?;
    fs::write(sink.join("gold"), "a file in the way")?;
    let config = world.config("patient", &sink)?;

    let worker = Worker::start(config.clone())?;
    let message = until_trouble(&worker, "SinkUnavailable")?;
    let folder = sink.join("gold/revenue-5m/date=2026-11-23");
    assert_eq!(message, format!("cannot list '{}': Not a directory (os error 20)", folder.display()));
    until(&worker, "ingest has gone on to the end", |report| is_read(report, &config).then_some(()))?;
    assert_eq!(get(&config, "/readyz")?, (200, "ok".to_owned()), "ingest does its work");
    assert!(!worker.is_finished());

    fs::remove_file(sink.join("gold"))?;
    finish(worker)?;
    world.expect_undisturbed(&sink, &truth)
}

/// A file system in memory of a chosen size. Needs the right to mount, which the test must have: left out silently, nobody
/// would know that a full disk is not tested.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path, size: &str) -> Result<Self> {
        fs::create_dir_all(path)?;
        let disk = Self { path: path.to_owned() };
        disk.mount_with(&format!("size={size}"))?;
        Ok(disk)
    }

    fn grow(&self, size: &str) -> Result<()> {
        self.mount_with(&format!("remount,size={size}"))
    }

    fn mount_with(&self, options: &str) -> Result<()> {
        let mut mount = Command::new("mount");
        let output =
            mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.path).output().context("run mount")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "this test needs the right to mount a file system: {said}");
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.path).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "'{}' stays mounted", self.path.display());
    }
}

/// Fails when a `.parquet` file is not whole; what other files there are.
fn look_at_files(sink: &Path) -> Result<Vec<PathBuf>> {
    for (name, bytes) in files(sink)? {
        let whole = SerializedFileReader::new(Bytes::from(bytes)).map(|file| file.metadata().num_row_groups());
        ensure!(whole.is_ok(), "'{name}' is not whole: {whole:?}");
    }
    let mut others = Vec::new();
    let mut folders = vec![sink.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "parquet") {
                others.push(path);
            }
        }
    }
    Ok(others)
}

#[test]
fn a_full_sink_stops_publishing_and_loses_nothing() -> Result<()> {
    let (world, truth) = World::with_events(20_000)?;
    let sink = world.path("data");
    let disk = SmallDisk::mount(&sink, "96k")?;
    let config = world.config("patient", &sink)?;

    let worker = Worker::start(config.clone())?;
    let full = until(&worker, "the sink is full", |report| {
        look_at_files(&sink).unwrap();
        crate::world::trouble(report, "VolumeFull")
    })?;
    let (start, end) =
        (format!("cannot write '{}/", sink.display()), ".parquet': No space left on device (os error 28)");
    assert!(full.starts_with(&start) && full.ends_with(end), "{full}");
    until(&worker, "ingest has gone on to the end", |report| {
        look_at_files(&sink).unwrap();
        is_read(report, &config).then_some(())
    })?;
    assert!(!worker.is_finished());
    let published = files(&sink)?;

    disk.grow("16m")?;
    until(&worker, "publishing goes on", |_| {
        look_at_files(&sink).unwrap();
        worker.is_finished().then_some(())
    })?;
    finish(worker)?;
    let now = files(&sink)?;
    assert!(published.iter().all(|(name, bytes)| now.get(name) == Some(bytes)), "what was published stays");
    assert!(now.len() > published.len());
    assert_eq!(look_at_files(&sink)?, Vec::<PathBuf>::new(), "nothing temporary is left");
    world.expect_undisturbed(&sink, &truth)
}

//! The embedded broker and registry with a folder of their own, and looking at the workers over them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cli::dev::broker::Broker;
use cli::dev::registry::Registry;
use schemas::report::WorkerReport;
use tempfile::TempDir;
use worker::Worker;

/// The servers. Everything goes away with them.
pub struct Embedded {
    /// The broker.
    pub broker: Broker,
    /// The registry.
    pub registry: Registry,
    folder: TempDir,
}

impl Embedded {
    /// Both, empty.
    ///
    /// # Errors
    /// One does not start.
    pub fn start() -> Result<Self> {
        Self::start_behind(None)
    }

    /// The same; the broker tells clients that it is at `door`.
    ///
    /// # Errors
    /// One does not start.
    pub fn start_behind(door: Option<SocketAddr>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (broker, registry) = (Broker::start_behind(folder.path(), door)?, Registry::start()?);
        Ok(Self { broker, registry, folder })
    }

    /// A path in the folder, at which nothing need be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Waits until `look` finds something in the worker's report.
///
/// # Errors
/// It has not within `patience`, or the worker has ended.
pub fn until<T>(
    worker: &Worker,
    patience: Duration,
    what: &str,
    mut look: impl FnMut(&WorkerReport) -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        let report = worker.report();
        if let Some(found) = look(&report) {
            return Ok(found);
        }
        ensure!(!worker.is_ended(), "the worker ended before {what}: {report:#?}");
        ensure!(Instant::now() < deadline, "waited too long until {what}: {report:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The message of the trouble with this reason, if the worker has it.
pub fn trouble(report: &WorkerReport, reason: &str) -> Option<String> {
    report.troubles.iter().find(|trouble| trouble.reason == reason).map(|trouble| trouble.message.clone())
}

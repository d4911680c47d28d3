//! The workers, as a stateful set has them: a name each, a volume each, one process each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::blocking::Client;
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use tests::server::{Server, free_ports};

/// How long a worker may take to end when it is asked to.
const GRACE: Duration = Duration::from_mins(1);

/// A worker's name and volume, and its process if it has one.
pub struct Slot {
    name: String,
    folder: PathBuf,
    volume: PathBuf,
    process: Option<(Server, String)>,
    client: Client,
}

impl Slot {
    /// Without a process yet. Volumes lie below `volumes`.
    pub fn new(number: usize, folder: &Path, volumes: &Path) -> Result<Self> {
        let name = format!("revenue-5m-{number}");
        let client = Client::builder().timeout(Duration::from_secs(2)).build()?;
        Ok(Self { folder: folder.join(&name), volume: volumes.join(&name), name, process: None, client })
    }

    /// Whether it has a process.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts its process.
    pub fn start(&mut self, manifest: &AnalyticsPipeline) -> Result<()> {
        ensure!(self.process.is_none(), "'{}' runs already", self.name);
        fs::create_dir_all(&self.folder)?;
        let file = self.folder.join("pipeline.json");
        fs::write(&file, serde_json::to_string(manifest)?)?;
        let [port] = free_ports()?;
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(binary()?);
        command.arg("--pipeline").arg(file).args(["--name", &self.name, "--http", &address]);
        command.env("SLUICE_CHECKPOINTS", &self.volume).env("RUST_LOG", "info");
        let live = || self.client.get(format!("http://{address}/livez")).send().is_ok();
        let server = Server::start("sluice-worker", command, &self.folder, live)?;
        self.process = Some((server, address));
        Ok(())
    }

    /// Ends it as a lost machine would (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |(mut server, _)| server.kill())
    }

    /// Its volume is lost. It must not run.
    pub fn lose_volume(&self) -> Result<()> {
        if self.volume.exists() {
            fs::remove_dir_all(&self.volume)?;
        }
        Ok(())
    }

    /// Sends its process a signal, such as `STOP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let (server, _) = self.process.as_ref().with_context(|| format!("'{}' does not run", self.name))?;
        let sent = Command::new("kill").args([&format!("-{name}"), &server.id().to_string()]).status()?;
        ensure!(sent.success(), "signal {name} could not be sent to '{}'", self.name);
        Ok(())
    }

    /// Asks it to end (SIGTERM), and waits.
    pub fn terminate(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.signal("TERM")?;
        }
        let Some((mut server, _)) = self.process.take() else { return Ok(()) };
        let status = server.wait(GRACE)?;
        ensure!(status.success(), "'{}' ended with {status}\n{}", self.name, server.log_tail());
        Ok(())
    }

    /// What it says of itself, and the end of what it logged.
    pub fn tell(&self) -> String {
        let Some((server, address)) = &self.process else { return format!("'{}' does not run", self.name) };
        let report = self.client.get(format!("http://{address}/v1/status")).send();
        let report: Option<WorkerReport> = report.ok().and_then(|answer| answer.json().ok());
        format!("'{}': {report:#?}\n{}", self.name, server.log_tail())
    }
}

/// The binary of the same build as this test.
fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test lies in target/<profile>/deps")?;
    let binary = folder.join("sluice-worker");
    ensure!(binary.is_file(), "'{}' is not built: build the workspace's binaries", binary.display());
    Ok(binary)
}

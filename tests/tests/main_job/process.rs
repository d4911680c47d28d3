//! The worker as the operator runs it: the binary `sluice-worker` with a manifest file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use schemas::epochs::Epochs;
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use tests::server::{Server, free_ports};

/// A running `sluice-worker`.
pub struct Process {
    server: Server,
    address: String,
    client: Client,
}

impl Process {
    /// Starts it and returns when its HTTP answers.
    pub fn start(name: &str, manifest: &AnalyticsPipeline, folder: &Path) -> Result<Self> {
        Self::start_with(name, manifest, folder, |_| {})
    }

    /// The same, told of what the pipeline was before, and with a volume for checkpoints.
    pub fn start_in(name: &str, manifest: &AnalyticsPipeline, epochs: &Epochs, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let told = folder.join("epochs.json");
        fs::write(&told, serde_json::to_string(epochs)?)?;
        Self::start_with(name, manifest, folder, |command| {
            command.arg("--epochs").arg(told).arg("--checkpoints").arg(folder.join("checkpoints"));
        })
    }

    /// Starts it with more arguments, and returns when its HTTP answers.
    pub fn start_with(
        name: &str,
        manifest: &AnalyticsPipeline,
        folder: &Path,
        more: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("pipeline.json");
        fs::write(&file, serde_json::to_string(manifest)?)?;
        let [port] = free_ports()?;
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(binary()?);
        command.arg("--pipeline").arg(file).args(["--name", name, "--http", &address]);
        more(&mut command);
        let client = Client::builder().timeout(Duration::from_secs(5)).build()?;
        let live =
            || client.get(format!("http://{address}/livez")).send().is_ok_and(|answer| answer.status().is_success());
        let server = Server::start("sluice-worker", command, folder, live)?;
        Ok(Self { server, address, client })
    }

    /// What it says of itself; nothing if it does not answer.
    pub fn report(&self) -> Option<WorkerReport> {
        self.client.get(format!("http://{}/v1/status", self.address)).send().ok()?.json().ok()
    }

    /// What it says, and the end of what it logged, for a test that failed.
    pub fn tell(&self) -> String {
        format!("{:#?}\n{}", self.report(), self.server.log_tail())
    }

    /// Ends it as a lost machine would (SIGKILL).
    pub fn kill(mut self) -> Result<()> {
        self.server.kill()
    }

    /// The same, and another one takes its place.
    pub fn kill_and(&mut self, another: impl FnOnce() -> Result<Self>) -> Result<()> {
        self.server.kill()?;
        *self = another()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM), and waits.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        let sent = Command::new("kill").args(["-TERM", &self.server.id().to_string()]).status()?;
        ensure!(sent.success(), "SIGTERM could not be sent");
        self.server.wait(crate::job::PATIENCE)
    }
}

/// The binary of the same build as this test.
fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test lies in target/<profile>/deps")?;
    let binary = folder.join("sluice-worker");
    ensure!(binary.is_file(), "'{}' is not built: run `cargo test --workspace --test '*'`", binary.display());
    Ok(binary)
}

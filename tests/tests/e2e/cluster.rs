//! The cluster that all tests share: started by the first one, unless a developer has one running, and ended when the test
//! process ends, however it ends.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::setup::installed;

use crate::images::Images;
use crate::steps::Steps;

/// Where the chart is installed.
pub const SYSTEM: &str = "sluice-system";
/// How many nodes an own cluster has.
const NODES: &str = "2";
/// Enough for a cluster of an ended test process to be gone.
const GONE_WITHIN: Duration = Duration::from_mins(1);

/// The running cluster.
pub struct Cluster {
    variables: Vec<(String, String)>,
    is_kind: bool,
    /// Where pods reach this machine.
    pub host: Ipv4Addr,
    /// Operator and worker as the nodes have them.
    pub images: Images,
}

impl Cluster {
    /// The cluster of this process, with the images loaded and the chart installed.
    ///
    /// # Errors
    /// It does not come up.
    pub fn get() -> Result<Arc<Self>> {
        static SHARED: Mutex<Option<Result<Arc<Cluster>, String>>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        // What failed once is not tried again for every test.
        let started = shared.get_or_insert_with(|| Self::start().map(Arc::new).map_err(|error| format!("{error:#}")));
        started.clone().map_err(anyhow::Error::msg)
    }

    fn start() -> Result<Self> {
        let mut steps = Steps::begin("cluster");
        let is_kind = std::env::var("SLUICE_E2E").is_ok_and(|kind| kind == "kind");
        installed("cluster")?;
        if is_kind {
            installed("kind")?;
        }
        steps.done("what it is made of is built");
        let variables = variables(&up(is_kind)?)?;
        let host = variables.iter().find(|(name, _)| name == "CLUSTER_HOST").context("a CLUSTER_HOST")?.1.parse()?;
        let mut cluster = Self { variables, is_kind, host, images: Images::make()? };
        steps.done("cluster up, images made");
        cluster.load()?;
        steps.done("images loaded");
        cluster.install(&cluster.images.tag)?;
        steps.done("helm install");
        Ok(cluster)
    }

    fn load(&mut self) -> Result<()> {
        for image in &self.images.files {
            let image = image.to_string_lossy();
            if self.is_kind {
                let name = self.variable("CLUSTER_NAME").context("a CLUSTER_NAME")?.to_owned();
                self.run("kind", &["load", "image-archive", "--name", &name, &image])?;
            } else {
                self.run(&script("load").to_string_lossy(), &[&image])?;
            }
        }
        Ok(())
    }

    /// `helm upgrade --install` with the images of that tag, and waits until the operator is ready.
    ///
    /// # Errors
    /// helm's own.
    pub fn install(&self, tag: &str) -> Result<()> {
        let chart = root().join("charts/sluice");
        let (image, worker) = (format!("image.tag={tag}"), format!("worker.image.tag={}", self.images.tag));
        let install = ["upgrade", "--install", "sluice", &chart.to_string_lossy(), "--namespace", SYSTEM];
        // The image that a test asks for and that nobody has.
        let allowed = "allow.images[0]=docker.io/sluice/no-such-image:*";
        let values =
            ["--create-namespace", "--set", &image, "--set", &worker, "--set", allowed, "--wait", "--timeout", "2m"];
        self.run("helm", &[&install[..], &values[..]].concat()).map(drop)
    }

    /// A variable of the cluster's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether this is kind, whose volumes lie inside its nodes.
    pub fn is_kind(&self) -> bool {
        self.is_kind
    }

    /// A command that finds the cluster and its tools.
    pub fn command(&self, program: &str, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end and gives what it printed.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        output(self.command(program, arguments)).with_context(|| format!("{program} {}", arguments.join(" ")))
    }

    /// Runs `kubectl` and gives what it printed.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.run("kubectl", arguments)
    }
}

/// Runs a command to its end and gives what it printed.
pub fn output(mut command: Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}: {printed}{said}", output.status);
    Ok(printed)
}

/// The project's root folder.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

fn script(name: &str) -> PathBuf {
    root().join("tests/cluster").join(name)
}

/// Starts the cluster, unless one that belongs to no other test is running, and gives the file with its environment.
fn up(is_kind: bool) -> Result<PathBuf> {
    let name = if is_kind { "sluice-kind" } else { "sluice-cluster" };
    let folder = std::env::temp_dir().join(name);
    let (owner, file) = (folder.join("owner"), folder.join("env"));
    if file.exists() && !owner.exists() && answers(&file) {
        return Ok(file);
    }
    let down = script(if is_kind { "kind-down" } else { "down" });
    clear(&folder, &owner, &down)?;
    let mut command = Command::new(script(if is_kind { "kind-up" } else { "up" }));
    if is_kind {
        command.arg(root().join("kind-config.yaml"));
    }
    end_with_this_process(&folder, &down)?;
    output({
        command.env("NODES", NODES);
        command
    })?;
    std::fs::write(&owner, std::process::id().to_string())?;
    Ok(file)
}

/// Whether the API server of the cluster with that environment answers.
fn answers(file: &Path) -> bool {
    let mut command = Command::new("bash");
    command.args(["-c", ". \"$0\"; kubectl get --raw /readyz --request-timeout=5s"]).arg(file);
    output(command).is_ok()
}

/// Waits until the cluster of a test process that is ending has gone, and takes away what is left of one whose processes were
/// killed with it.
fn clear(folder: &Path, owner: &Path, down: &Path) -> Result<()> {
    let owner = || std::fs::read_to_string(owner).ok();
    let is_alive = |id: String| Path::new("/proc").join(id).exists();
    let deadline = Instant::now() + GONE_WITHIN;
    while folder.exists() && owner().is_some() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    ensure!(!owner().is_some_and(is_alive), "'{}' belongs to another test process", folder.display());
    if folder.exists() { output(Command::new(down)).map(drop) } else { Ok(()) }
}

/// Leaves a shell behind that waits for the end of this process and then runs `down`.
fn end_with_this_process(folder: &Path, down: &Path) -> Result<()> {
    let wait = "while [ -e /proc/$0 ]; do sleep 0.5; done; [ ! -e \"$1\" ] || exec \"$2\"";
    Command::new("setsid")
        .args(["bash", "-c", wait, &std::process::id().to_string()])
        .args([folder, down])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("leave a shell behind that ends the cluster")?;
    Ok(())
}

fn variables(file: &Path) -> Result<Vec<(String, String)>> {
    let mut command = Command::new("bash");
    command.args(["-c", ". \"$0\"; env -0"]).arg(file);
    let printed = output(command).with_context(|| format!("read '{}'", file.display()))?;
    let pairs = printed.split('\0').filter_map(|pair| pair.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

//! A namespace with the quickstart pipeline in it, and a Kafka and a registry of its own on this machine, where pods reach them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::thread::scope;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tests::kafka::Kafka;
use tests::pipeline::QUICKSTART;
use tests::python;
use tests::registry::Registry;

use crate::cluster::{Cluster, SYSTEM};
use crate::steps::until;

/// Enough for any single step on a machine whose processors are busy.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// The name of the quickstart's pipeline.
pub const PIPELINE: &str = "revenue-5m";

/// Everything of one test. It goes away with the value; the namespace's deletion is not waited for.
pub struct World {
    pub cluster: Arc<Cluster>,
    pub namespace: String,
    pub kafka: Kafka,
    pub registry: Registry,
    pub folder: TempDir,
}

impl World {
    /// Starts the servers and makes the namespace.
    pub fn start(name: &str) -> Result<Self> {
        let cluster = Cluster::get()?;
        let host = cluster.host;
        let (kafka, registry) = scope(|scope| {
            let registry = scope.spawn(|| Registry::start_at(host));
            (Kafka::start_at(host), registry.join())
        });
        let registry = registry.ok().context("starting the registry panicked")??;
        let namespace = format!("{name}-{}", std::process::id());
        cluster.kubectl(&["create", "namespace", &namespace])?;
        Ok(Self { cluster, namespace, kafka: kafka?, registry, folder: tempfile::tempdir()? })
    }

    /// The quickstart manifest with nothing changed but the two addresses.
    pub fn manifest(&self) -> String {
        QUICKSTART.replace("kafka:9092", &self.kafka.bootstrap).replace("http://registry:8081", &self.registry.url)
    }

    /// `kubectl` in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["-n", &self.namespace], arguments].concat())
    }

    /// `kubectl apply` of a manifest.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        let file = self.folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest)?;
        self.kubectl(&["apply", "-f", &file.to_string_lossy()])
    }

    /// The pipeline as the API server has it.
    pub fn pipeline(&self) -> Result<Value> {
        self.json(&["get", "analyticspipeline", PIPELINE])
    }

    /// An object, or a list of them, as JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(&[arguments, &["-o", "json"]].concat())?)?)
    }

    /// `kubectl wait --for=condition=…`.
    pub fn wait_condition(&self, condition: &str, patience: Duration) -> Result<()> {
        let wanted = format!("--for=condition={condition}");
        let timeout = format!("--timeout={}s", patience.as_secs());
        self.kubectl(&["wait", &wanted, &format!("analyticspipeline/{PIPELINE}"), &timeout]).map(drop)
    }

    /// A condition of the pipeline: its status, reason and message.
    pub fn condition(&self, name: &str) -> Result<Option<[String; 3]>> {
        let pipeline = self.pipeline()?;
        let conditions = pipeline["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition["type"] == name);
        Ok(found
            .map(|found| ["status", "reason", "message"].map(|of| found[of].as_str().unwrap_or_default().to_owned())))
    }

    /// Waits until a condition has that status, and `holds` says yes to its reason and message.
    pub fn until_condition(&self, name: &str, status: &str, holds: impl Fn(&str, &str) -> bool) -> Result<[String; 3]> {
        let mut last = None;
        until(&format!("{name} is {status}"), PATIENCE, || {
            last = self.condition(name)?;
            Ok(last.clone().filter(|[own, reason, message]| own == status && holds(reason, message)))
        })
        .with_context(|| format!("{name} is {last:?}"))
    }

    /// Runs a program of `tests/python` on these servers, and reads the JSON that it prints.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        let servers = ["--kafka", &self.kafka.bootstrap, "--registry", &self.registry.url];
        let printed = python::run(script, &[&servers, arguments].concat())?;
        serde_json::from_str(&printed).with_context(|| format!("'{script}' printed: {printed}"))
    }

    /// Sends events number `first` to `end` of a stream of `count`.
    pub fn produce(&self, count: u32, first: u32, end: u32) -> Result<()> {
        self.produce_spoilt(count, first, end, "0")
    }

    /// The same, with an unknown region in a share of the events.
    pub fn produce_spoilt(&self, count: u32, first: u32, end: u32, share: &str) -> Result<()> {
        let [count, first, end] = [count, first, end].map(|number| number.to_string());
        let part = ["--count", &count, "--first", &first, "--end", &end, "--spoil", share];
        self.python("produce.py", &part).map(drop)
    }

    /// A file or folder of this name, which need not exist yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies what is on the volume of worker 0 through a pod that mounts it, as a user would.
    pub fn copy_volume(&self, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        // The one image with a shell that the nodes of the test cluster have.
        self.apply(&READER.replace("docker.io/library/busybox:1.37", "docker.io/local/busybox:1"))?;
        self.kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=60s"])?;
        let exec = ["-n", &self.namespace, "exec", "reader", "--", "tar", "-c", "-f", "-", "-C", "/data", "."];
        let mut tar = self.cluster.command("kubectl", &exec).stdout(Stdio::piped()).spawn()?;
        let packed = tar.stdout.take().context("a pipe")?;
        let unpacked = std::process::Command::new("tar").args(["-x", "-C"]).arg(to).stdin(packed).status()?;
        ensure!(tar.wait()?.success() && unpacked.success(), "the volume could not be read");
        Ok(())
    }

    /// What a person would look at, for a test that failed.
    pub fn tell(&self) -> String {
        let looks: [&[&str]; 4] = [
            &["get", "analyticspipeline", PIPELINE, "-o", "yaml"],
            &["get", "pods,statefulsets,persistentvolumeclaims,configmaps", "-o", "wide"],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["logs", &format!("{PIPELINE}-0"), "--tail=30"],
        ];
        let said = |result: Result<String>| result.unwrap_or_else(|error| format!("{error:#}"));
        let mut told: Vec<_> = looks.iter().map(|look| said(self.kubectl(look))).collect();
        told.push(said(self.cluster.kubectl(&["-n", SYSTEM, "logs", "deploy/sluice", "--tail=60"])));
        told.join("\n----\n")
    }

    /// Gives the result on, and tells what a person would look at when it is an error.
    pub fn told<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| self.tell())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The cluster goes away anyway; this is for the next tests' sake.
        drop(self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]));
    }
}

/// The pod that the documentation reads the tables with.
const READER: &str = include_str!("../../../examples/reader.yaml");

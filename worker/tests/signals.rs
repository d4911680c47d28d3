//! How `sluice-worker` ends on SIGTERM: with 0, in time, whether the broker is there or not.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use schemas::report::WorkerReport;
use tempfile::TempDir;

const QUICKSTART: &str = include_str!("../../examples/revenue-5m.yaml");
const PATIENCE: Duration = Duration::from_mins(1);
/// Kubernetes kills after 30 s.
const GRACE: Duration = Duration::from_secs(28);

/// A running worker; killed if the test fails.
struct Process {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already when all is well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    fn start(bootstrap: &str, grace: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pipeline.yaml");
        let sink = format!("file://{}", folder.path().join("data").display());
        let manifest = QUICKSTART.replace("kafka:9092", bootstrap).replace("file:///data", &sink);
        std::fs::write(&file, manifest).expect("writes");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let http = free.local_addr().expect("an address").to_string();
        drop(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-worker"));
        command.arg("--pipeline").arg(file).args(["--name", "worker-0", "--http", &http]);
        command.args(grace.into_iter().flat_map(|grace| ["--grace", grace])).stderr(Stdio::null());
        let child = command.spawn().expect("the binary runs");
        Self { child, url: format!("http://{http}"), _folder: folder }
    }

    /// Waits until its status is like this.
    fn until(&mut self, what: &str, like: impl Fn(&WorkerReport) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let answer = reqwest::blocking::get(format!("{}/v1/status", self.url));
            last = answer.ok().and_then(|answer| answer.json::<WorkerReport>().ok()).or(last);
            if last.as_ref().is_some_and(&like) {
                return;
            }
            assert_eq!(self.child.try_wait().expect("can be asked"), None, "it ended before {what}");
            assert!(Instant::now() < deadline, "waited too long until {what}: {last:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM; the exit code, and how long it took.
    fn terminate(&mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
        loop {
            if let Some(status) = self.child.try_wait().expect("can be asked") {
                return (status.code(), asked.elapsed());
            }
            assert!(asked.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn expect_to_end_in_time(&mut self) {
        let (code, took) = self.terminate();
        assert_eq!(code, Some(0));
        assert!(took < GRACE, "it took {took:?}");
    }
}

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).expect("a cluster");
    for (topic, partitions) in [("sales.events.v1", 3), ("sales.events.dlq.v1", 3), ("revenue-5m.partials.v1", 1)] {
        cluster.create_topic(topic, partitions, 1).expect("a topic");
    }
    cluster
}

fn works(report: &WorkerReport) -> bool {
    report.partitions.len() == 3 && report.troubles.is_empty()
}

fn is_unreachable(report: &WorkerReport) -> bool {
    report.troubles.iter().any(|trouble| trouble.reason == "BrokerUnreachable")
}

#[test]
fn without_a_broker_from_the_start() {
    let mut process = Process::start("127.0.0.1:1", None);
    process.until("it says that the broker is away", is_unreachable);
    process.expect_to_end_in_time();
}

#[test]
fn with_a_broker() {
    let cluster = cluster();
    let mut process = Process::start(&cluster.bootstrap_servers(), None);
    process.until("it has its partitions", works);
    process.expect_to_end_in_time();
}

#[test]
fn when_the_broker_has_gone_away() {
    let cluster = cluster();
    let mut process = Process::start(&cluster.bootstrap_servers(), None);
    process.until("it has its partitions", works);
    cluster.broker_down(1).expect("the broker goes away");
    process.until("it says that the broker is away", is_unreachable);
    process.expect_to_end_in_time();
}

#[test]
fn at_once_when_no_grace_is_given() {
    let mut process = Process::start("127.0.0.1:1", Some("0"));
    process.until("it says that the broker is away", is_unreachable);
    let (code, took) = process.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

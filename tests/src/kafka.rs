//! A real Apache Kafka on loopback: one process that is broker and controller, with its data in a folder that goes away.
//!
//! It can be killed as hard as a lost machine and started again on the same address with the same data. All calls block,
//! and may be made inside an asynchronous runtime.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::server::{Server, free_ports};
use crate::setup::{blocking, installed};

/// A running, or killed, Kafka.
pub struct Kafka {
    /// What clients connect to: `127.0.0.1:port`.
    pub bootstrap: String,
    folder: TempDir,
    server: Server,
}

impl Kafka {
    /// Starts a Kafka without topics, and returns when it serves.
    ///
    /// # Errors
    /// It cannot be fetched or does not come up; with the end of its log.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [port, controller] = free_ports()?;
        fs::write(folder.path().join("server.properties"), properties(&folder, port, controller))?;
        format_storage(&folder)?;
        let bootstrap = format!("127.0.0.1:{port}");
        let server = serve(&folder, &bootstrap)?;
        Ok(Self { bootstrap, folder, server })
    }

    /// Ends the process at once (SIGKILL). Its data stays.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again, after a kill or instead of a running one, on the same address and data.
    ///
    /// # Errors
    /// It does not come up; with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.server = serve(&self.folder, &self.bootstrap)?;
        Ok(())
    }

    /// The server process, for its memory and processor time.
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// A client configuration that knows the address and nothing else.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Creates a topic with one replica and Kafka's configuration names, such as `message.timestamp.type`.
    ///
    /// # Errors
    /// The broker refuses.
    pub fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        blocking(|| {
            let admin: AdminClient<DefaultClientContext> = self.client().create()?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let created = runtime.block_on(admin.create_topics([&topic], &options))?;
            for topic in created {
                topic.map_err(|(topic, code)| anyhow!("create topic '{topic}': {code}"))?;
            }
            Ok(())
        })
    }
}

fn properties(folder: &TempDir, port: u16, controller: u16) -> String {
    let data = folder.path().join("data");
    let data = data.display();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         share.coordinator.state.topic.num.partitions=1\n\
         group.initial.rebalance.delay.ms=0\n\
         auto.create.topics.enable=false\n"
    )
}

fn java(main: &str) -> Result<Command> {
    let mut command = Command::new(installed("java")?);
    command.args(["-Xmx512m", "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp"]);
    command.arg(installed("kafka")?.join("*")).arg(main);
    Ok(command)
}

fn format_storage(folder: &TempDir) -> Result<()> {
    let mut command = java("kafka.tools.StorageTool")?;
    command.args(["format", "--standalone", "-t", "SluiceTestCluster00001", "-c"]);
    let output = command.arg(folder.path().join("server.properties")).output().context("run the storage tool")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the storage tool failed: {said}");
    Ok(())
}

fn serve(folder: &TempDir, bootstrap: &str) -> Result<Server> {
    let mut command = java("kafka.Kafka")?;
    command.arg(folder.path().join("server.properties"));
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    // Refused connections are what waiting for a server looks like, so the client does not log them.
    config.set("log_level", "0").set("reconnect.backoff.max.ms", "200");
    let probe: BaseConsumer = config.create()?;
    Server::start("kafka", command, folder.path(), || probe.fetch_metadata(None, Duration::from_millis(500)).is_ok())
}

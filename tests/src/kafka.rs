//! A real Apache Kafka: one process that is broker and controller, with its data in a folder that goes away.
//!
//! It listens on loopback, or on the address where the pods of a test cluster look for this machine; plain, and for those who
//! have a password also with SASL. It can be killed as hard as a lost machine and started again on the same address with the same data. All calls block,
//! and may be made inside an asynchronous runtime.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, TopicPartitionList};
use tempfile::TempDir;

use crate::server::{Server, free_ports_at};
use crate::setup::{blocking, installed};

/// The only user that the listener with SASL knows.
pub const USER: &str = "sluice";
/// Its password.
pub const PASSWORD: &str = "correct-horse";

/// How long a broker may take to make and load the topic that it keeps commits in, and to answer one question.
const COORDINATOR: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A running, or killed, Kafka.
pub struct Kafka {
    /// What clients connect to: `host:port`.
    pub bootstrap: String,
    /// What clients with [`USER`] and [`PASSWORD`] connect to, by SASL PLAIN without encryption.
    pub sasl: String,
    folder: TempDir,
    server: Server,
}

impl Kafka {
    /// Starts a Kafka without topics, and returns when it serves.
    ///
    /// # Errors
    /// It cannot be fetched or does not come up; with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    /// The same, on an address of this machine.
    ///
    /// # Errors
    /// Those of [`Kafka::start`].
    pub fn start_at(host: Ipv4Addr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [plain, sasl, controller] = free_ports_at(host)?;
        fs::write(folder.path().join("server.properties"), properties(&folder, host, [plain, sasl, controller]))?;
        format_storage(&folder)?;
        let [bootstrap, sasl] = [plain, sasl].map(|port| format!("{host}:{port}"));
        let server = serve(&folder, &bootstrap)?;
        Ok(Self { bootstrap, sasl, folder, server })
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

    /// How many partitions a topic has; 0 if there is none of that name.
    ///
    /// # Errors
    /// The broker does not answer.
    pub fn partitions(&self, topic: &str) -> Result<usize> {
        let asker: BaseConsumer = self.client().create()?;
        let found = asker.fetch_metadata(Some(topic), Duration::from_secs(10))?;
        Ok(found.topics().first().map_or(0, |topic| topic.partitions().len()))
    }

    /// What a group has committed for partitions 0 to `partitions` of a topic; those without a commit are unset. While the broker
    /// still makes or loads the topic that it keeps commits in, it is asked again.
    ///
    /// # Errors
    /// The broker does not answer, or refuses for another reason.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Result<TopicPartitionList> {
        let asker: BaseConsumer = self.client().set("group.id", group).set("log_level", "0").create()?;
        let deadline = Instant::now() + COORDINATOR;
        loop {
            let mut wanted = TopicPartitionList::new();
            wanted.add_partition_range(topic, 0, partitions - 1);
            match asker.committed_offsets(wanted, ANSWER) {
                Err(error) if is_finding_coordinator(&error) && Instant::now() < deadline => sleep(ASK_AGAIN),
                answer => return Ok(answer?),
            }
        }
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

fn is_finding_coordinator(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| matches!(code, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator))
}

fn properties(folder: &TempDir, host: Ipv4Addr, [plain, sasl, controller]: [u16; 3]) -> String {
    let data = folder.path().join("data");
    let data = data.display();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers={host}:{controller}\n\
         listeners=PLAINTEXT://{host}:{plain},SASL_PLAINTEXT://{host}:{sasl},CONTROLLER://{host}:{controller}\n\
         advertised.listeners=PLAINTEXT://{host}:{plain},SASL_PLAINTEXT://{host}:{sasl}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
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

//! A broker and a registry that can go away, a log in them, and workers that read it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cli::dev::broker::TimestampType;
use cli::dev::registry::Registry;
use cli::generate::{Options, Target, Truth, register, send};
use plan::Plan;
use schemas::report::WorkerReport;
pub use tests::embedded::trouble;
use tests::embedded::{self, Embedded};
use tests::pipeline::{Way, differences, files, quickstart, run_bounded, set_sink};
use tests::proxy::Proxy;
use tests::server::free_ports;
use worker::{Config, Worker};

/// Longest wait for anything; most take a second.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The servers behind their doors, and the quickstart pipeline.
pub struct World {
    pub plan: Plan,
    pub kafka: Proxy,
    pub schemas: Proxy,
    servers: Embedded,
}

impl Deref for World {
    type Target = Embedded;

    fn deref(&self) -> &Embedded {
        &self.servers
    }
}

impl World {
    /// Both doors open, no topic yet.
    pub fn empty() -> Result<Self> {
        let (mut kafka, mut schemas) = (Proxy::closed()?, Proxy::closed()?);
        let servers = Embedded::start_behind(Some(kafka.address()))?;
        kafka.open(servers.broker.address())?;
        schemas.open(address_of(&servers.registry)?)?;
        let url = format!("http://{}", schemas.address());
        let plan = quickstart(&kafka.address().to_string(), &url, &servers.path("data"))?;
        Ok(Self { plan, kafka, schemas, servers })
    }

    /// Both doors open, with topics.
    pub fn with_topics() -> Result<Self> {
        let world = Self::empty()?;
        for topic in &world.plan.topics {
            world.broker.create_topic(&topic.name, topic.partitions as i32, TimestampType::LogAppendTime)?;
        }
        Ok(world)
    }

    /// Both doors open, with so many sample events in the source topic.
    pub fn with_events(count: u64) -> Result<(Self, Truth)> {
        let world = Self::with_topics()?;
        let truth = world.feed(count)?;
        Ok((world, truth))
    }

    /// Sends sample events of all kinds to the source topic.
    pub fn feed(&self, count: u64) -> Result<Truth> {
        let ids = register(&self.plan.registry_url, &self.plan.source.topic, false)?;
        let options = Options::new(count, self.plan.source.partitions);
        Ok(send(&options, ids, &Target::new(&self.plan.kafka.bootstrap, &self.plan.source.topic), |_| {})?)
    }

    /// Opens the door to the broker.
    pub fn open_kafka(&mut self) -> Result<()> {
        self.kafka.open(self.servers.broker.address())
    }

    /// Opens the door to the registry.
    pub fn open_schemas(&mut self) -> Result<()> {
        self.schemas.open(address_of(&self.servers.registry)?)
    }

    /// Records of a topic.
    pub fn count(&self, topic: &str) -> i64 {
        (0..).map_while(|partition| self.broker.next_offset(topic, partition)).sum()
    }

    /// A worker that reads the log as it is now to its end and publishes below `sink`, with a group and partials of its own.
    pub fn config(&self, name: &str, sink: &Path) -> Result<Config> {
        let mut plan = self.plan.clone();
        let partials = format!("{}.{name}", plan.partials_topic);
        for topic in &mut plan.topics {
            if topic.name == plan.partials_topic {
                topic.name.clone_from(&partials);
            }
        }
        plan.partials_topic = partials;
        set_sink(&mut plan, sink);
        self.broker.create_topic(
            &plan.partials_topic,
            plan.partials_partitions as i32,
            TimestampType::LogAppendTime,
        )?;
        let [port] = free_ports()?;
        Ok(Config {
            group: name.to_owned(),
            ends: Some(self.ends()),
            fetch_records: 1000,
            cut_interval: Duration::from_millis(100),
            http: Some((Ipv4Addr::LOCALHOST, port).into()),
            ..Config::new(Arc::new(plan), name)
        })
    }

    /// The end of each partition of the source topic.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        let end = |partition| Some((partition, self.broker.next_offset(&self.plan.source.topic, partition)?));
        (0..).map_while(end).collect()
    }

    /// Fails unless the files below `sink` are those of a run that nothing happens to, and what the truth says.
    pub fn expect_undisturbed(&self, sink: &Path, truth: &Truth) -> Result<()> {
        let mut plan = self.plan.clone();
        let quiet = self.path("undisturbed");
        set_sink(&mut plan, &quiet);
        let way = Way { group: "undisturbed".to_owned(), workers: 1, lanes: 2, fetch_records: 5000 };
        run_bounded(&plan, &way, PATIENCE)?;
        let (found, wanted) = (files(sink)?, files(&quiet)?);
        assert!(wanted.len() > 50, "the proof is about something: {} files", wanted.len());
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        assert!(found == wanted, "the files have other bytes");
        let differences = differences(truth, sink)?;
        assert!(differences.is_empty(), "{differences:?}");
        Ok(())
    }
}

fn address_of(registry: &Registry) -> Result<SocketAddr> {
    let url = registry.url();
    Ok(url.strip_prefix("http://").context("an http address")?.parse()?)
}

/// Waits until `look` finds something in the worker's report.
pub fn until<T>(worker: &Worker, what: &str, look: impl FnMut(&WorkerReport) -> Option<T>) -> Result<T> {
    embedded::until(worker, PATIENCE, what, look)
}

/// Waits until the worker is in this trouble; its message.
pub fn until_trouble(worker: &Worker, reason: &str) -> Result<String> {
    until(worker, &format!("it says {reason}"), |report| trouble(report, reason))
}

/// Waits until the worker is in this trouble with a message like this, whichever of its tasks says so; the message.
pub fn until_message(worker: &Worker, reason: &str, like: impl Fn(&str) -> bool) -> Result<String> {
    until(worker, &format!("it says {reason} in these words"), |report| {
        let mut troubles = report.troubles.iter().filter(|trouble| trouble.reason == reason);
        troubles.find(|trouble| like(&trouble.message)).map(|trouble| trouble.message.clone())
    })
}

/// Waits until the worker has read and published everything, without trouble, and stops it.
pub fn finish(worker: Worker) -> Result<WorkerReport> {
    let report = until(&worker, "everything is published and no trouble is left", |report| {
        (worker.is_finished() && report.troubles.is_empty()).then(|| report.clone())
    })?;
    worker.request_stop();
    worker.join()?;
    Ok(report)
}

/// What an HTTP path of the worker answers.
pub fn get(config: &Config, path: &str) -> Result<(u16, String)> {
    let address = config.http.context("an address")?;
    let answer = reqwest::blocking::get(format!("http://{address}{path}"))?;
    Ok((answer.status().as_u16(), answer.text()?))
}

//! The servers, the log and what must come out of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use cli::dev::registry::Registry;
use cli::generate::{Options, SchemaIds, Target, Truth, register, send};
use plan::Plan;
use rdkafka::Offset;
use schemas::spec::AnalyticsPipeline;
use tempfile::TempDir;
use tests::kafka::Kafka;
use tests::pipeline::{QUICKSTART, Way, create_topics, differences, files, run_bounded, set_sink};
use tests::proxy::Proxy;
use worker::{Config, bounded};

use crate::disk::Disk;

/// Source partitions: more than workers, so that they move one by one.
const PARTITIONS: u32 = 6;
/// Enough for any single step on a machine whose processors are busy.
pub const PATIENCE: Duration = Duration::from_mins(4);

/// A Kafka, a registry behind a door, a log, and a disk that can be full.
pub struct World {
    pub kafka: Kafka,
    pub door: Proxy,
    pub manifest: AnalyticsPipeline,
    pub disk: Disk,
    plan: Plan,
    registry: Registry,
    folder: TempDir,
    options: Options,
    ids: SchemaIds,
    feeder: Option<JoinHandle<Result<Truth>>>,
    truth: Option<Truth>,
}

impl World {
    /// Servers without records yet.
    pub fn start(events: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let disk = Disk::mount(&folder.path().join("disk"))?;
        let kafka = Kafka::start()?;
        let registry = Registry::start()?;
        let mut door = Proxy::closed()?;
        door.open(address_of(&registry)?)?;
        let mut manifest: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART)?;
        let spec = &mut manifest.spec;
        kafka.bootstrap.clone_into(&mut spec.kafka.bootstrap_servers);
        spec.kafka.properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
        spec.kafka.properties.insert("heartbeat.interval.ms".to_owned(), "1000".to_owned());
        spec.schema_registry.url = format!("http://{}", door.address());
        spec.source.topic.partitions = PARTITIONS;
        spec.sink.path = format!("file://{}", folder.path().join("disk/store").display());
        spec.quality.batch.max_records = 10_000;
        let plan = Plan::compile(&manifest)?;
        create_topics(&plan)?;
        let ids = register(&plan.registry_url, &plan.source.topic, false)?;
        let options = Options::new(events, PARTITIONS);
        Ok(Self { kafka, door, manifest, disk, plan, registry, folder, options, ids, feeder: None, truth: None })
    }

    /// Records that the log will have.
    pub fn events(&self) -> u64 {
        self.options.count
    }

    /// A folder of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends the log at this rate, in the background. It is one log whatever happens: the producer is idempotent.
    pub fn feed(&mut self, rate: u64) {
        let (options, ids) = (self.options.clone(), self.ids);
        let (bootstrap, topic) = (self.kafka.bootstrap.clone(), self.plan.source.topic.clone());
        self.feeder = Some(std::thread::spawn(move || {
            let target = Target { rate, ..Target::new(&bootstrap, &topic) };
            Ok(send(&options, ids, &target, |_| {})?)
        }));
    }

    /// Whether all of the log is there.
    pub fn is_fed(&self) -> bool {
        self.feeder.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until all of the log is there.
    pub fn await_log(&mut self) -> Result<()> {
        if let Some(feeder) = self.feeder.take() {
            self.truth = Some(feeder.join().map_err(|_| anyhow!("the feeder panicked"))??);
        }
        Ok(())
    }

    /// Opens the way to the registry.
    pub fn open_door(&mut self) -> Result<()> {
        self.door.open(address_of(&self.registry)?)
    }

    /// The end of each partition.
    pub fn ends(&self) -> Result<BTreeMap<i32, i64>> {
        Ok(bounded::ends(&self.plan)?)
    }

    /// Where the group is on each partition.
    pub fn committed(&self) -> Result<BTreeMap<i32, i64>> {
        let answer = self.kafka.committed(&self.plan.name, &self.plan.source.topic, PARTITIONS as i32)?;
        let offset = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            Offset::Offset(offset) => (element.partition(), offset),
            _ => (element.partition(), 0),
        };
        Ok(answer.elements().iter().map(offset).collect())
    }

    /// Closes what is open with the workers' own group, as a bounded run ends.
    pub fn drain(&self) -> Result<()> {
        let plan = Arc::new(self.plan.clone());
        let config = Config { static_member: true, ends: Some(self.ends()?), ..Config::new(plan, "revenue-5m-0") };
        let (begun, over) = (Instant::now(), AtomicBool::new(false));
        let reports = bounded::run(vec![config], |_| {
            let patient = begun.elapsed() < PATIENCE;
            over.store(!patient, Ordering::Relaxed);
            patient
        })?;
        ensure!(!over.into_inner(), "not drained after {PATIENCE:?}: {reports:#?}");
        Ok(())
    }

    /// Fails unless the files are those of an undisturbed run, and what the generator says.
    pub fn expect_undisturbed(&self) -> Result<()> {
        let store = self.path("disk/store");
        let mut quiet = self.plan.clone();
        set_sink(&mut quiet, &self.path("undisturbed"));
        let way = Way { group: "undisturbed".to_owned(), workers: 1, lanes: 2, fetch_records: 16_384 };
        run_bounded(&quiet, &way, PATIENCE)?;
        let (found, wanted) = (files(&store)?, files(&self.path("undisturbed"))?);
        for folder in ["gold/", "dq/"] {
            ensure!(wanted.keys().any(|name| name.starts_with(folder)), "nothing below '{folder}'");
        }
        let names: std::collections::BTreeSet<_> = found.keys().chain(wanted.keys()).collect();
        let differ: Vec<_> = names.into_iter().filter(|name| found.get(*name) != wanted.get(*name)).collect();
        ensure!(differ.is_empty(), "{} files differ, such as {:?}", differ.len(), &differ[..differ.len().min(6)]);
        let truth = self.truth.as_ref().context("the log is fed")?;
        let differences = differences(truth, &store)?;
        ensure!(differences.is_empty(), "{} differences from the truth: {differences:?}", differences.len());
        eprintln!("chaos: {} files are those of an undisturbed run, the ledger balances", found.len());
        Ok(())
    }
}

fn address_of(registry: &Registry) -> Result<SocketAddr> {
    let url = registry.url();
    Ok(url.strip_prefix("http://").context("an http address")?.parse()?)
}

//! Servers, a topic with independent events, and the quickstart pipeline over them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use plan::Plan;
use rdkafka::Offset;
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use serde_json::Value;
use tempfile::TempDir;
use tests::kafka::Kafka;
use tests::pipeline::{QUICKSTART, Way, create_topics, run_bounded};
use tests::python;
use tests::registry::Registry;

/// Enough for any single step on a machine whose processors are busy.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// A Kafka, a registry, and a folder for what comes out. Everything goes away with it.
pub struct Job {
    pub kafka: Kafka,
    _registry: Registry,
    place: Place,
}

impl Job {
    /// Starts the servers and makes the pipeline's topics as Sluice makes them.
    pub fn start() -> Result<Self> {
        let (kafka, registry) = scope(|scope| {
            let registry = scope.spawn(Registry::start);
            (Kafka::start(), registry.join())
        });
        let (kafka, registry) = (kafka?, registry.ok().context("starting the registry panicked")??);
        let place = Place::new(&kafka.bootstrap, &registry.url)?;
        Ok(Self { kafka, _registry: registry, place })
    }

    /// Where a group goes on reading each source partition; partitions without a commit are left out.
    pub fn committed(&self, plan: &Plan, group: &str) -> Result<BTreeMap<i32, i64>> {
        let answer = self.kafka.committed(group, &plan.source.topic, plan.source.partitions as i32)?;
        let offset = |of: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match of.offset() {
            Offset::Offset(offset) => Some((of.partition(), offset)),
            _ => None,
        };
        Ok(answer.elements().iter().filter_map(offset).collect())
    }
}

impl Deref for Job {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

/// Where the pipeline finds its servers, whichever they are, and a folder for what comes out, which goes away with it.
pub struct Place {
    /// Bootstrap servers.
    bootstrap: String,
    /// Address of the registry.
    pub schemas: String,
    folder: TempDir,
}

impl Place {
    /// Makes the pipeline's topics as Sluice makes them.
    pub fn new(bootstrap: &str, schemas: &str) -> Result<Self> {
        let (bootstrap, schemas) = (bootstrap.to_owned(), schemas.to_owned());
        let place = Self { bootstrap, schemas, folder: tempfile::tempdir()? };
        create_topics(&place.plan(&place.path("store"))?)?;
        Ok(place)
    }

    /// A folder of this name, which need not exist yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The quickstart manifest on these servers with its tables below `store`, and smaller batches, to have many.
    pub fn manifest(&self, store: &Path) -> Result<AnalyticsPipeline> {
        let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART)?;
        self.bootstrap.clone_into(&mut pipeline.spec.kafka.bootstrap_servers);
        self.schemas.clone_into(&mut pipeline.spec.schema_registry.url);
        pipeline.spec.sink.path = format!("file://{}", store.display());
        pipeline.spec.quality.batch.max_records = 1000;
        Ok(pipeline)
    }

    /// The same, compiled.
    pub fn plan(&self, store: &Path) -> Result<Plan> {
        Ok(Plan::compile(&self.manifest(store)?)?)
    }

    /// Runs a program of `tests/python` on these servers, and reads the JSON that it prints.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        let servers = ["--kafka", &self.bootstrap, "--registry", &self.schemas];
        let printed = python::run(script, &[&servers, arguments].concat())?;
        serde_json::from_str(&printed).with_context(|| format!("'{script}' printed: {printed}"))
    }

    /// Sends events number `first` to `end` of a stream of `count`, some of them framed by a header.
    pub fn produce(&self, count: u32, first: u32, end: u32) -> Result<()> {
        let [count, first, end] = [count, first, end].map(|number| number.to_string());
        let part = ["--count", &count, "--first", &first, "--end", &end, "--header-share", "0.2"];
        self.python("produce.py", &part).map(drop)
    }

    /// Runs the pipeline over the whole log, undisturbed, into a store of its own.
    pub fn run(&self, way: &Way) -> Result<(PathBuf, Vec<WorkerReport>)> {
        let store = self.path(&way.group);
        let reports = run_bounded(&self.plan(&store)?, way, PATIENCE)?;
        Ok((store, reports))
    }
}

/// Waits until `look` finds something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "after {PATIENCE:?} still not: {what}");
        sleep(LOOK);
    }
}

/// An undisturbed run with one worker.
pub fn plain(group: &str) -> Way {
    Way { group: group.to_owned(), workers: 1, lanes: 2, fetch_records: 16_384 }
}

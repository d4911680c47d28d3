//! A worker: ingest, publish and the HTTP endpoints of one process, started and stopped together.
//!
//! An unexpected end of any task ends the worker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use plan::{Isolation, OnCritical, Plan};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use schemas::epochs::Epochs;
use schemas::report::WorkerReport;
use stream_core::{EventTime, Topology};
use thiserror::Error;

use crate::checkpoint::LocalVolume;
use crate::client::{client, publish_group};
use crate::http;
use crate::ingest::{GroupTask, IngestError, Kafka, Settings, Shared};
use crate::meaning::Previous;
use crate::produce::{ProduceError, Producer};
use crate::program::program;
use crate::publish::{PublishError, PublishSettings, PublishTask, Store};
use crate::quality::{Quality, Watch, WatchError};
use crate::registry::SchemaCache;
use crate::source::{Consumer, SourceError, SourceSettings};
use crate::status::Status;
use crate::stop::Stop;
use crate::supported::Unsupported;

/// Everything a worker needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pipeline.
    pub plan: Arc<Plan>,
    /// The worker's name: its pod. Workers of one pipeline have different names.
    pub name: String,
    /// The consumer group, which also names the publish group: the pipeline's name, unless progress is to be kept apart.
    pub group: String,
    /// Whether it is a static member of the group, so that a restart keeps its partitions.
    pub static_member: bool,
    /// Whether it publishes. With a `file://` sink exactly one worker does.
    pub publishes: bool,
    /// Threads that judge and fold.
    pub lanes: usize,
    /// Most records of one fetch.
    pub fetch_records: usize,
    /// How often progress is committed.
    pub cut_interval: Duration,
    /// The folder for checkpoints. Without one, every restart rebuilds from Kafka.
    pub checkpoints: Option<PathBuf>,
    /// How often a checkpoint is taken.
    pub checkpoint_interval: Duration,
    /// For a bounded run: the end offset of each source partition.
    pub ends: Option<BTreeMap<i32, i64>>,
    /// Whether a bounded run leaves the windows open that are open at its end, so that the next one goes on with them. Otherwise it
    /// closes them for good: what comes later for them is late.
    pub leaves_open: bool,
    /// What the pipeline was before.
    pub epochs: Epochs,
    /// Where HTTP listens, if it does.
    pub http: Option<SocketAddr>,
    /// The folder in which writer schemas are kept over restarts; without one the registry is asked again.
    pub schemas: Option<PathBuf>,
    /// How long the reports of a closed day stay beside the file that replaces them: longer than a reader takes to list the folder.
    /// The end of a bounded run does not wait for it.
    pub linger: Duration,
}

impl Config {
    /// What a worker of `plan` does when nothing else is said.
    pub fn new(plan: Arc<Plan>, name: impl Into<String>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = plan.workers.lanes.map_or(processors, |lanes| lanes as usize);
        let lanes = lanes.clamp(1, plan.source.partitions.max(1) as usize);
        Self {
            group: plan.group.clone(),
            plan,
            name: name.into(),
            static_member: false,
            publishes: true,
            lanes,
            fetch_records: 16_384,
            cut_interval: Duration::from_secs(2),
            checkpoints: None,
            checkpoint_interval: Duration::from_secs(10),
            ends: None,
            leaves_open: false,
            epochs: Epochs::default(),
            http: None,
            schemas: None,
            linger: Duration::from_mins(1),
        }
    }
}

/// The worker could not start, or had to end.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// Ingest ended.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Publish ended.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Watching the data's quality ended.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The source could not be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The producer could not be made.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// A thread or a socket could not be had.
    #[error("cannot start '{task}': {source}")]
    Start {
        /// What.
        task: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest asks for what this version does not do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A task panicked. A bug.
    #[error("task '{task}' panicked")]
    Panic {
        /// Which.
        task: String,
    },
}

/// A running worker.
pub struct Worker {
    status: Arc<Status>,
    stop: Stop,
    finished: Arc<AtomicBool>,
    supervisor: Option<JoinHandle<Result<(), WorkerError>>>,
}

impl Worker {
    /// Starts every task. A broker, registry or sink that is away is waited for and told in the report.
    #[expect(clippy::needless_pass_by_value, reason = "a worker owns what it runs with")]
    pub fn start(config: Config) -> Result<Self, WorkerError> {
        let stop = Stop::default();
        let status = Arc::new(Status::new(&config.plan.name, config.plan.revision, &config.name));
        let finished = Arc::new(AtomicBool::new(false));
        let tasks = Tasks::start(&config, &status, &stop)?;
        let supervisor = {
            let (stop, finished) = (stop.clone(), finished.clone());
            Builder::new().name("worker".to_owned()).spawn(move || tasks.supervise(&stop, &finished))
        };
        let supervisor = supervisor.map_err(|source| WorkerError::Start { task: "worker", source })?;
        Ok(Self { status, stop, finished, supervisor: Some(supervisor) })
    }

    /// What it knows of itself now.
    pub fn report(&self) -> WorkerReport {
        self.status.report()
    }

    /// Whether a bounded run is over here: all partitions drained and, if this worker publishes, everything published.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether it has ended, by itself or because it was stopped.
    pub fn is_ended(&self) -> bool {
        self.supervisor.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks it to stop: it cuts, commits and leaves the group.
    pub fn request_stop(&self) {
        self.stop.request();
    }

    /// Waits for its end.
    pub fn join(mut self) -> Result<(), WorkerError> {
        self.wait()
    }

    fn wait(&mut self) -> Result<(), WorkerError> {
        self.supervisor.take().map_or(Ok(()), |supervisor| join("worker", supervisor))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.request();
        if let Err(error) = self.wait() {
            tracing::error!(%error, "the worker ended with an error");
        }
    }
}

struct Tasks {
    plan: Arc<Plan>,
    group: JoinHandle<Result<(), IngestError>>,
    publisher: Option<JoinHandle<Result<(), PublishError>>>,
    watch: Option<JoinHandle<Result<(), WatchError>>>,
    finish: crossbeam_channel::Sender<BTreeMap<i32, i64>>,
    drained: Arc<AtomicBool>,
}

impl Tasks {
    fn start(config: &Config, status: &Arc<Status>, stop: &Stop) -> Result<Self, WorkerError> {
        let plan = config.plan.clone();
        let program = Arc::new(program(&plan));
        let previous = Previous::of(&plan, &program, &config.epochs)?;
        let topology = topology(&plan, &config.epochs);
        let (finish, finished) = crossbeam_channel::bounded(1);
        if let Some(address) = config.http {
            let grid = http::Grid { size: plan.window.size_ms, delay: plan.delay_ms };
            serve_http(address, status.clone(), grid, stop.clone())?;
        }
        let quality = Arc::new(Quality::new(plan.clone(), status.clone()));
        let publisher = PublishSettings {
            plan: plan.clone(),
            program: program.clone(),
            previous: previous.clone(),
            topology: topology.clone(),
            group: publish_group(&config.group),
            store: Store::local(PathBuf::from(&plan.sink.folder)),
            status: status.clone(),
            stop: stop.clone(),
            quality: quality.clone(),
            linger: config.linger,
            finish: finished,
        };
        let publisher = config.publishes.then(|| PublishTask::new(publisher)).transpose()?;
        let (consumer, events) = Consumer::join(&source_settings(config))?;
        let consumer = Arc::new(consumer);
        let kafka = Kafka {
            plan: plan.clone(),
            previous: previous.clone(),
            consumer: consumer.clone(),
            producer: Producer::new(&client(&plan))?,
            schemas: Arc::new(
                match &config.schemas {
                    Some(folder) => SchemaCache::kept_in(&plan.registry_url, folder),
                    None => SchemaCache::new(&plan.registry_url),
                }
                .login(plan.registry_login.as_ref()),
            ),
            status: status.clone(),
            stop: stop.clone(),
            fetch_records: config.fetch_records,
            asker: OnceLock::new(),
        };
        let shared = Arc::new(Shared {
            topology,
            previous,
            broker: Box::new(Arc::new(kafka)),
            volume: config.checkpoints.clone().map(|folder| Arc::new(LocalVolume::new(folder)) as _),
            settings: Settings {
                cut_interval: config.cut_interval,
                checkpoint_interval: config.checkpoint_interval,
                lanes: config.lanes.max(1),
                ends: config.ends.clone(),
                leaves_open: config.leaves_open,
            },
            plan: plan.clone(),
            program,
            status: status.clone(),
            quality: quality.clone(),
            stop: stop.clone(),
        });
        let drained = Arc::new(AtomicBool::new(false));
        let started = |source| WorkerError::Start { task: "ingest", source };
        let group = GroupTask::start(shared, consumer, events, drained.clone()).map_err(started)?;
        let group = Builder::new().name("group".to_owned()).spawn(move || group.run()).map_err(started)?;
        let watch = Watch {
            plan: plan.clone(),
            group: config.group.clone(),
            quality,
            status: status.clone(),
            stop: stop.clone(),
            follow: !config.publishes,
        };
        let watches = config.publishes || plan.thresholds.on_critical == OnCritical::Suspend;
        let watch = watches.then(|| Builder::new().name("quality".to_owned()).spawn(move || watch.run()));
        let watch = watch.transpose().map_err(|source| WorkerError::Start { task: "quality", source })?;
        let publisher =
            publisher.map(|publisher| Builder::new().name("publish".to_owned()).spawn(move || publisher.run()));
        let publisher = publisher.transpose().map_err(|source| WorkerError::Start { task: "publish", source })?;
        Ok(Self { plan, group, publisher, watch, finish, drained })
    }

    /// Watches the tasks: ends all when one ends, and finishes publishing once ingest has drained.
    fn supervise(mut self, stop: &Stop, finished: &AtomicBool) -> Result<(), WorkerError> {
        let mut told = false;
        while !stop.wait(Duration::from_millis(20)) {
            if self.group.is_finished() || self.watch.as_ref().is_some_and(JoinHandle::is_finished) {
                break;
            }
            if !told && self.drained.load(Ordering::Acquire) {
                told = self.finish_publishing();
            }
            let published = self.publisher.as_ref().is_none_or(JoinHandle::is_finished);
            if published && told {
                if let Some(publisher) = self.publisher.take() {
                    let ended = join("publish", publisher);
                    if ended.is_err() {
                        stop.request();
                        let _ = join::<IngestError>("ingest", self.group);
                        return ended;
                    }
                }
                finished.store(true, Ordering::Release);
            } else if published && self.publisher.is_some() {
                break;
            }
        }
        stop.request();
        let publisher = self.publisher.take().map_or(Ok(()), |publisher| join("publish", publisher));
        let watch = self.watch.take().map_or(Ok(()), |watch| join("quality", watch));
        join("ingest", self.group).and(publisher).and(watch)
    }

    /// Tells the publisher up to where the partials topic must be read. False when the broker did not say.
    fn finish_publishing(&self) -> bool {
        if self.publisher.is_none() {
            return true;
        }
        let asked = client(&self.plan).create::<BaseConsumer>().and_then(|asker| {
            let outputs = 0..self.plan.partials_partitions as i32;
            let end = |output| {
                let ends = asker.fetch_watermarks(&self.plan.partials_topic, output, Duration::from_secs(5))?;
                Ok((output, ends.1))
            };
            outputs.map(end).collect::<Result<BTreeMap<_, _>, rdkafka::error::KafkaError>>()
        });
        asked.is_ok_and(|ends| self.finish.try_send(ends).is_ok())
    }
}

/// The HTTP thread ends with the request to stop; nobody waits for it.
fn serve_http(address: SocketAddr, status: Arc<Status>, grid: http::Grid, stop: Stop) -> Result<(), WorkerError> {
    let failed = |source| WorkerError::Start { task: "http", source };
    let listener = http::listen(address).map_err(failed)?;
    let serve = move || {
        if let Err(error) = http::serve(listener, status, grid, &stop) {
            tracing::error!(%error, "http ended");
            stop.request();
        }
    };
    Builder::new().name("http".to_owned()).spawn(serve).map_err(failed)?;
    Ok(())
}

fn join<E>(task: &str, thread: JoinHandle<Result<(), E>>) -> Result<(), WorkerError>
where
    WorkerError: From<E>,
{
    match thread.join() {
        Ok(ended) => ended.map_err(WorkerError::from),
        Err(_) => Err(WorkerError::Panic { task: task.to_owned() }),
    }
}

/// How many source partitions count from when on: as the epochs say, or always as many as the plan says.
pub(crate) fn topology(plan: &Plan, epochs: &Epochs) -> Topology {
    if epochs.topology.is_empty() {
        return Topology::of(plan.source.partitions as usize);
    }
    let epoch = |epoch: &schemas::epochs::TopologyEpoch| {
        (epoch.from.map_or(EventTime::NEVER, EventTime), epoch.partitions as usize)
    };
    Topology::grown(epochs.topology.iter().map(epoch))
}

fn source_settings(config: &Config) -> SourceSettings {
    let plan = &config.plan;
    SourceSettings {
        bootstrap: plan.kafka.bootstrap.clone(),
        topic: plan.source.topic.clone(),
        group: config.group.clone(),
        instance: config.static_member.then(|| config.name.clone()),
        isolation: match plan.source.isolation {
            Isolation::ReadCommitted => crate::source::Isolation::ReadCommitted,
            Isolation::ReadUncommitted => crate::source::Isolation::ReadUncommitted,
        },
        properties: plan.kafka.properties.clone(),
    }
}

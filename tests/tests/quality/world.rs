//! An embedded broker and registry with stretches of sample events, whose log times are their own, and workers over them.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use cli::dev::broker::TimestampType;
use cli::generate::{Options, SchemaIds, Shape, Target, register, send};
use plan::Plan;
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use serde_json::Value;
pub use tests::embedded::trouble;
use tests::embedded::{self, Embedded};
use tests::pipeline::{QUICKSTART, create_topics};
use worker::{Config, Worker};

/// Longest wait for anything; most take a second, also where processors are busy a few.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// 2026-11-23T06:00:00Z, where the sample events begin.
pub const START: i64 = 1_795_413_600_000;
pub const MINUTE: i64 = 60_000;

/// The servers and a folder for what comes out. Everything goes away with it.
pub struct World {
    servers: Embedded,
    pub ids: SchemaIds,
}

impl Deref for World {
    type Target = Embedded;

    fn deref(&self) -> &Embedded {
        &self.servers
    }
}

impl World {
    /// The source topic takes log times as they are sent.
    pub fn start() -> Result<Self> {
        let servers = Embedded::start()?;
        servers.broker.create_topic("sales.events.v1", 3, TimestampType::CreateTime)?;
        let ids = register(&servers.registry.url(), "sales.events.v1", false)?;
        Ok(Self { servers, ids })
    }

    /// The quickstart manifest on these servers with changes (JSON pointer and value), its tables below `sink`.
    pub fn manifest(&self, sink: &Path, changes: &[(&str, Value)]) -> Result<AnalyticsPipeline> {
        let pipeline: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART)?;
        let mut manifest = serde_json::to_value(pipeline)?;
        let mut set = |pointer: &str, value: Value| -> Result<()> {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            match manifest.pointer_mut(parent) {
                Some(Value::Object(object)) => drop(object.insert(key.to_owned(), value)),
                Some(Value::Array(list)) if list.len() == key.parse::<usize>()? => list.push(value),
                Some(Value::Array(list)) => list[key.parse::<usize>()?] = value,
                _ => bail!("the manifest has no '{parent}'"),
            }
            Ok(())
        };
        set("/spec/kafka/bootstrapServers", self.broker.bootstrap_servers().into())?;
        set("/spec/schemaRegistry/url", self.registry.url().into())?;
        set("/spec/sink/path", format!("file://{}", sink.display()).into())?;
        changes.iter().try_for_each(|(pointer, value)| set(pointer, value.clone()))?;
        Ok(serde_json::from_value(manifest)?)
    }

    /// The same, compiled, with its topics made.
    pub fn plan(&self, sink: &Path, changes: &[(&str, Value)]) -> Result<Plan> {
        let plan = Plan::compile(&self.manifest(sink, changes)?)?;
        create_topics(&plan)?;
        Ok(plan)
    }

    /// Sends events that happen in minutes `from..to` after the start, a thousand a minute, with one kind of trouble only.
    pub fn feed(&self, from: i64, to: i64, trouble: impl FnOnce(&mut Shape)) -> Result<()> {
        self.feed_many(from, to, 1000, trouble)
    }

    /// The same with another number of events a minute.
    pub fn feed_many(&self, from: i64, to: i64, rate: u64, trouble: impl FnOnce(&mut Shape)) -> Result<()> {
        let mut shape = Shape {
            seed: from.unsigned_abs(),
            start: START + from * MINUTE,
            span: (to - from) * MINUTE,
            jitter: 0,
            duplicates: 0.0,
            late: 0.0,
            invalid: 0.0,
            poison: 0.0,
            stale: 0.0,
            paid_free: 0.0,
            nulls: 0.0,
            ..Shape::default()
        };
        trouble(&mut shape);
        let options = Options { shape, ..Options::new((to - from).unsigned_abs() * rate, 3) };
        let bootstrap = self.broker.bootstrap_servers();
        let target = Target { create_time: true, ..Target::new(&bootstrap, "sales.events.v1") };
        send(&options, self.ids, &target, |_| {})?;
        Ok(())
    }
}

/// A worker that reads on and on.
pub fn start(plan: &Plan) -> Result<Worker> {
    let cut_interval = Duration::from_millis(100);
    Ok(Worker::start(Config { fetch_records: 500, cut_interval, ..Config::new(Arc::new(plan.clone()), "worker-0") })?)
}

/// Asks it to stop, and waits.
pub fn stop(worker: Worker) -> Result<()> {
    worker.request_stop();
    Ok(worker.join()?)
}

/// Waits until `look` finds something in the worker's report.
pub fn until<T>(worker: &Worker, what: &str, look: impl FnMut(&WorkerReport) -> Option<T>) -> Result<T> {
    embedded::until(worker, PATIENCE, what, look)
}

/// Records that have been judged.
pub fn consumed(report: &WorkerReport) -> u64 {
    report.partitions.iter().map(|partition| partition.ledger.consumed).sum()
}

/// Windows that have been published.
pub fn published(report: &WorkerReport) -> u64 {
    report.outputs.iter().map(|output| output.windows_published).sum()
}

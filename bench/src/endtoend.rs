//! End to end against a real broker: the whole pipeline beside consuming alone, each in a process of its own so that its
//! processor time and memory are its alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cli::generate::{Options, SchemaIds, Target, Truth, register, send};
use plan::Plan;
use schemas::report::WorkerReport;
use serde::{Deserialize, Serialize};
use tests::pipeline::{create_topics, differences, quickstart};
use worker::source::batch::Fetch;
use worker::source::{Consumer, SourceEvent, SourceSettings};
use worker::{Config, bounded};

use crate::cpu;

/// What a child process measured of itself.
#[derive(Serialize, Deserialize, Clone)]
pub struct Used {
    pub records: u64,
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub peak_bytes: u64,
    /// Resident memory when each tenth of the records had been read, bytes; of a run of the whole pipeline only.
    pub resident: Vec<u64>,
}

impl Used {
    fn rate(&self) -> f64 {
        cpu::rate(self.records, Duration::from_millis(self.cpu_ms))
    }
}

/// Where the servers are.
#[derive(clap::Args, Clone)]
pub struct Servers {
    /// Bootstrap servers; without it a Kafka and a registry are started.
    #[arg(long)]
    kafka: Option<String>,
    /// Schema registry.
    #[arg(long, requires = "kafka")]
    registry: Option<String>,
}

/// Starts servers unless they are given, fills a topic, measures in turn, and checks the tables.
pub fn compare(servers: &Servers, events: u64, rounds: usize) -> Result<()> {
    let (Some(kafka), Some(registry)) = (&servers.kafka, &servers.registry) else {
        let kafka = tests::kafka::Kafka::start()?;
        let registry = tests::registry::Registry::start()?;
        return measure(&kafka.bootstrap, &registry.url, events, rounds);
    };
    measure(kafka, registry, events, rounds)
}

fn measure(kafka: &str, registry: &str, events: u64, rounds: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let plan = quickstart(kafka, registry, data.path())?;
    let truth = fill(&plan, &Options::new(events, plan.source.partitions))?;
    let (mut alone, mut whole) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let consumed =
            child("consume", &["--kafka", kafka, "--registry", registry, "--group", &format!("alone-{round}")])?;
        let store = data.path().join(format!("round-{round}"));
        let store = store.to_str().context("a temporary folder has a plain name")?;
        let group = format!("whole-{round}");
        let piped = child("run", &["--kafka", kafka, "--registry", registry, "--group", &group, "--data", store])?;
        ensure!(consumed.records == events && piped.records == events, "not every event was read");
        let found = differences(&truth, Path::new(store))?;
        ensure!(found.is_empty(), "the tables differ from the truth: {:?}", &found[..found.len().min(5)]);
        print(round, &consumed, &piped);
        alone.push(consumed);
        whole.push(piped);
    }
    summary(&alone, &whole);
    Ok(())
}

fn print(round: usize, alone: &Used, whole: &Used) {
    println!(
        "round {round}: consuming alone {:.2} M/CPU-s ({} MB), end to end {:.2} M/CPU-s ({} MB, {:.1} s wall), ratio {:.1} %",
        alone.rate() / 1e6,
        alone.peak_bytes / 1_000_000,
        whole.rate() / 1e6,
        whole.peak_bytes / 1_000_000,
        Duration::from_millis(whole.wall_ms).as_secs_f64(),
        100.0 * whole.rate() / alone.rate(),
    );
}

fn summary(alone: &[Used], whole: &[Used]) {
    let ratios = alone.iter().zip(whole).map(|(alone, whole)| whole.rate() / alone.rate());
    println!(
        "median: consuming alone {:.2} M/CPU-s, end to end {:.2} M/CPU-s, ratio {:.1} %; tables checked in every round",
        median(alone.iter().map(Used::rate)) / 1e6,
        median(whole.iter().map(Used::rate)) / 1e6,
        100.0 * median(ratios),
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn fill(plan: &Plan, options: &Options) -> Result<Truth> {
    create_topics(plan)?;
    let ids: SchemaIds = register(&plan.registry_url, &plan.source.topic, false)?;
    let started = Instant::now();
    let truth = send(options, ids, &Target::new(&plan.kafka.bootstrap, &plan.source.topic), |_| {})?;
    println!("{} events in '{}' after {:.1} s", options.count, plan.source.topic, started.elapsed().as_secs_f64());
    Ok(truth)
}

pub(crate) fn child(verb: &str, arguments: &[&str]) -> Result<Used> {
    let output = Command::new(std::env::current_exe()?).arg(verb).args(arguments).output()?;
    ensure!(output.status.success(), "'{verb}' failed: {}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout)?;
    serde_json::from_str(line.lines().last().unwrap_or_default()).with_context(|| format!("'{verb}' printed '{line}'"))
}

/// One child's work.
#[derive(clap::Args)]
pub struct Work {
    #[command(flatten)]
    servers: Servers,
    /// Consumer group.
    #[arg(long)]
    group: String,
    /// Where tables go.
    #[arg(long, default_value = "unused")]
    data: std::path::PathBuf,
}

impl Work {
    fn plan(&self) -> Result<Plan> {
        let kafka = self.servers.kafka.as_deref().context("a child is told the broker")?;
        let registry = self.servers.registry.as_deref().context("a child is told the registry")?;
        quickstart(kafka, registry, &self.data)
    }
}

/// The whole pipeline, to the end of the log.
pub fn run(work: &Work) -> Result<()> {
    let mut plan = work.plan()?;
    plan.partials_topic = format!("{}.{}", plan.partials_topic, work.group);
    plan.topics.last_mut().context("a plan has topics")?.name.clone_from(&plan.partials_topic);
    create_topics(&plan)?;
    let ends = bounded::ends(&plan)?;
    let all = ends.values().sum::<i64>().unsigned_abs();
    let config = Config { group: work.group.clone(), ends: Some(ends), ..Config::new(Arc::new(plan), "bench-0") };
    let (started, before) = (Instant::now(), cpu::cpu());
    let mut resident = Vec::new();
    let reports = bounded::run(vec![config], |reports| {
        while resident.len() < 10 && consumed(reports) * 10 >= all * (resident.len() as u64 + 1) {
            resident.push(cpu::resident());
        }
        true
    })?;
    tell(consumed(&reports), started, before, resident)
}

fn consumed(reports: &[WorkerReport]) -> u64 {
    reports.iter().flat_map(|report| &report.partitions).map(|partition| partition.ledger.consumed).sum()
}

/// Consuming alone: the same client, settings and batch call; every payload is looked at, nothing is decoded.
pub fn consume(work: &Work) -> Result<()> {
    let plan = work.plan()?;
    let ends = bounded::ends(&plan)?;
    let settings = SourceSettings {
        bootstrap: plan.kafka.bootstrap.clone(),
        topic: plan.source.topic.clone(),
        group: work.group.clone(),
        ..SourceSettings::default()
    };
    let (started, before) = (Instant::now(), cpu::cpu());
    let (consumer, events) = Consumer::join(&settings)?;
    let mut queues = BTreeMap::new();
    while queues.len() < ends.len() {
        if let SourceEvent::Assigned(partitions) = events.recv_timeout(Duration::from_secs(30))? {
            for partition in partitions {
                queues.insert(partition, consumer.start(partition, 0)?);
            }
        }
    }
    let mut fetch = Fetch::with_capacity(Config::new(Arc::new(plan), "bench-0").fetch_records);
    let (mut records, mut bytes) = (0_u64, 0_usize);
    while !queues.is_empty() {
        queues.retain(|partition, queue| {
            queue.read(&mut fetch, Duration::from_millis(5));
            bytes += fetch.records().iter().map(|record| record.payload().map_or(0, <[u8]>::len)).sum::<usize>();
            records += fetch.records().len() as u64;
            fetch.records().last().is_none_or(|last| last.offset() + 1 < ends[partition])
        });
    }
    std::hint::black_box(bytes);
    tell(records, started, before, Vec::new())
}

fn tell(records: u64, started: Instant, before: Duration, resident: Vec<u64>) -> Result<()> {
    let used = Used {
        records,
        cpu_ms: cpu::cpu().saturating_sub(before).as_millis() as u64,
        wall_ms: started.elapsed().as_millis() as u64,
        peak_bytes: cpu::peak_memory(),
        resident,
    };
    println!("{}", serde_json::to_string(&used)?);
    Ok(())
}

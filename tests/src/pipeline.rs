//! Running the quickstart pipeline against any broker and registry, and reading what it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMillisecondType};
use cli::generate::{Counts, Difference, Truth};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use plan::Plan;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use schemas::report::WorkerReport;
use schemas::spec::AnalyticsPipeline;
use worker::{Config, bounded};

/// The quickstart manifest, as the README shows it.
pub const QUICKSTART: &str = include_str!("../../examples/revenue-5m.yaml");

/// The quickstart pipeline, reading and writing somewhere else.
pub fn quickstart(bootstrap: &str, registry: &str, data: &Path) -> Result<Plan> {
    let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART)?;
    bootstrap.clone_into(&mut pipeline.spec.kafka.bootstrap_servers);
    registry.clone_into(&mut pipeline.spec.schema_registry.url);
    let mut plan = Plan::compile(&pipeline)?;
    set_sink(&mut plan, data);
    Ok(plan)
}

/// Lets `plan` write below `data`.
pub fn set_sink(plan: &mut Plan, data: &Path) {
    plan.sink.folder = data.to_string_lossy().into_owned();
}

/// Makes the topics of `plan` that do not exist yet, through Kafka's admin API.
pub fn create_topics(plan: &Plan) -> Result<()> {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", &plan.kafka.bootstrap).create()?;
    let topics: Vec<NewTopic<'_>> = plan
        .topics
        .iter()
        .map(|topic| {
            let new = NewTopic::new(&topic.name, topic.partitions as i32, TopicReplication::Fixed(1));
            topic.config.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let created = runtime.block_on(admin.create_topics(&topics, &AdminOptions::new()))?;
    for topic in created {
        match topic {
            Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => anyhow::bail!("cannot create topic '{name}': {code}"),
        }
    }
    Ok(())
}

/// How a pipeline is run over a log; what comes out must not depend on any of it.
#[derive(Debug, Clone)]
pub struct Way {
    /// Keeps the progress of this run apart from that of others on the same topic.
    pub group: String,
    /// Workers in the group.
    pub workers: usize,
    /// Lanes of each.
    pub lanes: usize,
    /// Most records of a fetch.
    pub fetch_records: usize,
}

/// A run over the log of `plan`'s source, with partials of its own, from the beginning to the end of the log as it is now.
pub fn run_bounded(plan: &Plan, way: &Way, deadline: Duration) -> Result<Vec<WorkerReport>> {
    let mut plan = plan.clone();
    let own = format!("{}.{}", plan.partials_topic, way.group);
    for topic in &mut plan.topics {
        if topic.name == plan.partials_topic {
            topic.name.clone_from(&own);
        }
    }
    plan.partials_topic = own;
    create_topics(&plan)?;
    let ends = bounded::ends(&plan)?;
    let plan = Arc::new(plan);
    let configs = (0..way.workers).map(|number| Config {
        group: way.group.clone(),
        publishes: number == 0,
        lanes: way.lanes,
        fetch_records: way.fetch_records,
        ends: Some(ends.clone()),
        ..Config::new(plan.clone(), format!("worker-{number}"))
    });
    let started = Instant::now();
    let reports = bounded::run(configs.collect(), |_| started.elapsed() < deadline)?;
    ensure!(started.elapsed() < deadline, "not finished after {deadline:?}: {reports:#?}");
    Ok(reports)
}

/// All Parquet files below a folder, by relative path, with their bytes.
pub fn files(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot list '{}'", folder.display()))? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// The rows of all Parquet files below a folder.
pub fn rows(root: &Path) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for bytes in files(root)?.into_values() {
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))?.build()? {
            batches.push(batch?);
        }
    }
    Ok(batches)
}

/// Everything in which the store differs from the generator's truth: gold to the cent, the ledger, the rules.
pub fn differences(truth: &Truth, data: &Path) -> Result<Vec<Difference>> {
    let gold = rows(&data.join("gold"))?;
    let mut found = truth.compare_gold(gold.iter().flat_map(gold_rows));
    let metrics = rows(&data.join("dq"))?;
    let metrics: Vec<_> = metrics.iter().filter(|batch| batch.column_by_name("consumed").is_some()).collect();
    found.extend(truth.compare_ledger(metrics.iter().flat_map(|batch| ledgers(batch))));
    found.extend(truth.compare_violations(metrics.iter().flat_map(|batch| violations(batch))));
    Ok(found)
}

type GoldRow<'a> = (i64, Option<&'a str>, Option<&'a str>, i128, u64);

fn gold_rows(batch: &RecordBatch) -> impl Iterator<Item = GoldRow<'_>> {
    let column = |name: &str| batch.column_by_name(name).expect("a gold file has the manifest's columns");
    let starts = column("window_start").as_primitive::<TimestampMillisecondType>();
    let (regions, tiers) = (column("region").as_string::<i32>(), column("plan_tier").as_string::<i32>());
    let revenue = column("revenue").as_primitive::<Decimal128Type>();
    let counts = column("event_count").as_primitive::<Int64Type>();
    (0..batch.num_rows()).map(move |row| {
        let region = regions.is_valid(row).then(|| regions.value(row));
        let tier = tiers.is_valid(row).then(|| tiers.value(row));
        (starts.value(row), region, tier, revenue.value(row), counts.value(row) as u64)
    })
}

fn ledgers(batch: &RecordBatch) -> impl Iterator<Item = (u32, Counts)> + '_ {
    let number = |name: &str, row: usize| {
        let column = batch.column_by_name(name).expect("a report has the documented columns");
        column.as_primitive::<Int64Type>().value(row) as u64
    };
    let partitions = batch
        .column_by_name("partition")
        .expect("a report has a partition")
        .as_primitive::<arrow::datatypes::Int32Type>();
    let kinds = batch.column_by_name("kind").expect("a report has a kind column").as_string::<i32>();
    (0..batch.num_rows()).filter(|row| kinds.value(*row) == "batch").map(move |row| {
        let counts = Counts {
            consumed: number("consumed", row),
            counted: number("counted", row),
            duplicate: number("duplicate", row),
            late: number("late", row),
            filtered: number("filtered", row),
            invalid: number("invalid", row),
            undecodable: number("undecodable", row),
            ignored: number("ignored", row),
        };
        (partitions.value(row) as u32, counts)
    })
}

/// The verdicts of all reports of a store together.
pub fn ledger(data: &Path) -> Result<Counts> {
    let mut all = Counts::default();
    for batch in rows(&data.join("dq"))?.iter().filter(|batch| batch.column_by_name("consumed").is_some()) {
        for (_, counts) in ledgers(batch) {
            all.consumed += counts.consumed;
            all.counted += counts.counted;
            all.duplicate += counts.duplicate;
            all.late += counts.late;
            all.filtered += counts.filtered;
            all.invalid += counts.invalid;
            all.undecodable += counts.undecodable;
            all.ignored += counts.ignored;
        }
    }
    Ok(all)
}

fn violations(batch: &RecordBatch) -> impl Iterator<Item = (&str, u64)> {
    let rules = batch.column_by_name("rule").expect("a report has a rule column").as_string::<i32>();
    let counts = batch.column_by_name("violations").expect("a report has violations").as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .filter(|row| rules.is_valid(*row))
        .map(move |row| (rules.value(row), counts.value(row) as u64))
}

//! Producers that move to a new version of the schema, and back, while the pipeline runs; and one that may not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cli::generate::second_version;
use plan::Plan;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tests::embedded::Embedded;
use tests::python;
use worker::{Config, Worker};

use crate::job::{Job, Place, plain, until};

/// The log grows in parts of this many events: of version 1, 2, 1 and 2 of the schema.
const PART: u32 = 10_000;
const VERSIONS: [u32; 4] = [1, 2, 1, 2];

/// Registers a schema; status and what the registry said.
fn register(job: &Place, schema: &Value) -> Result<(u16, String)> {
    let answer = Client::new()
        .post(format!("{}/subjects/sales.events.v1-value/versions", job.schemas))
        .header("Content-Type", "application/vnd.schemaregistry.v1+json")
        .body(json!({"schema": schema.to_string()}).to_string())
        .send()?;
    Ok((answer.status().as_u16(), answer.text()?))
}

fn produce(job: &Place, part: usize, version: u32) -> Result<()> {
    let part = part as u32;
    let file = job.path("second.avsc");
    std::fs::write(&file, second_version())?;
    let [count, first, end] =
        [PART * VERSIONS.len() as u32, part * PART, (part + 1) * PART].map(|number| number.to_string());
    let file = file.to_string_lossy();
    let mut arguments = vec!["--count", &count, "--first", &first, "--end", &end];
    if version == 2 {
        arguments.extend(["--schema", &file]);
    }
    job.python("produce.py", &arguments).map(drop)
}

#[test]
#[ignore = "needs servers: make test"]
fn producers_move_to_a_new_schema_and_back_while_the_pipeline_runs() -> Result<()> {
    let job = Job::start()?;
    evolve(&job, "/fields/12")
}

#[test]
#[ignore = "needs Python packages: make test"]
fn producers_move_to_a_new_schema_and_back_with_the_embedded_servers() -> Result<()> {
    let servers = Embedded::start()?;
    evolve(&Place::new(&servers.broker.bootstrap_servers(), &servers.registry.url())?, "path '/seller'")
}

/// Versions 1, 2, 1 and 2 of the schema at full speed, and a third one that the registry refuses because of what stands at `path`.
fn evolve(job: &Place, path: &str) -> Result<()> {
    let live = job.path("live");
    let plan = Arc::new(job.plan(&live)?);
    let config = Config { cut_interval: Duration::from_millis(100), ..Config::new(plan.clone(), "live-0") };
    let worker = Worker::start(config)?;
    for (part, version) in VERSIONS.into_iter().enumerate() {
        produce(job, part, version)?;
    }
    let total = u64::from(PART) * VERSIONS.len() as u64;
    let report = until("all is read", || {
        ensure!(!worker.is_ended(), "the worker has ended");
        let report = worker.report();
        let read: u64 = report.partitions.iter().map(|partition| partition.ledger.consumed).sum();
        Ok((read == total).then_some(report))
    })?;
    ensure!(report.troubles.is_empty(), "{:?}", report.troubles);
    worker.request_stop();
    worker.join()?;

    // A third version that old records cannot be read by is refused, with its place.
    let mut third: Value = serde_json::from_str(&second_version())?;
    third["fields"].as_array_mut().context("fields")?.push(json!({"name": "seller", "type": "string"}));
    let (status, said) = register(job, &third)?;
    eprintln!("the registry refuses with {status}: {said}");
    ensure!(status == 409 && said.contains(path), "{status}: {said}");

    // Gold of all versions together equals the recount.
    let (store, reports) = job.run(&plain("recounted"))?;
    ensure!(reports.iter().all(|report| report.troubles.is_empty()), "{reports:#?}");
    let recount = job.python("recount.py", &[])?;
    let counts = &recount["total"]["counts"];
    ensure!(counts["consumed"] == total, "{counts}");
    let file = job.path("recount.json");
    std::fs::write(&file, recount.to_string())?;
    let (file, store) = (file.to_string_lossy(), store.to_string_lossy());
    python::run("compare.py", &["--recount", &file, "--store", &store])?;

    // The new field in a rule and a measure is one edit of the manifest.
    let mut manifest = serde_json::to_value(job.manifest(&job.path("raised"))?)?;
    manifest["spec"]["source"]["schema"]["avro"] = second_version().into();
    let rules = manifest["spec"]["quality"]["rules"].as_array_mut().context("rules")?;
    rules.push(json!({"name": "channel", "required": ["channel"], "onViolation": "Report"}));
    let measures = manifest["spec"]["measures"].as_array_mut().context("measures")?;
    measures.push(json!({"name": "with_channel", "expression": "count(channel)"}));
    let raised = Plan::compile(&serde_json::from_value(manifest)?)?;
    let reports = tests::pipeline::run_bounded(&raised, &plain("raised"), crate::job::PATIENCE)?;
    let counted: u64 = reports.iter().flat_map(|report| &report.partitions).map(|of| of.ledger.counted).sum();
    ensure!(
        counts["counted"] == counted,
        "{counted} are counted with the new reader schema, {counts} with the old one"
    );
    let rule = reports
        .iter()
        .find_map(|report| report.quality.as_ref())
        .and_then(|quality| quality.rules.iter().find(|rule| rule.name == "channel").map(|rule| rule.standing.clone()));
    let rule = rule.context("the rule on the new field is judged")?;
    ensure!(rule.evaluated > 0 && rule.violations == rule.evaluated, "no producer sets the field: {rule:?}");
    Ok(())
}

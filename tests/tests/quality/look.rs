//! `sluice status` and `sluice explain`: what is seen of a pipeline from its commits and topics alone, and from its workers.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser as _;
use cli::explain::ExplainArgs;
use cli::status::StatusArgs;
use serde_json::{Value, json};
use tests::server::free_ports;
use worker::{Config, Worker};

use crate::world::{MINUTE, START, World, consumed, published, stop, until};

#[derive(clap::Parser)]
struct Status {
    #[command(flatten)]
    args: StatusArgs,
}

#[derive(clap::Parser)]
struct Explain {
    #[command(flatten)]
    args: ExplainArgs,
}

fn status(manifest: &Path, arguments: &[&str]) -> Result<String> {
    let file = manifest.to_string_lossy();
    let mut out = Vec::new();
    cli::status::run(&Status::parse_from([&["status", &file], arguments].concat()).args, &mut out)?;
    Ok(String::from_utf8(out)?)
}

/// What is said of the window that holds minute `minute`.
fn explain(manifest: &Path, minute: i64, arguments: &[&str]) -> Result<String> {
    let (file, time) = (manifest.to_string_lossy(), cli::generate::iso(START + minute * MINUTE));
    let mut out = Vec::new();
    let command = Explain::parse_from([&["explain", "window", &file, &time], arguments].concat());
    cli::explain::run(&command.args, &mut out)?;
    Ok(String::from_utf8(out)?)
}

#[test]
fn a_window_says_what_it_waits_for_with_and_without_its_workers() -> Result<()> {
    let world = World::start()?;
    let (data, manifest) = (world.path("data"), world.path("pipeline.json"));
    let changes = [("/spec/quality/rules/2/threshold", json!({"warning": 1000, "critical": 20000}))];
    let plan = Arc::new(world.plan(&data, &changes)?);
    std::fs::write(&manifest, serde_json::to_string(&world.manifest(&data, &changes)?)?)?;
    let before = explain(&manifest, 1, &[])?;
    assert!(before.contains("is not published: 3 of 3 partitions have not sealed it"), "{before}");
    assert!(status(&manifest, &[])?.contains("no record has been judged yet"), "{before}");

    world.feed(0, 30, |shape| shape.invalid = 0.2)?;
    let [port] = free_ports()?;
    let http = (Ipv4Addr::LOCALHOST, port).into();
    let cut_interval = Duration::from_millis(50);
    let worker = Worker::start(Config { http: Some(http), cut_interval, ..Config::new(plan.clone(), "worker-0") })?;
    until(&worker, "everything that is closed is published", |report| {
        let committed = |of: &schemas::report::PartitionReport| of.committed == of.position;
        let critical =
            report.quality.as_ref().is_some_and(|quality| quality.message.contains("rule 'region' is Critical"));
        (consumed(report) == 30_000 && published(report) >= 3 && critical && report.partitions.iter().all(committed))
            .then_some(())
    })?;
    let worker_at = ["--worker", &http.to_string()];
    let told = status(&manifest, &worker_at)?;
    eprintln!("{told}");
    let words = ["DataQualityHealthy", "RuleViolated", "rule 'region' is Critical", "worker-0", "30,000", "20,000"];
    let holds = |told: &str, words: &[&str]| {
        for word in words {
            assert!(told.contains(word), "'{word}' is missing: {told}");
        }
    };
    holds(&told, &words);
    let view: Value = serde_json::from_str(&status(&manifest, &[&worker_at[..], &["--json"]].concat())?)?;
    assert_eq!(
        (view["workers"].as_array().map(Vec::len), &view["partitions"][0]["owner"]),
        (Some(1), &json!("worker-0"))
    );
    let windows: Value = reqwest::blocking::get(format!("http://{http}/v1/windows"))?.json()?;
    assert_eq!(windows["partitions"].as_array().map(Vec::len), Some(3), "{windows}");
    assert!(windows["partitions"][0]["sealed"].is_i64() && windows["open"][0]["closedBy"].is_i64(), "{windows}");
    let told = explain(&manifest, 27, &worker_at)?;
    eprintln!("{told}");
    assert!(told.contains("an event of 2026-11-23T06:40:00Z or later (the end and the delay) closes it"), "{told}");
    stop(worker)?;

    // Nobody answers: the same from what is committed, and that nobody does.
    let told = explain(&manifest, 2, &worker_at)?;
    assert!(told.contains("is published") && told.contains("does not answer"), "{told}");
    let told = status(&manifest, &[])?;
    eprintln!("{told}");
    holds(&told, &words[..3]);

    // Records that are not read: those of this window would be late, those of later ones would not.
    world.feed(25, 26, |_| {})?;
    world.feed(30, 31, |_| {})?;
    let told = explain(&manifest, 27, &[])?;
    eprintln!("{told}");
    assert!(told.contains("if it closed now, 1,000 records that are in the log already would be late"), "{told}");
    let found: Value = serde_json::from_str(&explain(&manifest, 27, &["--json"])?)?;
    let sum =
        |key: &str| -> Option<i64> { found["unsealed"].as_array()?.iter().map(|of| of["unread"][key].as_i64()).sum() };
    assert_eq!((sum("records"), sum("late"), &found["sealed"]), (Some(2000), Some(1000), &json!(0)));
    Ok(())
}

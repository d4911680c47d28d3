//! `sluice verify`: the same bytes once more from the log, and every way in which the store can differ from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use cli::verify::{Outcome, Verified, VerifyArgs, verify};
use plan::Plan;
use schemas::epochs::Epochs;
use serde_json::json;
use tests::pipeline::files;
use worker::{Config, bounded};

use crate::world::{PATIENCE, World, consumed, published, start, stop, until};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    verify: VerifyArgs,
}

/// What the command prints, and whether it says that all is equal.
fn told(manifest: &Path, arguments: &[&str]) -> Result<(String, bool)> {
    let file = manifest.to_string_lossy();
    let command = Command::parse_from([&["verify", &file], arguments].concat());
    let mut out = Vec::new();
    let code = cli::verify::run(&command.verify, &mut out)?;
    Ok((String::from_utf8(out)?, format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS)))
}

fn check(plan: &Arc<Plan>) -> Result<Verified> {
    Ok(verify(plan, &Epochs::default(), None, None)?)
}

fn gold(data: &Path) -> Result<Vec<PathBuf>> {
    Ok(files(&data.join("gold"))?.into_keys().map(|name| data.join("gold").join(name)).collect())
}

/// Runs to the end of the log and closes the last windows by decree.
fn drain(plan: &Arc<Plan>) -> Result<()> {
    let config = Config { ends: Some(bounded::ends(plan)?), ..Config::new(plan.clone(), "worker-0") };
    let started = std::time::Instant::now();
    bounded::run(vec![config], |_| started.elapsed() < PATIENCE)?;
    Ok(())
}

#[test]
fn windows_are_recomputed_to_the_byte_and_every_difference_is_named() -> Result<()> {
    let world = World::start()?;
    let data = world.path("data");
    // Several outputs, and a decree in the middle of the log: the first part is drained before the second one comes, and some
    // of the second is late only because of that.
    let changes = [("/spec/partials", json!({"partitions": 2})), ("/spec/deadLetter/maxShare", json!(1_000_000))];
    let plan = Arc::new(world.plan(&data, &changes)?);
    let troubled =
        |shape: &mut cli::generate::Shape| (shape.duplicates, shape.late, shape.poison) = (0.02, 0.01, 0.002);
    let before = check(&plan)?;
    assert_eq!((before.windows.len(), before.is_equal()), (0, false), "nothing published is nothing verified");
    world.feed(0, 20, troubled)?;
    drain(&plan)?;
    world.feed(15, 60, troubled)?;
    let worker = start(&plan)?;
    let report = until(&worker, "all is read", |report| {
        let read = report.partitions.iter().all(|partition| partition.end == Some(partition.position));
        (report.partitions.len() == 3 && read && consumed(report) >= 45_000 && published(report) >= 10)
            .then(|| report.clone())
    })?;
    let late: u64 = report.partitions.iter().map(|partition| partition.ledger.late).sum();
    assert!(late > 2000, "the decree makes records late: {late}");
    stop(worker)?;

    // What runs still is open, not missing.
    let found = check(&plan)?;
    assert!(found.is_equal(), "{found:#?}");
    assert_eq!(found.windows.len(), gold(&data)?.len());
    drain(&plan)?;
    let found = check(&plan)?;
    assert!(found.is_equal(), "{found:#?}");
    assert_eq!((found.windows.len(), found.records), (gold(&data)?.len(), 65_000));

    let manifest = world.path("pipeline.json");
    fs::write(&manifest, serde_json::to_string(&world.manifest(&data, &changes)?)?)?;
    let (text, equal) = told(&manifest, &[])?;
    eprintln!("{text}");
    assert!(equal && text.contains("of 'revenue-5m' against 65,000 records"), "{text}");

    // One byte of one file, another file removed, a third one under the name of another digest, and one of no window.
    let paths = gold(&data)?;
    let mut bytes = fs::read(&paths[3])?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&paths[3], &bytes)?;
    fs::remove_file(&paths[5])?;
    let name = paths[7].file_name().context("a name")?.to_string_lossy().into_owned();
    let (window, _) = name.rsplit_once('-').context("a digest")?;
    fs::rename(&paths[7], paths[7].with_file_name(format!("{window}-{}.parquet", "0".repeat(32))))?;
    fs::copy(&paths[9], paths[9].with_file_name(format!("w=20200101T000000Z-q0-{}.parquet", "0".repeat(32))))?;
    let tampered = check(&plan)?;
    let outcome = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (start, output) = worker::publish::table::parse_gold_name(&name).expect("a gold file");
        let of = |window: &&cli::verify::Finding| window.window == cli::generate::iso(start) && window.output == output;
        tampered.windows.iter().find(of).map(|found| (found.outcome, found.detail.clone()))
    };
    let (damaged, detail) = outcome(&paths[3]).context("it is found")?;
    assert_eq!(damaged, Outcome::Different, "{detail}");
    let (gone, detail) = outcome(&paths[5]).context("it is missed")?;
    assert_eq!(gone, Outcome::Missing, "{detail}");
    let (renamed, detail) = outcome(&paths[7]).context("it is found")?;
    assert!(renamed == Outcome::Different && detail.contains("is not the name of its content"), "{detail}");
    let (foreign, detail) = (tampered.windows[0].outcome, &tampered.windows[0].detail);
    assert!(foreign == Outcome::Different && detail.contains("the log gives no such window"), "{detail}");
    assert_eq!(tampered.count(Outcome::Equal), paths.len() - 3);
    let (text, equal) = told(&manifest, &[])?;
    eprintln!("{text}");
    assert!(!equal && text.contains("missing") && text.contains("different"), "{text}");
    let (json, equal) = told(&manifest, &["--json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    assert!(!equal && json["windows"].as_array().is_some_and(|windows| windows.len() == paths.len() + 1), "{json}");
    Ok(())
}

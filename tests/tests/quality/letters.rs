//! From a broken producer to mended windows: seen, listed, shown, tried, sent back, counted once.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use cli::dlq::{DlqArgs, REPLAYED_FROM};
use cli::quality::try_since;
use cli::stretch;
use schemas::report::WorkerReport;
use serde_json::{Value, json};

use crate::world::{START, World, consumed, published, start, stop, until};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    dlq: DlqArgs,
}

/// What `sluice dlq …` prints for the manifest in `file`.
fn dlq(verb: &str, file: &Path, rest: &[&str]) -> Result<String> {
    let file = file.to_string_lossy();
    let words = ["dlq", verb, &file].into_iter().chain(rest.iter().copied());
    let mut out = Vec::new();
    cli::dlq::run(&Cli::try_parse_from(words)?.dlq, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn ledger(report: &WorkerReport) -> schemas::report::Ledger {
    let mut sum = schemas::report::Ledger::default();
    report.partitions.iter().for_each(|partition| sum.add(&partition.ledger));
    sum
}

#[test]
fn what_a_broken_producer_sent_is_mended_and_counted_once() -> Result<()> {
    let world = World::start()?;
    let data = world.path("data");
    world.feed(0, 4, |_| {})?;
    world.feed(4, 6, |shape| shape.invalid = 0.2)?;
    let plan = world.plan(&data, &[])?;
    let worker = start(&plan)?;
    let read = |total: u64| move |report: &WorkerReport| (consumed(report) == total).then(|| ledger(report));
    let before = until(&worker, "all is judged", read(6000))?;
    stop(worker)?;
    assert!(before.invalid > 300 && before.counted + before.invalid == 6000, "{before:?}");

    // Listed, the largest group first.
    let broken = world.path("broken.yaml");
    std::fs::write(&broken, serde_json::to_string(&world.manifest(&data, &[])?)?)?;
    let listed: Vec<Value> = serde_json::from_str(&dlq("list", &broken, &["--json"])?)?;
    let letters: u64 = listed.iter().filter_map(|group| group["letters"].as_u64()).sum();
    assert_eq!((letters, listed.len()), (before.invalid, 5), "{listed:?}");
    let region = listed.iter().find(|group| group["rule"] == "region").context("the region is listed")?;
    let wrong = region["letters"].as_u64().context("a number")?;
    eprintln!("{}", dlq("list", &broken, &[])?);

    // Shown, decoded.
    let example = region["example"].as_str().context("an example")?;
    let shown = dlq("show", &broken, &[example])?;
    eprintln!("{shown}");
    assert!(shown.contains("rule       region") && shown.contains("\n  account_id: "), "{shown}");
    assert!(dlq("show", &broken, &["9-9"]).is_err());

    // The rule is mended; trying it changes nothing.
    let change: [(&str, Value); 1] = [("/spec/quality/rules/2/onViolation", json!("Report"))];
    let mended = world.path("mended.yaml");
    std::fs::write(&mended, serde_json::to_string(&world.manifest(&data, &change)?)?)?;
    let tried = dlq("replay", &broken, &["--rule", "region", "--dry-run"])?;
    assert!(tried.contains(&format!("{wrong} would be refused again as Invalid (region)")), "{tried}");
    let tried = dlq("replay", &mended, &["--rule", "region", "--dry-run"])?;
    assert!(tried.contains(&format!("{wrong} would count")), "{tried}");
    let findings = try_since(&std::sync::Arc::new(world.plan(&data, &change)?), START)?;
    assert_eq!((findings.ledger.consumed, findings.ledger.counted), (6000, before.counted + wrong));
    let found: BTreeMap<_, _> = findings.rules.iter().map(|rule| (rule.name.as_str(), rule.violations)).collect();
    assert_eq!(found["region"], wrong);
    assert!(
        findings
            .samples
            .iter()
            .any(|found| found.sample.name == "region" && found.sample.field.as_deref() == Some("region"))
    );

    // Sent back once, however often it is asked for, byte for byte.
    let sent = dlq("replay", &mended, &["--rule", "region", "--rate", "100000"])?;
    assert!(sent.contains(&format!("{wrong} records are back")), "{sent}");
    let again = dlq("replay", &mended, &["--rule", "region"])?;
    assert!(
        again.contains(&format!("{wrong} of them are back already")) && again.contains("0 records are back"),
        "{again}"
    );
    let plan = world.plan(&data, &change)?;
    let originals = cli::dlq::letters(&plan)?;
    let mut back = 0;
    stretch::read(&plan, &plan.source.topic, None, |record| {
        let Some(from) = record.header(REPLAYED_FROM) else { return };
        let original =
            originals.values().find(|letter| letter.id().as_bytes() == from).expect("it was a letter").clone();
        assert_eq!((&record.key, &record.value), (&original.record.key, &original.record.value));
        assert_eq!(record.headers.split_last().expect("one header at least").1, original.record.headers);
        assert_eq!(record.partition, original.partition);
        back += 1;
    })?;
    assert_eq!(back, wrong);

    // Their windows are open still, and take them in.
    let worker = start(&plan)?;
    let after = until(&worker, "what came back is judged", read(wrong))?;
    // A restart judges the records of open windows anew, so the originals count by the mended rule and what came back are
    // duplicates of them; where the window was not rebuilt they count themselves. Each is there once.
    assert_eq!((after.counted + after.duplicate, after.late, after.invalid), (wrong, 0, 0), "{after:?}");
    world.feed(40, 42, |_| {})?;
    until(&worker, "the windows are published", |report| (published(report) >= 2).then_some(()))?;
    stop(worker)?;
    let gold = tests::pipeline::rows(&data.join("gold"))?;
    let counted = gold.iter().flat_map(|batch| {
        let counts = batch.column_by_name("event_count").expect("a gold file has the manifest's columns");
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(counts).values().to_vec()
    });
    assert_eq!(counted.sum::<i64>() as u64, before.counted + wrong, "each is in its window once");

    // Those of closed windows say so before they are sent.
    let late = dlq("replay", &mended, &["--rule", "currency", "--dry-run"])?;
    assert!(late.contains("would be refused again as Invalid (currency)"), "{late}");
    let change: [(&str, Value); 1] = [("/spec/quality/rules/3/onViolation", json!("Report"))];
    std::fs::write(&mended, serde_json::to_string(&world.manifest(&data, &change)?)?)?;
    let late = dlq("replay", &mended, &["--rule", "currency", "--dry-run"])?;
    assert!(late.contains("would be refused again as Late, for example: the window ended at"), "{late}");
    Ok(())
}

//! The whole path in one process: generator, embedded broker and registry, workers, files. No server needed.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cli::dev::broker::{Broker, TimestampType};
use cli::dev::registry::Registry;
use cli::generate::{Options, Target, Truth, register, send};
use plan::Plan;
use tests::pipeline::{Way, differences, files, quickstart, run_bounded, set_sink};

const DEADLINE: Duration = Duration::from_mins(2);

struct World {
    _broker: Broker,
    _registry: Registry,
    _folder: tempfile::TempDir,
    plan: Plan,
    truth: Truth,
}

/// A topic full of events with everything that can be wrong with them.
fn world(count: u64, data: &Path) -> Result<World> {
    let folder = tempfile::tempdir()?;
    let broker = Broker::start(folder.path())?;
    let registry = Registry::start()?;
    let plan = quickstart(&broker.bootstrap_servers(), &registry.url(), data)?;
    broker.create_topic(&plan.source.topic, plan.source.partitions as i32, TimestampType::LogAppendTime)?;
    broker.create_topic(&plan.dead_letter_topic, 3, TimestampType::LogAppendTime)?;
    let ids = register(&registry.url(), &plan.source.topic, false)?;
    let mut options = Options::new(count, plan.source.partitions);
    options.shape.poison = 0.002;
    options.shape.late = 0.01;
    options.shape.invalid = 0.01;
    let truth = send(&options, ids, &Target::new(&broker.bootstrap_servers(), &plan.source.topic), |_| {})?;
    Ok(World { _broker: broker, _registry: registry, _folder: folder, plan, truth })
}

fn way(group: &str, workers: usize, lanes: usize, fetch_records: usize) -> Way {
    Way { group: group.to_owned(), workers, lanes, fetch_records }
}

#[test]
fn gold_and_ledger_equal_the_generators_truth() -> Result<()> {
    let data = tempfile::tempdir()?;
    let world = world(20_000, data.path())?;
    run_bounded(&world.plan, &way("once", 1, 2, 16_384), DEADLINE)?;
    let differences = differences(&world.truth, data.path())?;
    assert!(differences.is_empty(), "{differences:#?}");
    Ok(())
}

#[test]
fn fetch_sizes_and_workers_leave_no_trace_in_the_files() -> Result<()> {
    let first = tempfile::tempdir()?;
    let world = world(6_000, first.path())?;
    run_bounded(&world.plan, &way("first", 1, 1, 100_000), DEADLINE)?;
    let expected = files(first.path())?;
    assert!(expected.len() > 70, "{} files", expected.len());
    for way in [way("again", 1, 1, 100_000), way("single", 1, 3, 1), way("seven", 3, 1, 7), way("three", 3, 2, 1000)] {
        let data = tempfile::tempdir()?;
        let mut plan = world.plan.clone();
        set_sink(&mut plan, data.path());
        run_bounded(&plan, &way, DEADLINE)?;
        let found = files(data.path())?;
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{way:?}");
        let differing: Vec<_> = expected.iter().filter(|(name, bytes)| found[*name] != **bytes).collect();
        assert!(differing.is_empty(), "{way:?}: {:?}", differing.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
    Ok(())
}

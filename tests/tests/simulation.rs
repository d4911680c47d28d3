//! The simulation at a size for every day: scripts that failed once, some seeds, and a death at every step of one scenario.
//!
//! `make sim SEEDS=n` plays many more; `mutants.rs` breaks laws on purpose.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tests::sim::{Action, FEWEST_FAULTS, Mutant, Script, Verb, draw, play, shrink};

/// Seeds played here.
const SEEDS: u64 = 60;

fn scripts() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation");
    let mut found = fs::read_dir(&folder)
        .with_context(|| format!("list '{}'", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

#[test]
fn what_failed_once_holds() -> Result<()> {
    let scripts = scripts()?;
    ensure!(!scripts.is_empty(), "there are scripts");
    for path in scripts {
        let script = fs::read_to_string(&path)?.parse().with_context(|| format!("read '{}'", path.display()))?;
        let outcome = play(&script, None);
        ensure!(outcome.broken.is_empty(), "'{}': {:?}", path.display(), outcome.broken);
    }
    Ok(())
}

/// A kept script shows what it is kept for: without the care that it is about, it fails.
#[test]
fn a_kept_script_still_shows_its_case() -> Result<()> {
    let cases = [
        ("regained-before-learning", Mutant::CommitWhatWasLost, "L5"),
        ("report-after-the-fence", Mutant::IgnoreFence, "L3"),
    ];
    for (name, mutant, law) in cases {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/simulation/{name}.script"));
        let outcome = play(&fs::read_to_string(path)?.parse()?, Some(mutant));
        ensure!(outcome.broken.iter().any(|broken| broken.starts_with(law)), "{name}: {:?}", outcome.broken);
    }
    Ok(())
}

#[test]
fn seeds_hold() {
    for seed in 0..SEEDS {
        let script = draw(seed);
        let faults = script.actions.iter().filter(|action| action.verb.is_fault()).count();
        assert!(faults >= FEWEST_FAULTS, "seed {seed} has {faults} faults");
        let outcome = play(&script, None);
        if let Some(broken) = outcome.broken.first() {
            panic!("seed {seed}: {broken}\n\n{}", shrink(&script, None));
        }
    }
}

/// Two workers with a partition each. The second partition falls quiet, is marked idle, closed by decree, and gets more records, some of
/// which the decree made late. Whoever dies is started again.
const QUIET: &str = "seed 11\nkind 0\npartitions 2\nrecords 50\nworkers 2\ncut 500\n";
const QUIET_ROUNDS: usize = 9;

/// The scenario, with what goes wrong first.
fn quiet(first: Option<Action>) -> Result<Script> {
    let mut script: Script = QUIET.parse()?;
    script.actions.extend(first);
    let mut act = |verb, who, n, m| script.actions.push(Action { verb, who, n, m });
    act(Verb::Produce, 1, 6, 0);
    for round in 0..QUIET_ROUNDS {
        act(Verb::Produce, 0, 3, 0);
        if round == QUIET_ROUNDS - 2 {
            act(Verb::Produce, 1, 20, 0);
        }
        for slot in 0..2 {
            act(Verb::Start, slot, 0, 0);
            act(Verb::Turn, slot, 100, 0);
        }
        act(Verb::Tick, 0, 120, 0);
        act(Verb::Publish, 0, 100, 1);
    }
    Ok(script)
}

const PUBLISHED: &str = "recovery: a window was published while the log was open";
const DECREED: &str = "recovery: a record was late by a decree alone";

/// A quiet partition holds nothing up, and what a decree made late is a dead letter with that reason (the run's own check); so it is after a
/// death at every single effect of each worker, and in the middle of every flush.
#[test]
fn a_quiet_partition_survives_a_death_at_every_step() -> Result<()> {
    let expect = |first: Option<Action>| -> Result<bool> {
        let outcome = play(&quiet(first)?, None);
        ensure!(outcome.broken.is_empty(), "{first:?}: {:?}", outcome.broken);
        for what in [PUBLISHED, DECREED] {
            ensure!(outcome.tally.of(what) > 0, "{first:?}: never '{what}'");
        }
        Ok(outcome.tally.iter().any(|(what, _)| what.starts_with("fault: crash ")))
    };
    expect(None)?;
    let mut deaths = 0;
    for (who, verb, amid) in [
        (0, Verb::CrashBefore, 0..1),
        (1, Verb::CrashBefore, 0..1),
        (0, Verb::CrashAmid, 0..3),
        (1, Verb::CrashAmid, 0..3),
    ] {
        for m in amid {
            let mut n = 0;
            while expect(Some(Action { verb, who, n, m }))? {
                n += 1;
            }
            ensure!(n > 5, "worker {who} has only {n} effects to die at ({verb:?})");
            deaths += n;
        }
    }
    eprintln!("{deaths} deaths");
    Ok(())
}

//! The simulation at a size for every day: scripts that failed once, some seeds, and laws broken on purpose.
//!
//! `make sim SEEDS=n` plays many more.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tests::sim::{FEWEST_FAULTS, Mutant, draw, play, shrink};

/// Seeds played here.
const SEEDS: u64 = 60;
/// Seeds in which every broken law must show.
const MUTANT_SEEDS: u64 = 600;

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

/// The first seed that shows the broken law, and what it shows.
fn found(mutant: Mutant) -> Option<(u64, String)> {
    (0..MUTANT_SEEDS).find_map(|seed| Some((seed, play(&draw(seed), Some(mutant)).broken.into_iter().next()?)))
}

#[test]
fn a_law_that_is_broken_on_purpose_is_found() {
    for mutant in Mutant::ALL {
        let found = found(mutant);
        let (seed, broken) = found.unwrap_or_else(|| panic!("{mutant:?} goes unnoticed in {MUTANT_SEEDS} seeds"));
        eprintln!("{mutant:?}: seed {seed}: {}", broken.chars().take(160).collect::<String>());
    }
}

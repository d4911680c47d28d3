//! Laws broken on purpose, each of which the simulation must find. Needs the feature `mutants`, which no build of the product has:
//! `cargo test --workspace --features tests/mutants --test mutants`.
#![cfg(feature = "mutants")]

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use stream_core::mutants::{self, Mutant as Inside};
use tests::sim::{Mutant as Around, Script, draw, play};

/// Seeds in which a broken law must show.
const SEEDS: u64 = 600;

/// Where a law is broken.
#[derive(Clone, Copy)]
enum Breaks {
    /// Inside of the core.
    Inside(Inside),
    /// Between production code and the world.
    Around(Around),
}

/// What shows it.
#[derive(Clone, Copy)]
enum ShownBy {
    /// One of the first seeds.
    Seeds,
    /// A kept script, for it is rare, by this law.
    Script(&'static str, &'static str),
}

const MUTANTS: [(&str, Breaks, ShownBy); 13] = [
    ("commit before acknowledgement", Breaks::Around(Around::CommitBeforeAck), ShownBy::Seeds),
    ("forget the decree", Breaks::Around(Around::ForgetDecree), ShownBy::Seeds),
    ("skip remembering duplicates", Breaks::Inside(Inside::SkipDuplicates), ShownBy::Seeds),
    ("close on the edge of a fetch", Breaks::Inside(Inside::CloseAtFetchEnd), ShownBy::Seeds),
    ("replay from the commit instead of the anchor", Breaks::Around(Around::WrongAnchor), ShownBy::Seeds),
    ("accept a stale checkpoint", Breaks::Inside(Inside::StaleCheckpoint), ShownBy::Seeds),
    // It shows only when a decree falls into the middle of a log while a worker that has lost the partition goes on without it.
    ("ignore the fence", Breaks::Around(Around::IgnoreFence), ShownBy::Script("report-after-the-fence", "L3")),
    ("publish without all seals", Breaks::Around(Around::PublishWithoutSeals), ShownBy::Seeds),
    ("change the meaning a window too early", Breaks::Around(Around::ChangeTooEarly), ShownBy::Seeds),
    ("forget the meaning before", Breaks::Around(Around::ForgetMeaningBefore), ShownBy::Seeds),
    ("hide what a log has lost", Breaks::Around(Around::HideLoss), ShownBy::Seeds),
    (
        "commit what was reached before the partition was lost",
        Breaks::Around(Around::CommitWhatWasLost),
        ShownBy::Script("regained-before-learning", "L5"),
    ),
    (
        "commit an earlier anchor",
        Breaks::Inside(Inside::AnchorGoesBack),
        ShownBy::Script("anchor-before-the-decree", "L5"),
    ),
];

fn script(name: &str) -> Result<Script> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/simulation/{name}.script"));
    fs::read_to_string(&path).with_context(|| format!("read '{}'", path.display()))?.parse()
}

/// Which seed or script shows the broken law, and as what.
fn found(breaks: Breaks, shown_by: ShownBy) -> Result<Option<(String, String)>> {
    let (inside, around) = match breaks {
        Breaks::Inside(mutant) => (Some(mutant), None),
        Breaks::Around(mutant) => (None, Some(mutant)),
    };
    mutants::switch(inside);
    let found = match shown_by {
        ShownBy::Seeds => (0..SEEDS).find_map(|seed| {
            let broken = play(&draw(seed), around).broken.into_iter().next()?;
            Some((format!("seed {seed}"), broken))
        }),
        ShownBy::Script(name, law) => {
            let broken = play(&script(name)?, around).broken.into_iter().find(|broken| broken.starts_with(law));
            broken.map(|broken| (name.to_owned(), broken))
        }
    };
    mutants::switch(None);
    Ok(found)
}

/// One test, for the switch is the whole process's.
#[test]
fn every_law_that_is_broken_on_purpose_is_found() -> Result<()> {
    let unbroken = (0..20).find(|seed| !play(&draw(*seed), None).broken.is_empty());
    ensure!(unbroken.is_none(), "without a mutant seed {unbroken:?} fails");
    let mut unnoticed = Vec::new();
    for (what, breaks, shown_by) in MUTANTS {
        if let ShownBy::Script(name, _) = shown_by {
            let broken = play(&script(name)?, None).broken;
            ensure!(broken.is_empty(), "without a mutant '{name}' fails: {broken:?}");
        }
        match found(breaks, shown_by)? {
            Some((by, broken)) => eprintln!("{what}: {by}: {}", broken.chars().take(120).collect::<String>()),
            None => unnoticed.push(what),
        }
    }
    ensure!(unnoticed.is_empty(), "not found: {unnoticed:?}");
    Ok(())
}

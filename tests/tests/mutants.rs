//! Laws broken on purpose inside of the core, each of which the simulation must find. Needs the feature `mutants`, which no
//! build of the product has: `cargo test --workspace --features tests/mutants --test mutants`.
#![cfg(feature = "mutants")]

use stream_core::mutants::{self, Mutant};
use tests::sim::{draw, play};

/// Seeds in which every broken law must show.
const SEEDS: u64 = 600;

/// One test, for the switch is the whole process's.
#[test]
fn a_law_that_is_broken_in_the_core_is_found() {
    let unbroken = (0..20).find(|seed| !play(&draw(*seed), None).broken.is_empty());
    assert_eq!(unbroken, None, "without a mutant all is well");
    for mutant in [Mutant::SkipDuplicates, Mutant::CloseAtFetchEnd] {
        mutants::switch(Some(mutant));
        let found = (0..SEEDS).find_map(|seed| Some((seed, play(&draw(seed), None).broken.into_iter().next()?)));
        mutants::switch(None);
        let (seed, broken) = found.unwrap_or_else(|| panic!("{mutant:?} goes unnoticed in {SEEDS} seeds"));
        eprintln!("{mutant:?}: seed {seed}: {}", broken.chars().take(160).collect::<String>());
    }
}

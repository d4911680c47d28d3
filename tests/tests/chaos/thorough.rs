//! The one test, under the name by which `make test` knows what takes minutes.

use std::time::Instant;

use anyhow::{Context as _, Result};

use super::faults::Chaos;
use super::world::World;

/// A number from the environment, or what the short run has.
fn number(name: &str, short: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(short), |text| text.parse().with_context(|| format!("{name}={text}")))
}

#[test]
#[ignore = "needs servers and minutes: make chaos"]
fn no_fault_can_be_seen_in_the_files() -> Result<()> {
    let (events, faults) = (number("EVENTS", 300_000)?, number("FAULTS", 12)?);
    let seed = number("SEED", 20_261_126)?;
    eprintln!("chaos: {events} events, {faults} faults, seed {seed}");
    let begun = Instant::now();
    let mut world = World::start(events)?;
    let mut chaos = Chaos::new(&mut world, seed)?;
    chaos.run(faults)?;
    let figures = chaos.finish()?;
    eprintln!("{figures}");
    world.expect_undisturbed()?;
    eprintln!("chaos: {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

//! The simulation: the whole pipeline on one thread, played from a script in which everything goes wrong.
//!
//! Lanes, drain and publisher are the production code; the source topic, the consumer group, the partials topic, the store,
//! the volumes and the clock are simulated through the traits that the worker does its effects by. A seed gives a script; after every
//! run all laws hold, the published bytes are those of an undisturbed reading of the same log, and the rows are the naive
//! model's.

mod act;
mod disk;
mod domain;
mod draw;
mod expected;
mod log;
mod mutant;
mod oracle;
mod process;
mod read;
mod run;
mod sample;
mod script;
mod shrink;
mod tally;
mod undisturbed;
mod world;

pub use domain::Domain;
pub use draw::{FEWEST_FAULTS, draw};
pub use expected::EXPECTED;
pub use mutant::Mutant;
pub use run::{Outcome, play};
pub use sample::{sample_emissions, sample_lane, sample_rest};
pub use script::{Action, Script, Verb};
pub use shrink::shrink;
pub use tally::Tally;

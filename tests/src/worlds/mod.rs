//! The oracle's worlds, turned into what the core takes: rows, programs and fetches; and the core's answers, turned back.
//!
//! A world's expressions are already answered, so every rule, filter, group and measure argument is simply a column. One
//! thing is kept true: nothing is computed here that the core computes too, apart from the running maximum of the log
//! times, which is the source's work.

mod cut;
mod drive;
mod expect;
mod gold;
mod point;
mod program;
mod read;
mod rows;
mod strategy;
mod topic;

pub use cut::Cutting;
pub use drive::{Drive, Said, Step, undisturbed};
pub use expect::agrees;
pub use gold::{Gold, GoldArg, gold_of, nearest_even, read_gold};
pub use point::point_at;
pub use program::{Setting, program};
pub use read::read_partial;
pub use rows::Log;
pub use strategy::{Run, Several, arb_cutting, arb_rising_run, arb_run, arb_several};
pub use topic::{Sent, Topic, Turn, arb_turns, take_in, to_output};

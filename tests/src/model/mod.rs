//! The oracle: the contract of exactness written as formulas over a whole log, one record at a time, without Arrow.
//!
//! It owns the answers that the real core is compared with, and keeps one thing true: nothing here is shared with the
//! core, neither code nor shape. The core is a fold that forgets; the oracle never forgets. It looks at the complete
//! log and asks, for every record, what the words say: "the maximum event time of the judged-valid records before",
//! "already seen in a window that is still open". It is quadratic and does not mind.
//!
//! Expressions are outside: an [`Event`] carries the answers of its rules and of the filter, its group and its values.
//!
//! ```text
//! records, params, decrees ──► History ──► verdicts, seals, partials, batches, ledger   (run → PartitionOutcome)
//!                                 └──────► state and rebuild point at any position      (replay theorem)
//! outcomes of all partitions ──► publish ──► window → rows
//! ```
//!
//! A *position* is the next offset to read; a range is half-open. Times are milliseconds and must stay within ±2^61.

mod aggregate;
mod batches;
pub mod doubles;
mod history;
mod log;
mod outcome;
mod params;
mod publish;
mod replay;
mod verdict;
mod windows;
mod worlds;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;

pub use aggregate::{AggState, ArgState};
pub use batches::{Batch, Ledger, RuleCount};
pub use history::History;
pub use log::{Answer, Decree, Event, Group, Record};
pub use outcome::{PartitionOutcome, run, run_with_decrees};
pub use params::{Doubt, Params, Window};
pub use publish::{Row, publish};
pub use replay::{Anchor, OpenWindow, RebuildPoint, State};
pub use verdict::{Broken, Verdict};
pub use windows::{Groups, Seal};
pub use worlds::{
    GROUP_COLUMNS, VALUE_COLUMNS, World, arb_decrees, arb_drain, arb_log, arb_params, arb_rising_world, arb_world,
};

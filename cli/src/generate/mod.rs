//! Seeded sample events with their truth: what a correct pipeline must make of them.
//!
//! Keeps true: the stream and its truth follow from the options alone; the truth is made without any code of the worker.
//! [`Generator`] yields records in memory, [`send`] puts them into a topic, [`run`] is the verb.

mod accounts;
mod compare;
mod dice;
mod domain;
mod encode;
mod files;
mod flags;
mod intent;
mod lane;
mod murmur2;
mod options;
mod poison;
mod profile;
mod registry;
mod send;
mod stream;
mod topic;
mod truth;
mod verb;

#[cfg(test)]
mod tests;

pub use compare::{Difference, iso, money};
pub use domain::SALES_EVENT_AVSC;
pub use files::WriteTruthError;
pub(crate) use flags::{duration, instant};
pub use murmur2::{murmur2, partition_of};
pub use options::{Options, OptionsError, Shape, Windows};
pub use registry::{RegisterError, register, second_version};
pub use send::{SendError, Target, send};
pub use stream::{Event, Generator, SchemaIds};
pub use topic::{MakeTopicError, make_topic};
pub use truth::{Counts, GoldRow, Ledger, RULES, Truth};
pub use verb::{GenerateArgs, GenerateError, progress_bar, run};

//! The semantics of Sluice and nothing else.
//!
//! A [`Lane`] judges and folds the records of one source partition; a [`Collector`] completes windows from what the lanes
//! of all partitions gave out. Both are pure state machines: no clock, no randomness, no file, no network. Everything they
//! need is an argument, everything they want done is returned.

mod accumulate;
mod argument;
mod batch;
mod change;
mod collect;
mod doubts;
mod emission;
mod error;
mod evaluate;
mod exact;
mod fences;
mod fetch;
mod finish;
mod fold;
mod groups;
mod health;
mod ids;
mod judge;
mod lane;
mod latency;
mod loss;
mod merge;
mod message;
#[cfg(feature = "mutants")]
pub mod mutants;
mod open;
mod oversize;
mod program;
mod progress;
mod remainder;
mod sample;
mod sums;
mod times;
mod topology;
mod units;
mod volume;
mod window;

pub use batch::BatchState;
pub use change::{BeforeProgress, Change, DecreedBoth, Lanes, Said, Targets};
pub use collect::{Collector, CollectorProgress, Divergence, Published};
pub use doubts::{Doubt, Lost};
pub use emission::{
    BatchReport, Cause, ClosedWindow, Emission, Emissions, Halt, Partial, Reason, Refusal, Refused, RuleCounts, Sample,
    Seal, Valueless, Verdict, Verdicts, Why,
};
pub use error::Error;
pub use fences::Fences;
pub use fetch::{Fetch, Undecodable};
pub use health::{BatchName, Health, HealthRules, Limits, Standing, State, Tally, Worst};
pub use ids::IdSet;
pub use lane::{Decreed, Lane, LaneState, WindowChanges, WindowContent, WindowState};
pub use latency::Latency;
pub use loss::Loss;
pub use merge::Overflow;
pub use message::Message;
pub use oversize::MOST_VALUE;
pub use program::{
    BatchCut, Check, Computed, Consequence, Expression, Function, Group, Guard, Measure, Program, Rule, Subject, Volume,
};
pub use progress::{BatchKey, Decree, History, Point, Progress};
pub use times::{TimeBounds, TimeColumn, Written, likely_unit};
pub use topology::Topology;
pub use units::{Digest, EventTime, LogTime, Offset, Partition};
pub use window::{Window, Windows};

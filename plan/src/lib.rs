//! From the resource as written, and its Avro schema, to a [`Plan`] that can run, or to every [`Problem`] at once.
//!
//! The crate is pure: no files, no network, no clock. Operator, worker and command line all go through
//! [`Plan::compile`], so a manifest means the same everywhere.

mod address;
pub mod avro;
mod bind;
mod bounds;
mod compile;
mod connect;
mod groups;
mod hints;
mod literal;
mod login;
mod measures;
mod names;
mod outline;
mod pattern;
mod pod;
mod problem;
mod readable;
mod reports;
mod rules;
mod shape;
mod source;
mod sql;
mod store;
mod thresholds;
mod times;
mod timing;
mod types;

pub use login::Login;
pub use names::{nearest, quoted, suggest};
pub use outline::Outline;
pub use problem::{Path, Problem, Problems, Segment, codes};
pub use schemas::spec::{
    Compatibility, Isolation, LatePolicy, NullValues, OnCritical, OnDataLoss, OnViolation, Register,
};
pub use shape::{
    Aggregate, BatchPlan, ComputedPlan, GroupPlan, KafkaPlan, MeasurePlan, PartitionKey, Plan, ReportsPlan, RuleCheck,
    RulePlan, SinkPlan, SourcePlan, ThresholdPlan, ThresholdsPlan, TimePlan, TopicPlan, VolumePlan, WindowPlan,
    WorkersPlan,
};

#[cfg(test)]
mod tests;

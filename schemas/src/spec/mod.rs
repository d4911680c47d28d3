//! The resource `AnalyticsPipeline` (`sluice.dev/v1alpha1`) as a person writes it.
//!
//! These types own the *shape* of the manifest: names of fields, what may be left out and what then holds. They refuse
//! unknown fields, so that a typing error never becomes a silent default. They do not judge meaning (does this field
//! exist, is this expression boolean): that is the `plan` crate's, which reports every problem with its path.
//!
//! Defaults that do not depend on other fields are visible in the JSON schema; the few that do are `Option`s here, and
//! their doc comments say what holds when they are absent.

mod cel;
mod duration;
mod kafka;
mod output;
mod pipeline;
mod pod;
mod quality;
mod scalar;
mod source;
mod tuning;
mod workers;

pub use duration::{Duration, ParseDurationError};
pub use kafka::{Kafka, Management, Mechanism, Protocol, SchemaRegistry, SecretKeyRef, SecretRef, Security, Topic};
pub use output::{DeadLetter, Late, LatePolicy, Measure, OWN_PARTIALS_CONFIG, Partials, Sink, Window};
pub use pipeline::{API_VERSION, AnalyticsPipeline, AnalyticsPipelineSpec, DeletionPolicy, KIND, Metadata};
pub use pod::{LABEL_KEY, PodTemplate, TaintEffect, Toleration, TolerationOperator, TopologySpread, WhenUnsatisfiable};
pub use quality::{Batch, OnCritical, OnViolation, Quality, Reports, Rule, Samples, Threshold, Thresholds, Volume};
pub use scalar::Scalar;
pub use source::{
    Compatibility, ConfigMapKeyRef, EARLIEST_ALLOWED, Isolation, NullValues, OnDataLoss, Register, Source,
    SourceSchema, TimeUnit, Watermark,
};
pub use tuning::{PROPERTY_ALIASES, TUNABLE_PROPERTIES, Tunable, TunableValues};
pub use workers::{Quantities, Resources, Storage, Workers};

#[cfg(test)]
mod tests;

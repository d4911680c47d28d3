//! The resource as a whole: its identity, and `spec` with one field per concern.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DeadLetter, Duration, Kafka, Late, Measure, Partials, Quality, SchemaRegistry, Sink, Source, Window, Workers,
};

/// The only `apiVersion` that this version reads.
pub const API_VERSION: &str = "sluice.dev/v1alpha1";
/// The only `kind` that this version reads.
pub const KIND: &str = "AnalyticsPipeline";

/// One pipeline: a Kafka topic of Avro events into exact, audited, windowed aggregates in Parquet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnalyticsPipeline {
    /// `sluice.dev/v1alpha1`.
    pub api_version: String,
    /// `AnalyticsPipeline`.
    pub kind: String,
    /// Name, namespace, labels.
    pub metadata: Metadata,
    /// What the pipeline does.
    pub spec: AnalyticsPipelineSpec,
}

/// The part of Kubernetes' object metadata that a person writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the pipeline: lower case letters, digits and '-', at most 50. It names the consumer group, the partials
    /// topic and the folders in the store.
    pub name: String,
    /// Kubernetes namespace. Has no meaning outside a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Kubernetes labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Kubernetes annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What the pipeline reads, checks, computes and writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnalyticsPipelineSpec {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// How to reach the schema registry.
    pub schema_registry: SchemaRegistry,
    /// The topic to read, its schema, and which fields carry identity and time.
    pub source: Source,
    /// SQL condition over the schema's fields. Records for which it is not true are counted as filtered and go no
    /// further. Absent: every valid record counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Data-quality rules and how records are cut into the batches that are reported on.
    #[serde(default)]
    pub quality: Quality,
    /// The event-time windows.
    pub window: Window,
    /// Fields of the schema to group by, in the order of the output's columns. Empty: one row per window.
    #[serde(default)]
    pub group_by: Vec<String>,
    /// The aggregates, in the order of the output's columns. At least one.
    pub measures: Vec<Measure>,
    /// Where the tables are written.
    pub sink: Sink,
    /// What happens to records that arrive after their window closed.
    #[serde(default)]
    pub late: Late,
    /// Where refused records go. Absent: topic `<pipeline>.dlq.v1`, one partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// The internal topic that carries partial aggregates from ingest to publish.
    #[serde(default)]
    pub partials: Partials,
    /// The processes that do the work.
    #[serde(default)]
    pub workers: Workers,
    /// Revision of the pipeline's meaning. Raise it when an edit changes what open windows mean: window, groupBy,
    /// measures, filter, eventId, eventTime, watermark delay, or a rule that dead-letters.
    #[serde(default = "first_revision")]
    #[schemars(range(min = 1))]
    pub revision: i64,
    /// Stop reading, keep everything.
    #[serde(default)]
    pub suspend: bool,
    /// When every partition has been idle for this long, close the open windows. Absent: they wait for newer events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_when_idle_for: Option<Duration>,
}

fn first_revision() -> i64 {
    1
}

//! The resource as a whole: its identity, and `spec` with one field per concern.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{frozen, millis, rule, rule_at, same_optional, timed, when};
use super::quality::refusing_rules;
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
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".spec.source.topic.name",
        "!(self.spec.source.topic.name in [self.metadata.name + '.partials.v1', \
         has(self.spec.deadLetter) ? self.spec.deadLetter.topic.name : self.metadata.name + '.dlq.v1'])",
        "the topic has another use in this pipeline: allowed is another topic"),
    rule_at(".spec.deadLetter.topic.name",
        when(&["self.spec.deadLetter"], "self.spec.deadLetter.topic.name != self.metadata.name + '.partials.v1'"),
        "the topic has another use in this pipeline: allowed is another topic"),
]))]
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
    /// Name of the pipeline: lower case letters, digits and '-', starting with a letter, at most 50. It names the consumer
    /// group, the partials topic, the workers and the folders in the store.
    #[schemars(length(min = 1, max = 50))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "allowed are lower case letters, digits and '-', starting with a letter, at most 50"),
    ]))]
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
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".workers.replicas", "self.workers.replicas <= self.source.topic.partitions",
        "allowed are at most the partitions of the source topic: a replica without a partition has nothing to do"),
    rule_at(".closeWhenIdleFor",
        when(&["self.closeWhenIdleFor"],
            &timed(&["self.closeWhenIdleFor", "self.source.watermark.idleAfter"],
                &format!("{} >= {}", millis("self.closeWhenIdleFor"), millis("self.source.watermark.idleAfter")))),
        "allowed is at least 'source.watermark.idleAfter'"),
    rule_at(".source.ingestTime", "has(self.source.ingestTime) || !self.quality.rules.exists(rule, has(rule.maxLatency))",
        "'maxLatency' rules need the field that they compare with"),
    rule_at(".groupBy", "self.groupBy.all(field, !(field.lowerAscii() in ['window_start', 'window_end']))",
        "every output has columns 'window_start' and 'window_end': allowed are other fields"),
    rule_at(".groupBy", "self.groupBy.all(field, self.groupBy.exists_one(other, other.lowerAscii() == field.lowerAscii()))",
        "allowed is each field once; upper and lower case are not told apart"),
    rule_at(".measures",
        "self.measures.all(measure, self.measures.exists_one(other, other.name.lowerAscii() == measure.name.lowerAscii()))",
        "allowed is one measure per name; upper and lower case are not told apart"),
    rule_at(".measures",
        "!self.measures.exists(measure, self.groupBy.exists(field, field.lowerAscii() == measure.name.lowerAscii()))",
        "allowed are measures with other names than the fields of 'groupBy'"),
    rule_at(".sink.partitionBy",
        "!('date' in self.sink.partitionBy) || (!self.measures.exists(measure, measure.name.lowerAscii() == 'date') \
         && !self.groupBy.exists(field, field.lowerAscii() == 'date'))",
        "a folder 'date' needs the name for itself: allowed are 'partitionBy: []', or measures and fields of 'groupBy' with other names"),
    frozen(".revision", "self.revision >= oldSelf.revision", "the revision may rise, never fall"),
    needs_revision("window", &timed(&["self.window.size", "self.window.offset"],
        &same(&[&millis("self.window.size"), &millis("self.window.offset")]))),
    needs_revision("groupBy", &same(&["self.groupBy"])),
    needs_revision("measures", &same(&["self.measures", "self.measures.map(measure, measure.name)"])),
    needs_revision("filter", &same_optional("self.filter")),
    needs_revision("source.eventId", &same(&["self.source.eventId"])),
    needs_revision("source.eventTime", &same(&["self.source.eventTime"])),
    needs_revision("source.eventTimeUnit", &same_optional("self.source.eventTimeUnit")),
    needs_revision("source.earliestEventTime", &same(&["self.source.earliestEventTime"])),
    needs_revision("source.isolation", &same(&["self.source.isolation"])),
    needs_revision("source.watermark.delay", &timed(&["self.source.watermark.delay"],
        &same(&[&millis("self.source.watermark.delay")]))),
    needs_revision("source.watermark.maxFutureSkew", &same_optional("self.source.watermark.maxFutureSkew")),
    needs_revision("quality.rules", &same(&[&refusing_rules("self.quality.rules")])),
    needs_revision("source.ingestTime", &format!(
        "!{LATENCY_REFUSES} || {}", same_optional("self.source.ingestTime"))),
    needs_revision("source.ingestTimeUnit", &format!(
        "!{LATENCY_REFUSES} || {}", same_optional("self.source.ingestTimeUnit"))),
]))]
pub struct AnalyticsPipelineSpec {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// How to reach the schema registry.
    pub schema_registry: SchemaRegistry,
    /// The topic to read, its schema, and which fields carry identity and time.
    pub source: Source,
    /// SQL condition over the schema's fields. Records for which it is not true are counted as filtered and go no
    /// further. Absent: every valid record counts.
    #[schemars(length(min = 1, max = 16_384))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Data-quality rules and how records are cut into the batches that are reported on.
    #[serde(default)]
    pub quality: Quality,
    /// The event-time windows.
    pub window: Window,
    /// Fields of the schema to group by, in the order of the output's columns. Empty: one row per window.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "atomic"))]
    pub group_by: Vec<String>,
    /// The aggregates, in the order of the output's columns. At least one.
    #[schemars(length(min = 1, max = 64))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
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
    /// measures, filter, eventId, eventTime with its unit and bound, watermark delay or maxFutureSkew, isolation, or a rule that dead-letters.
    #[serde(default = "first_revision")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub revision: i64,
    /// Stop reading, keep everything.
    #[serde(default)]
    pub suspend: bool,
    /// When every partition has been idle for this long, close the open windows. Absent: they wait for newer events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_when_idle_for: Option<Duration>,
    /// What becomes of the topics, the subject and the volumes when the pipeline is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What becomes of what a pipeline made when it is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Topics, subject and volumes stay.
    #[default]
    Retain,
    /// Topics that Sluice created, the subject and the volumes are deleted, and the data with them.
    Delete,
}

/// CEL: there is a rule that refuses what is too late by its ingest time.
const LATENCY_REFUSES: &str =
    "self.quality.rules.exists(rule, has(rule.maxLatency) && rule.onViolation == 'DeadLetter')";

fn first_revision() -> i64 {
    1
}

/// A rule that a field may change its value only together with the revision.
fn needs_revision(field: &str, same: &str) -> serde_json::Value {
    frozen(
        &format!(".{field}"),
        format!("self.revision > oldSelf.revision || {same}"),
        "the edit changes what open windows mean: allowed with a higher 'revision'",
    )
}

/// CEL: all of these are what they were.
fn same(values: &[&str]) -> String {
    let same: Vec<String> =
        values.iter().map(|value| format!("{value} == {}", value.replace("self.", "oldSelf."))).collect();
    same.join(" && ")
}

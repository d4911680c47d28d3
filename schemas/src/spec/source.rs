//! What is read: the topic, the reader schema, and the fields that carry identity and time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{frozen, millis, rule, rule_at, timed, when};
use super::kafka::{KEY_NAME, OBJECT_NAME};
use super::{Duration, Topic};

/// The topic to read and how to understand its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    frozen(".topic.name", "self.topic.name == oldSelf.topic.name",
        "the source topic cannot be changed: allowed is a new pipeline"),
]))]
pub struct Source {
    /// The topic to read.
    pub topic: Topic,
    /// The reader schema: every record is resolved to it, whatever schema wrote it.
    pub schema: SourceSchema,
    /// Field whose value identifies an event; a second record with the same value in an open window of its partition is
    /// a duplicate. A string, bytes, fixed, uuid, int or long.
    #[schemars(length(min = 1, max = 255))]
    pub event_id: String,
    /// Field that says when the event happened: a timestamp, or a long of milliseconds since 1970 UTC.
    #[schemars(length(min = 1, max = 255))]
    pub event_time: String,
    /// Field that says when the event was received; needed by `maxLatency` rules. Same types as `eventTime`.
    #[schemars(length(min = 1, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_time: Option<String>,
    /// How long to wait for events that are out of order.
    #[serde(default)]
    pub watermark: Watermark,
    /// What to do when records that are still needed have been deleted from the topic.
    #[serde(default)]
    pub on_data_loss: OnDataLoss,
    /// Whether records of open transactions are read.
    #[serde(default)]
    pub isolation: Isolation,
    /// What becomes of records without a value (tombstones, the deletions of a compacted topic).
    #[serde(default)]
    pub null_values: NullValues,
}

/// The reader schema and its subject in the registry. Exactly one of `avro` and `configMapKeyRef`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.avro) != has(self.configMapKeyRef)", "allowed is exactly one of 'avro' and 'configMapKeyRef'"),
    frozen(".subject", "self.subject == oldSelf.subject", "the subject cannot be changed: allowed is a new pipeline"),
]))]
pub struct SourceSchema {
    /// Subject in the registry.
    #[schemars(length(min = 1, max = 255))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.trim() != ''", "allowed is a subject of the registry, for example '<topic>-value'"),
    ]))]
    pub subject: String,
    /// Compatibility level that is set on the subject.
    #[serde(default)]
    pub compatibility: Compatibility,
    /// The Avro schema as JSON: a record.
    #[schemars(length(min = 1, max = 262_144))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avro: Option<String>,
    /// Key of a `ConfigMap` that holds the Avro schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}

/// One key of a `ConfigMap` in the pipeline's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapKeyRef {
    /// Name of the `ConfigMap`.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
    /// Key within it.
    #[schemars(length(min = 1, max = 253), regex(pattern = KEY_NAME))]
    pub key: String,
}

/// Compatibility level of a subject, as the registry defines it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Compatibility {
    /// No check.
    None,
    /// New readers read the last schema's data.
    #[default]
    Backward,
    /// New readers read all earlier schemas' data.
    BackwardTransitive,
    /// The last readers read new data.
    Forward,
    /// All earlier readers read new data.
    ForwardTransitive,
    /// Backward and forward.
    Full,
    /// Backward and forward, against all earlier schemas.
    FullTransitive,
}

/// When a window closes, and what counts as a clock gone wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".delay", timed(&["self.delay"], &format!("{} > 0", millis("self.delay"))), "allowed is more than 0"),
    rule_at(".idleAfter", timed(&["self.idleAfter"], &format!("{} > 0", millis("self.idleAfter"))), "allowed is more than 0"),
    rule_at(".maxFutureSkew",
        when(&["self.maxFutureSkew"], &timed(&["self.maxFutureSkew", "self.delay"],
            &format!("{} <= {}", millis("self.maxFutureSkew"), millis("self.delay")))),
        "allowed is at most the delay, or one wrong clock makes everybody late"),
]))]
pub struct Watermark {
    /// A partition's watermark stays this far behind the newest event time seen on it.
    #[serde(default = "ten_minutes")]
    pub delay: Duration,
    /// A partition without new records for this long no longer holds windows open.
    #[serde(default = "one_minute")]
    pub idle_after: Duration,
    /// An event time further than this ahead of the record's log time makes the record invalid. At most the delay.
    /// Absent: half of the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_future_skew: Option<Duration>,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { delay: ten_minutes(), idle_after: one_minute(), max_future_skew: None }
    }
}

fn ten_minutes() -> Duration {
    "10m".parse().expect("a literal duration")
}

pub(super) fn one_minute() -> Duration {
    "1m".parse().expect("a literal duration")
}

/// What to do when records that are still needed have been deleted from the topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDataLoss {
    /// Stop the partition and say so.
    #[default]
    Stop,
    /// Go on with what is left and mark the windows as incomplete.
    Continue,
}

/// What becomes of records without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NullValues {
    /// They cannot be decoded, and go to the dead letters.
    #[default]
    DeadLetter,
    /// They are counted as ignored, and nothing else.
    Ignore,
}

/// Transaction isolation of the reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Isolation {
    /// Only records of committed transactions.
    #[default]
    ReadCommitted,
    /// All records.
    ReadUncommitted,
}

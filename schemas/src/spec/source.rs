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
    /// Field that says when the event happened: a timestamp (millis, micros or nanos, rounded down to the millisecond), an int or
    /// long that counts since 1970 UTC in `eventTimeUnit`, or a string in ISO 8601 with a zone, for example
    /// `2026-11-23T10:15:00Z`.
    #[schemars(length(min = 1, max = 255))]
    pub event_time: String,
    /// Unit of an `eventTime` that is a plain int or long. Absent: milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_unit: Option<TimeUnit>,
    /// An event time before this makes the record invalid: a date, or a UTC time such as `2026-11-23T10:15:00Z`. So does one
    /// whose window does not end within the year 9999.
    #[serde(default = "year_1980")]
    #[schemars(length(min = 10, max = 30), extend("x-kubernetes-validations" = [
        rule(format!("self.matches('{EARLIEST}')"), EARLIEST_ALLOWED),
    ]))]
    pub earliest_event_time: String,
    /// Field that says when the event was received; needed by `maxLatency` rules. Same types as `eventTime`.
    #[schemars(length(min = 1, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_time: Option<String>,
    /// Unit of an `ingestTime` that is a plain int or long. Absent: milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest_time_unit: Option<TimeUnit>,
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

/// A date or a UTC time, from the year 1600 on: earlier dates mean other days to some readers of Parquet.
const EARLIEST: &str = "^(1[6-9]|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                        (T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,3})?Z)?$";
/// What is allowed, in words.
pub const EARLIEST_ALLOWED: &str = "allowed is a date from 1600-01-01 on, or a UTC time such as '2026-11-23T10:15:00Z'";

fn year_1980() -> String {
    "1980-01-01".to_owned()
}

/// What a plain number counts since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
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
    /// Compatibility level that is set on the subject with the registration, and kept there while the subject holds the schema.
    #[serde(default)]
    pub compatibility: Compatibility,
    /// Whether Sluice registers the schema. Producers with `use.latest.version` write by the subject's latest version, so a
    /// reader schema must not become that by itself.
    #[serde(default)]
    pub register: Register,
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

/// When the reader schema is registered in the subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Register {
    /// Where the subject has no version. Where it has some, the reader schema must be able to read the latest, and the subject is
    /// left as it is.
    #[default]
    IfEmpty,
    /// Always, as a new version where the subject does not hold it.
    Always,
    /// Never.
    Never,
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

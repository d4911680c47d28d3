//! The shape of a compiled pipeline: plain data that was validated once, and needs no checking again.

use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef, TimeUnit};
use datafusion_physical_expr::PhysicalExpr;
use schemas::spec::{
    Compatibility, Isolation, LatePolicy, NullValues, OnCritical, OnDataLoss, OnViolation, Register, Resources,
};
use serde::{Deserialize, Serialize};

use crate::login::Login;

/// A pipeline that can run: every name resolved, every expression typed, every number in one unit.
///
/// # Units
/// Fields ending in `_ms` are milliseconds; times are milliseconds since 1970 UTC. Sizes, intervals and the delay are
/// positive, so they can be divided by.
///
/// # Shapes
/// All expressions take a `RecordBatch` of [`Plan::arrow_schema`] (columns by index, so names and metadata of the batch
/// do not matter) and give one value per row, or a scalar that holds for all rows: use `value.evaluate(batch)?.into_array(rows)`.
///
/// * [`Plan::filter`] is a nullable Boolean: the record goes on only where it is true.
/// * [`RuleCheck::Rows`] is a nullable Boolean: true passes, false is a violation, null passes and counts as skipped.
/// * [`GroupPlan::expr`] gives [`GroupPlan::data_type`]; null is a group of its own.
/// * [`MeasurePlan::argument`] gives [`MeasurePlan::argument_type`]; nulls do not take part.
///
/// Expressions are deterministic: the same record gives the same value on any machine at any time. Those of users give
/// null, not an error, where a division by zero or an impossible cast would be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the pipeline.
    pub name: String,
    /// The consumer group, which also names the publish group: the pipeline's name, unless progress is to be kept apart.
    pub group: String,
    /// Revision of the pipeline's meaning, from 1.
    pub revision: i64,
    /// Stop reading, keep everything.
    pub suspend: bool,
    /// How to reach Kafka.
    pub kafka: KafkaPlan,
    /// Base address of the schema registry, without a trailing slash.
    pub registry_url: String,
    /// Who asks the registry. Never in a manifest: where the worker runs, it is given to the plan from files.
    pub registry_login: Option<Login>,
    /// The topic to read.
    pub source: SourcePlan,
    /// Name of the dead-letter topic.
    pub dead_letter_topic: String,
    /// Dead letters per million records of a batch above which a partition pauses.
    pub dead_letter_max_share: u32,
    /// Name of the partials topic.
    pub partials_topic: String,
    /// Partitions of the partials topic.
    pub partials_partitions: u32,
    /// The topics that the pipeline needs: source, dead letter, partials, in this order.
    pub topics: Vec<TopicPlan>,
    /// Avro JSON of the schema to register: the user's, as written.
    pub full_schema: String,
    /// Avro JSON of the schema to decode to: the user's, cut down to the fields that anything uses.
    pub reader_schema: String,
    /// What arrow-avro makes of `reader_schema` (default settings: UTC as "+00:00", no string views).
    pub arrow_schema: SchemaRef,
    /// Column of the event id: Utf8, Binary, `FixedSizeBinary`, Int32 or Int64; never null in a valid record.
    pub event_id: usize,
    /// Column of the event time and how it is written. May be null.
    pub event_time: (usize, TimePlan),
    /// The same of the ingest time.
    pub ingest_time: Option<(usize, TimePlan)>,
    /// The first event time that counts.
    pub earliest_ms: i64,
    /// How far the watermark stays behind the newest event time.
    pub delay_ms: i64,
    /// After how long without records a partition is idle.
    pub idle_after_ms: i64,
    /// How far ahead of log time an event time may be; at most the delay.
    pub max_future_skew_ms: i64,
    /// After how long of idleness everywhere the open windows are closed.
    pub close_when_idle_for_ms: Option<i64>,
    /// The windows.
    pub window: WindowPlan,
    /// Condition for a record to take part.
    pub filter: Option<ComputedPlan>,
    /// The rules, in the order of the manifest.
    pub rules: Vec<RulePlan>,
    /// The grouping columns, in the order of the manifest.
    pub groups: Vec<GroupPlan>,
    /// The aggregates, in the order of the manifest. Never empty.
    pub measures: Vec<MeasurePlan>,
    /// How records are cut into batches.
    pub batch: BatchPlan,
    /// How long reports are kept.
    pub reports: ReportsPlan,
    /// When the data is in doubt.
    pub thresholds: ThresholdsPlan,
    /// What happens to late records.
    pub late: LatePolicy,
    /// Where tables go.
    pub sink: SinkPlan,
    /// The worker processes.
    pub workers: WorkersPlan,
}

/// A bound expression, with what tells why it gives null.
#[derive(Debug, Clone)]
pub struct ComputedPlan {
    /// The value; null also where it cannot be computed.
    pub value: Arc<dyn PhysicalExpr>,
    /// Boolean, to be asked over rows whose value is null: true where it is null because it cannot be computed, not because
    /// something that it reads is null. Absent where it can always be computed.
    pub no_value: Option<Arc<dyn PhysicalExpr>>,
    /// Columns of the Arrow schema that it reads, ascending.
    pub columns: Vec<usize>,
    /// Those of them that are Float32 or Float64.
    pub floats: Vec<usize>,
}

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaPlan {
    /// Brokers to start from, `host:port`, separated by commas.
    pub bootstrap: String,
    /// Further librdkafka properties, in order: security first, then the user's. Never one that Sluice sets itself.
    pub properties: Vec<(String, String)>,
}

/// The topic to read and its subject in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlan {
    /// Name of the topic.
    pub topic: String,
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Subject of the value schema.
    pub subject: String,
    /// Compatibility level of the subject.
    pub compatibility: Compatibility,
    /// When the schema is registered.
    pub register: Register,
    /// Transaction isolation of the reader.
    pub isolation: Isolation,
    /// What to do when needed records are gone from the topic.
    pub on_data_loss: OnDataLoss,
    /// What becomes of records without a value.
    pub null_values: NullValues,
}

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Name of the topic.
    pub name: String,
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Copies of each partition; absent: the broker's default.
    pub replication_factor: Option<u16>,
    /// Topic settings by their Kafka names, sorted; log-append time unless the user says otherwise.
    pub config: Vec<(String, String)>,
    /// Whether Sluice creates and grows it.
    pub managed: bool,
}

/// Tumbling windows `[start, start + size)`; starts are `offset` plus multiples of `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowPlan {
    /// Length, positive; divides a day, or is whole days.
    pub size_ms: i64,
    /// `0 <= offset < size`.
    pub offset_ms: i64,
}

/// How a time is written in a record. All are read as milliseconds, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePlan {
    /// A plain Int32 or Int64 that counts this unit since 1970 UTC.
    Plain(TimeUnit),
    /// A timestamp of this unit with a zone.
    Timestamp(TimeUnit),
    /// Utf8: ISO 8601 with a zone.
    Text,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct RulePlan {
    /// Unique name.
    pub name: String,
    /// What happens to a record that breaks it.
    pub on_violation: OnViolation,
    /// The one field that the rule is about, if it is about one.
    pub field: Option<String>,
    /// Columns of the Arrow schema that the rule reads, ascending: what to show in a sample.
    pub columns: Vec<usize>,
    /// Whether a sample shows only those of them that are null: a `required` rule.
    pub nulls_alone: bool,
    /// What is expected, for people, for example `one of 'us', 'eu'`.
    pub expected: String,
    /// What is checked.
    pub check: RuleCheck,
    /// 32 hex digits: hash of the rule's canonical text (kind, field, literals; neither name nor `onViolation`).
    pub fingerprint: String,
    /// From which share of violations on it is in doubt.
    pub threshold: ThresholdPlan,
}

/// What a rule looks at.
#[derive(Debug, Clone)]
pub enum RuleCheck {
    /// Each record by itself. Nullable Boolean: true passes, false is a violation, null passes and counts as skipped.
    Rows(ComputedPlan),
    /// Ingest time minus event time: at most so many milliseconds. Skipped where one of them is no time.
    Latency(i64),
    /// The event ids: a duplicate is a violation. Only ever reported.
    Unique,
    /// The records of a batch. Only ever reported; counted in batches.
    Volume(VolumePlan),
}

/// How many records a batch may have, in percent of the median of the batches before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumePlan {
    /// Fewer are a violation; at most 100.
    pub min_percent: Option<u32>,
    /// More are a violation; at least 100.
    pub max_percent: Option<u32>,
    /// Of how many batches the median is taken; positive.
    pub batches: u32,
}

impl RuleCheck {
    /// The expression over a record, if the rule is one.
    pub fn rows(&self) -> Option<&ComputedPlan> {
        match self {
            Self::Rows(check) => Some(check),
            Self::Latency(_) | Self::Unique | Self::Volume(_) => None,
        }
    }
}

/// One grouping column.
#[derive(Debug, Clone)]
pub struct GroupPlan {
    /// Name of the output column; the field's name.
    pub name: String,
    /// Column of the Arrow schema that it comes from.
    pub column: usize,
    /// Its value per record.
    pub expr: ComputedPlan,
    /// Utf8, Boolean, Int32, Int64, Date32, Timestamp, Decimal128, Binary or `FixedSizeBinary`.
    pub data_type: DataType,
}

/// The aggregates that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// `count(*)`: records.
    CountAll,
    /// `count(x)`: records with a value.
    Count,
    /// `sum(x)`.
    Sum,
    /// `min(x)`.
    Min,
    /// `max(x)`.
    Max,
    /// `avg(x)`, kept as sum and count.
    Avg,
}

/// One aggregate column.
#[derive(Debug, Clone)]
pub struct MeasurePlan {
    /// Name of the output column.
    pub name: String,
    /// The aggregate.
    pub function: Aggregate,
    /// Its argument; absent only for `CountAll`.
    pub argument: Option<ComputedPlan>,
    /// Only records for which this nullable Boolean is true take part: `filter (where …)`.
    pub predicate: Option<ComputedPlan>,
    /// Type of the argument. `Sum`, `Avg`: Int64, Decimal128 or Float64, nothing else. `Min`, `Max`: Boolean, Int32, Int64,
    /// Float32, Float64, Decimal128, Date32, Timestamp or Utf8. `Count`: any.
    pub argument_type: Option<DataType>,
    /// Type of the output column. Counts and sums of Int64: Int64; averages of Int64: Decimal128(38, 4). Sums of Decimal128(p, s):
    /// Decimal128(38, s); averages of them: Decimal128(38, s + 4). Sums and averages of Float64: Float64, or Decimal128(38, scale) where
    /// the manifest gives a scale. `Min`, `Max`: the argument's type.
    pub output_type: DataType,
}

/// How records are cut into batches, and which examples of violations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// Log time per batch, positive.
    pub interval_ms: i64,
    /// Offsets per batch, positive and within i64.
    pub max_records: u64,
    /// Examples per rule and batch.
    pub samples_per_rule: u32,
    /// Columns of the Arrow schema whose values are never shown, ascending.
    pub redacted: Vec<usize>,
}

/// How long the reports of batches are kept, and in how many files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportsPlan {
    /// How much later than a day's end every partition must have reported before the day becomes one file.
    pub roll_up_after_ms: i64,
    /// How long after its end a day is removed; at least the former. Absent: never.
    pub keep_ms: Option<i64>,
}

/// When the data is in doubt, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThresholdsPlan {
    /// Log time that is looked at, positive.
    pub span_ms: i64,
    /// With fewer records evaluated nothing is judged; positive.
    pub min_records: u64,
    /// For refused records.
    pub overall: ThresholdPlan,
    /// What follows while anything is critical.
    pub on_critical: OnCritical,
    /// Batches whose last log time is earlier do not count.
    pub ignore_before_ms: Option<i64>,
}

/// Violations per million, from which on (exclusive) something is in doubt; the first is not above the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThresholdPlan {
    /// A warning; absent: never.
    pub warning: Option<u32>,
    /// Critical; absent: never.
    pub critical: Option<u32>,
}

/// Where tables go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkPlan {
    /// Root of the store: the absolute path of a folder, without a trailing slash.
    pub folder: String,
    /// Folders below the pipeline's table, outermost first.
    pub partition_by: Vec<PartitionKey>,
}

/// How the pipeline's table is cut into folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionKey {
    /// `date=2026-11-23`: the UTC day of the window's start.
    Date,
}

/// The worker processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkersPlan {
    /// How many; at most the source's partitions. 0 pauses the pipeline.
    pub replicas: u32,
    /// Ingest threads per worker; absent: one per CPU.
    pub lanes: Option<u32>,
    /// Size of each volume, as a Kubernetes quantity.
    pub storage_size: String,
    /// Storage class; absent: the cluster's default.
    pub storage_class: Option<String>,
    /// Requests and limits.
    pub resources: Resources,
}

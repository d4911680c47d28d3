//! Data quality: the rules, and how records are cut into the batches that are reported on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{millis, rule, rule_at, timed, when};
use super::source::one_minute;
use super::{Duration, Scalar};

/// Data-quality rules and their reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quality {
    /// How records are cut into batches; each batch gets one report.
    #[serde(default)]
    pub batch: Batch,
    /// The rules, in the order in which they are judged: a record that breaks several dead-letter rules is refused by the
    /// first.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub rules: Vec<Rule>,
    /// Examples of violations kept in the store.
    #[serde(default)]
    pub samples: Samples,
    /// How long the reports of batches are kept, and in how many files.
    #[serde(default)]
    pub reports: Reports,
    /// From which share of bad records on the data is in doubt, and what follows.
    #[serde(default)]
    pub thresholds: Thresholds,
}

/// How records are cut into batches: a new batch starts where either quotient changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".interval", timed(&["self.interval"], &format!("{} > 0", millis("self.interval"))), "allowed is more than 0"),
]))]
pub struct Batch {
    /// Log time per batch.
    #[serde(default = "one_minute")]
    pub interval: Duration,
    /// Offsets per batch.
    #[serde(default = "million")]
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    pub max_records: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self { interval: one_minute(), max_records: million() }
    }
}

fn million() -> u64 {
    1_000_000
}

/// Examples of violations kept in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Samples {
    /// At most this many examples per rule and batch; 0 keeps none.
    #[serde(default = "ten")]
    #[schemars(range(max = 1000))]
    pub per_rule: u32,
    /// Fields whose values are never shown: samples say `(redacted)` instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 255)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub redact: Vec<String>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { per_rule: ten(), redact: Vec::new() }
    }
}

fn ten() -> u32 {
    10
}

/// How long the reports and samples of batches are kept in the store, and in how many files. Days are UTC, by the log time of a
/// batch's first record; their age is measured against the newest report, not the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".keep",
        when(&["self.keep"], &timed(&["self.keep", "self.rollUpAfter"],
            &format!("{} >= {}", millis("self.keep"), millis("self.rollUpAfter")))),
        "allowed is at least 'rollUpAfter'"),
]))]
pub struct Reports {
    /// The files of a day become one when every partition is this much later than the day's end, by the batches that it has reported
    /// or, where it is silent, by the windows that it has sealed.
    #[serde(default = "one_day")]
    pub roll_up_after: Duration,
    /// Days that ended this long ago are removed. At least `rollUpAfter`. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Duration>,
}

impl Default for Reports {
    fn default() -> Self {
        Self { roll_up_after: one_day(), keep: None }
    }
}

fn one_day() -> Duration {
    "1d".parse().expect("a literal duration")
}

/// When the data as a whole is in doubt. Shares are judged over the records of the last `span` of log time; they follow the
/// log, not the clock: while no records come, a state stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// How far back from the newest batch records are looked at. At least `batch.interval`.
    #[serde(default = "quarter_hour")]
    pub span: Duration,
    /// With fewer records in the span nothing is judged, and the state is Ok.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    pub min_records: u64,
    /// More refused records (undecodable or invalid) per million than this are a warning. Absent: 10000 (1 %), or `critical`
    /// if that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub warning: Option<u32>,
    /// More refused records per million than this are critical. Absent: 100000 (10 %), or `warning` if that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub critical: Option<u32>,
    /// What follows while the whole, or any rule, is critical.
    #[serde(default)]
    pub on_critical: OnCritical,
    /// Batches that ended before this log time do not count, for example `2026-11-23T10:15:00Z`: a person's word that
    /// what was bad until then has been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), extend("format" = "date-time"))]
    pub ignore_before: Option<String>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            span: quarter_hour(),
            min_records: thousand(),
            warning: None,
            critical: None,
            on_critical: OnCritical::default(),
            ignore_before: None,
        }
    }
}

fn quarter_hour() -> Duration {
    "15m".parse().expect("a literal duration")
}

fn thousand() -> u64 {
    1000
}

/// What follows while the data is critical.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnCritical {
    /// It is reported; everything goes on.
    #[default]
    Report,
    /// Windows are closed but not published until the state is better.
    HoldOutput,
    /// Nothing is published, and reading stops as well, until a person acts: mends the rule, raises the threshold or sets
    /// `ignoreBefore`.
    Suspend,
}

/// From which share of violations on one rule is in doubt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threshold {
    /// More violations per million evaluated records than this are a warning. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub warning: Option<u32>,
    /// More violations per million evaluated records than this are critical. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub critical: Option<u32>,
}

/// CEL: the rule has a bound.
const BOUNDED: &str = "has(self.min) || has(self.max) || has(self.exclusiveMin) || has(self.exclusiveMax)";
/// CEL: the rule is about one field.
const FIELDED: &str = "has(self.oneOf) || has(self.matches) || has(self.min) || has(self.max) || has(self.exclusiveMin) || \
                       has(self.exclusiveMax)";

/// CEL: what the rules that dead-letter refuse, in their order. Nothing else about them changes what windows hold.
pub(super) fn refusing_rules(rules: &str) -> String {
    let kinds = [
        "field",
        "required",
        "oneOf",
        "min",
        "max",
        "exclusiveMin",
        "exclusiveMax",
        "matches",
        "maxLatency",
        "expression",
        "unique",
        "volume",
    ];
    let kinds = kinds.map(|kind| format!("has(rule.{kind}) ? dyn(rule.{kind}) : dyn('')"));
    format!("{rules}.filter(rule, rule.onViolation == 'DeadLetter').map(rule, [{}])", kinds.join(", "))
}

/// One check of every record, or of every batch. Exactly one kind: `required`, `oneOf`, bounds, `matches`, `maxLatency`,
/// `expression`, `unique` or `volume`.
///
/// A rule whose outcome is unknown because a field is null passes and counts as skipped; only `required` refuses nulls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule(format!("[has(self.required), has(self.oneOf), {BOUNDED}, has(self.matches), has(self.maxLatency), \
                  has(self.expression), has(self.unique), has(self.volume)].filter(kind, kind).size() == 1"),
        "allowed is exactly one of 'required', 'oneOf', bounds ('min', 'max', 'exclusiveMin', 'exclusiveMax'), 'matches', \
         'maxLatency', 'expression', 'unique' and 'volume'"),
    rule_at(".onViolation", "!has(self.unique) || self.onViolation == 'Report'", "a 'unique' rule can only be reported"),
    rule_at(".onViolation", "!has(self.volume) || self.onViolation == 'Report'", "a 'volume' rule can only be reported"),
    rule_at(".field", format!("has(self.field) || !({FIELDED})"), "'oneOf', bounds and 'matches' need a 'field'"),
    rule_at(".field", format!("!has(self.field) || {FIELDED}"), "'field' is allowed with 'oneOf', bounds and 'matches' only"),
]))]
pub struct Rule {
    /// Name, unique in the pipeline: lower case letters, digits and '-', at most 63; not starting with `event-time-` or
    /// `event-id-`.
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "allowed are lower case letters, digits and '-', at most 63"),
        rule("!self.startsWith('event-time-') && !self.startsWith('event-id-')",
            "allowed are names that do not start with 'event-time-' or 'event-id-'"),
    ]))]
    pub name: String,
    /// The field that `oneOf`, the bounds and `matches` are about.
    #[schemars(length(min = 1, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// These fields must not be null.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "atomic"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// The field's value must be one of these.
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-list-type" = "atomic"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Scalar>>,
    /// The field's value must be this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// The field's value must be this or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
    /// The field's value must be more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive_min: Option<Scalar>,
    /// The field's value must be less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive_max: Option<Scalar>,
    /// The field's text must contain a match of this regular expression (write `^…$` for the whole text).
    #[schemars(length(max = 4096))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// The ingest time must be at most this long after the event time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Duration>,
    /// SQL condition over the schema's fields that must not be false.
    #[schemars(length(min = 1, max = 4096))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The source's `eventId`: every duplicate breaks the rule, so that its threshold is about the share of duplicates. Needs
    /// `onViolation: Report`; duplicates are never counted anyway.
    #[schemars(length(min = 1, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<String>,
    /// The records of each batch must not be far from the median of the batches before it on its partition. Counted in batches:
    /// only those are judged that hold a whole `batch.interval`. Needs `onViolation: Report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// What happens to a record that breaks the rule.
    #[serde(default)]
    pub on_violation: OnViolation,
    /// From which share of violations on the rule is in doubt, over `thresholds.span`. Absent: it never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
}

/// How many records a batch may have, in percent of the median of the batches before it. At least one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.minPercent) || has(self.maxPercent)", "allowed is 'minPercent', 'maxPercent', or both"),
]))]
pub struct Volume {
    /// Fewer records are a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub min_percent: Option<u32>,
    /// More records are a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_000_000))]
    pub max_percent: Option<u32>,
    /// Of how many batches the median is taken; before there are as many, batches are not judged.
    #[serde(default = "dozen")]
    #[schemars(range(min = 1, max = 60))]
    pub batches: u32,
}

fn dozen() -> u32 {
    12
}

/// What happens to a record that breaks a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnViolation {
    /// It goes to the dead-letter topic and is not counted.
    #[default]
    DeadLetter,
    /// It is counted; the violation is reported.
    Report,
    /// The partition stops before the record, for a person to decide.
    Stop,
}

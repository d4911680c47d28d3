//! What is computed and where it goes: windows, measures, sink, dead letters, the partials topic.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{frozen, list, millis, rule, rule_at, timed};
use super::kafka::one_partition;
use super::{Duration, Topic};

/// Tumbling event-time windows `[start, start + size)`, aligned to 1970 UTC plus the offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".size", timed(&["self.size"],
        &format!("({0} > 0 && (86400000 % {0} == 0 || {0} % 86400000 == 0))", millis("self.size"))),
        "allowed are divisors of a day, for example '5m', and whole days"),
    rule_at(".offset", timed(&["self.offset", "self.size"],
        &format!("{} < {}", millis("self.offset"), millis("self.size"))), "allowed is less than the size"),
]))]
pub struct Window {
    /// Length: divides a day, or is whole days.
    pub size: Duration,
    /// Shift of the alignment, less than the size.
    #[serde(default = "zero")]
    pub offset: Duration,
}

fn zero() -> Duration {
    "0s".parse().expect("a literal duration")
}

/// One aggregate column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measure {
    /// Column name: letters, digits and '_', not starting with a digit, at most 63. Upper and lower case are not told apart.
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",
            "allowed are letters, digits and '_', not starting with a digit, at most 63"),
        rule("!(self.lowerAscii() in ['window_start', 'window_end'])",
            "every output has columns 'window_start' and 'window_end': allowed are other names"),
    ]))]
    pub name: String,
    /// One aggregate of SQL: `count(*)`, `count(x)`, `sum(x)`, `min(x)`, `max(x)`, `avg(x)`, where `x` is an expression
    /// over the schema's fields; with an optional `filter (where …)`.
    #[schemars(length(min = 1, max = 4096))]
    pub expression: String,
    /// Makes the `sum` or `avg` of floats or doubles a `decimal(38, scale)` column: the exact result, rounded once, half to even, to this
    /// many digits after the point. Absent: the column is a double, the one nearest to the exact result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 18))]
    pub scale: Option<u8>,
}

/// Where the tables are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sink {
    /// Root of the store: `file:///path`, a folder of the machine or the pod. Nothing in it is decoded or resolved.
    #[schemars(length(min = 1, max = 1024))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('^file:///[^%?#]*[^%?#/]/*$') && !self.matches('/[.][.]?(/|$)')",
            "allowed is 'file:///path', a folder"),
    ]))]
    pub path: String,
    /// Folders below the pipeline's table. `date` is the UTC day of the window's start.
    #[serde(default = "by_date")]
    #[schemars(length(max = 1), inner(length(max = 16)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic", "x-kubernetes-validations" = [
        rule("self.all(key, key == 'date')", "allowed is 'date', or none"),
    ]))]
    pub partition_by: Vec<String>,
}

fn by_date() -> Vec<String> {
    vec!["date".to_owned()]
}

/// What happens to records that arrive after their window closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Late {
    /// Kept as dead letters, or only counted.
    #[serde(default)]
    pub policy: LatePolicy,
}

/// What happens to late records. They are counted in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LatePolicy {
    /// To the dead-letter topic.
    #[default]
    DeadLetter,
    /// Counted only.
    Drop,
}

/// Where refused records go, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeadLetter {
    /// The dead-letter topic.
    pub topic: Topic,
    /// A partition pauses when more dead letters per million records than this came out of one batch, rather than drain the
    /// topic into the dead letters. Judged from `quality.thresholds.minRecords` records on. 1000000: never.
    #[serde(default = "half")]
    #[schemars(range(max = 1_000_000))]
    pub max_share: u32,
}

impl DeadLetter {
    /// The share that holds when nothing is said: half.
    pub const MAX_SHARE: u32 = 500_000;
}

fn half() -> u32 {
    DeadLetter::MAX_SHARE
}

/// The internal topic `<pipeline>.partials.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    frozen(".partitions", "self.partitions == oldSelf.partitions",
        "the partitions of the partials topic cannot be changed: allowed is a new pipeline"),
]))]
pub struct Partials {
    /// Number of partitions: how many publish lanes there can be. Cannot be changed later.
    #[serde(default = "one_partition")]
    #[schemars(range(min = 1, max = 1_000))]
    pub partitions: u32,
    /// Copies of each partition. Absent: the broker's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32_767))]
    pub replication_factor: Option<u16>,
    /// Topic settings by their Kafka names, for example `max.message.bytes`. `cleanup.policy` and `message.timestamp.type` are
    /// Sluice's; `retention.ms` is at least what windows need.
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[schemars(extend("x-kubernetes-validations" = [rule(
        format!("self.all(key, !(key in {}))", list(OWN_PARTIALS_CONFIG.iter().copied())),
        "allowed are topic settings that Sluice does not set itself",
    )]))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

/// Settings of the partials topic that Sluice sets itself: it is read in the order of arrival, and everything in it counts.
pub const OWN_PARTIALS_CONFIG: &[&str] = &["cleanup.policy", "message.timestamp.type"];

impl Default for Partials {
    fn default() -> Self {
        Self { partitions: one_partition(), replication_factor: None, config: BTreeMap::new() }
    }
}

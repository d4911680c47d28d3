//! What the operator says about a pipeline: the resource's `status`.
//!
//! Everything may be absent, and unknown fields and words are taken in without complaint: a status may have been written
//! by a newer operator. Times are written to the second, so a status that says the same is the same text.

mod condition;
mod reason;
mod time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::epochs::Epochs;

pub use condition::{Condition, ConditionStatus, ConditionType};
pub use reason::{EventReason, Reason};
pub use time::Time;

/// What the operator found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalyticsPipelineStatus {
    /// The generation of the resource that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub observed_generation: Option<i64>,
    /// How the pipeline is, one entry per type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The revision of the pipeline's meaning that the workers run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub revision: Option<i64>,
    /// Worker pods that exist; the scale subresource shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub replicas: Option<i32>,
    /// Worker pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub ready_replicas: Option<i32>,
    /// Ready and wanted workers for people, for example `2/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub workers: Option<String>,
    /// Label selector of the worker pods; the scale subresource shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// How far the pipeline has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// How the records stand to the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_quality: Option<DataQuality>,
    /// Topologies and the meaning before the ones in force, as far as unpublished windows may still feel them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<Epochs>,
    /// Topics that the operator created. Only these are deleted with the pipeline, and only with `deletionPolicy: Delete`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 249)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub created_topics: Vec<String>,
}

/// How far the pipeline has come. Written at most every 30 seconds, and only when a rounded value moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Records of the source topic that no worker has committed yet, all partitions together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub lag: Option<i64>,
    /// The lowest watermark of all partitions: windows that end by then are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Time>,
    /// The partition that has the lowest watermark.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub slowest_partition: Option<i32>,
    /// The latest window whose rows are in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_published_window: Option<PublishedWindow>,
    /// Closed windows that wait for other partitions or for the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub waiting_windows: Option<i64>,
    /// Records judged per second, all workers together, rounded to two digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub records_per_second: Option<i64>,
}

/// A window, half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedWindow {
    /// Its start.
    pub start: Time,
    /// Its end.
    pub end: Time,
}

/// How the records stand to the rules, over the recent batches that the workers report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataQuality {
    /// One entry per rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub rules: Vec<RuleStatus>,
    /// The batch with the largest share of violations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_batch: Option<WorstBatch>,
}

/// How the records stand to one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// The rule's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Records for which it said true or false.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub evaluated: i64,
    /// Records for which it said false.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub violations: i64,
    /// What that means.
    #[serde(default)]
    pub state: RuleState,
}

/// Whether a rule's violations are within what is tolerated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleState {
    /// Within what is tolerated.
    Healthy,
    /// More than what should be.
    Warning,
    /// More than what is tolerated.
    Critical,
    /// Too few records, or none, to say.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The batch with the largest share of violations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorstBatch {
    /// `<partition>-<first offset>`, as in the store's `batch_id`.
    #[schemars(length(max = 64))]
    pub batch: String,
    /// Log time of its last record.
    pub at: Time,
    /// The rule that it breaks most. Absent when most of its records were refused for other reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub rule: Option<String>,
    /// Records for which the rule said true or false.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub evaluated: i64,
    /// Records for which it said false.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub violations: i64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_of_a_newer_operator_is_read() {
        let status = json!({
            "observedGeneration": 3, "novelty": true,
            "conditions": [{
                "type": "Novel", "status": "True", "reason": "Unheard", "message": "",
                "lastTransitionTime": "2026-11-23T10:15:00Z"
            }],
            "dataQuality": {"rules": [{"name": "region", "state": "Lukewarm"}]}
        });
        let status: AnalyticsPipelineStatus = serde_json::from_value(status).expect("unknown words are no errors");
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.conditions[0].reason, "Unheard");
        assert_eq!(status.data_quality.expect("as given").rules[0].state, RuleState::Unknown);
    }

    #[test]
    fn nothing_known_is_nothing_written() {
        assert_eq!(serde_json::to_value(AnalyticsPipelineStatus::default()).expect("plain data"), json!({}));
    }
}

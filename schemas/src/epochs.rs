//! What a pipeline was before: the boundaries at which its topology and its meaning changed.
//!
//! The operator records them and gives them to the workers beside the pipeline (argument `--epochs`); a pipeline that never
//! changed has none. Boundaries lie on the window grid, milliseconds since the epoch, UTC; a window belongs to what holds
//! at its start, so no window mixes two epochs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::spec::AnalyticsPipelineSpec;

/// The changes that open or unpublished windows may still feel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Epochs {
    /// How many source partitions must seal a window, by rising boundary. Empty: always as many as the pipeline says.
    #[serde(default)]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub topology: Vec<TopologyEpoch>,
    /// The meaning before the pipeline's own, while the change is not complete. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousMeaning>,
}

/// From a boundary on, windows are complete when this many source partitions have sealed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologyEpoch {
    /// Start of the first window of the epoch; absent for the first epoch. On a partition that joins with it, the watermark
    /// begins here: earlier windows do not wait for it, and its records for them are late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub from: Option<i64>,
    /// Source partitions.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: u32,
}

/// The meaning that windows before a boundary have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviousMeaning {
    /// Start of the first window that has the new meaning.
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub until: i64,
    /// The pipeline as it was.
    #[schemars(schema_with = "any_spec")]
    pub spec: AnalyticsPipelineSpec,
}

/// A pipeline in a status is one that was accepted once; it is not judged, nor filled in, again.
fn any_spec(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

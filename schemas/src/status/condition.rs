//! Conditions: what is asked about a pipeline, and the answer in the shape that Kubernetes gives it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, Time};

/// One question about the pipeline and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The question; see `ConditionType`.
    #[serde(rename = "type")]
    #[schemars(length(max = 63), regex(pattern = "^[A-Z][A-Za-z]*$"))]
    pub type_: String,
    /// The answer.
    pub status: ConditionStatus,
    /// Why, in one word; see `Reason`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z]*$"))]
    pub reason: String,
    /// Why, for people, with the names of the things concerned.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// The generation of the resource that the answer is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub observed_generation: Option<i64>,
    /// When the answer last changed.
    pub last_transition_time: Time,
}

impl Condition {
    /// An answer that is given for the first time at `now`.
    pub fn new(
        type_: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        message: impl Into<String>,
        now: Time,
    ) -> Self {
        Self {
            type_: type_.as_str().to_owned(),
            status,
            reason: reason.as_str().to_owned(),
            message: message.into(),
            observed_generation: None,
            last_transition_time: now,
        }
    }
}

/// The answer to a condition's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// Yes.
    True,
    /// No.
    False,
    /// It could not be found out.
    Unknown,
}

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// Everything that the manifest asks for is in place and at work. Its reason and message are those of the first
    /// condition below that is not true; data quality does not take part, because it is about the data.
    Ready,
    /// The topics exist as declared.
    TopicsReady,
    /// The registry holds the schema.
    SchemaReady,
    /// The workers run what the manifest says.
    WorkersReady,
    /// Windows close: every partition's watermark moves, or has nothing to wait for.
    WatermarkAdvancing,
    /// The rules are kept, as far as is tolerated.
    DataQualityHealthy,
    /// Volumes and store take what is written.
    StorageHealthy,
    /// The operator or the cluster is at work to reach what the manifest says. Only there while it is true.
    Reconciling,
    /// Nothing will get better until a person changes something. Only there while it is true.
    Stalled,
}

impl ConditionType {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Ready,
        Self::TopicsReady,
        Self::SchemaReady,
        Self::WorkersReady,
        Self::WatermarkAdvancing,
        Self::DataQualityHealthy,
        Self::StorageHealthy,
        Self::Reconciling,
        Self::Stalled,
    ];

    /// The word that stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::TopicsReady => "TopicsReady",
            Self::SchemaReady => "SchemaReady",
            Self::WorkersReady => "WorkersReady",
            Self::WatermarkAdvancing => "WatermarkAdvancing",
            Self::DataQualityHealthy => "DataQualityHealthy",
            Self::StorageHealthy => "StorageHealthy",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

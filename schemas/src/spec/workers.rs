//! The processes that do the work: how many, with what storage and resources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The worker processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workers {
    /// Number of workers, at most the source topic's partitions. 0 pauses the pipeline.
    #[serde(default = "one_replica")]
    pub replicas: u32,
    /// The volume of each worker.
    #[serde(default)]
    pub storage: Storage,
    /// Requests and limits of each worker.
    #[serde(default)]
    pub resources: Resources,
    /// Ingest threads per worker. Absent: one per CPU, at most one per partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub lanes: Option<u32>,
}

impl Default for Workers {
    fn default() -> Self {
        Self { replicas: one_replica(), storage: Storage::default(), resources: Resources::default(), lanes: None }
    }
}

fn one_replica() -> u32 {
    1
}

/// The volume of each worker: checkpoints, and the tables of a `file://` sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// Size as a Kubernetes quantity. It may grow, never shrink.
    #[serde(default = "one_gibibyte")]
    pub size: String,
    /// Storage class. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: one_gibibyte(), storage_class: None }
    }
}

fn one_gibibyte() -> String {
    "1Gi".to_owned()
}

/// Requests and limits of each worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(default)]
    pub requests: Quantities,
    /// What may not be exceeded. The worker plans its memory by it.
    #[serde(default)]
    pub limits: Quantities,
}

/// Amounts as Kubernetes quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quantities {
    /// CPU, for example `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory, for example `512Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

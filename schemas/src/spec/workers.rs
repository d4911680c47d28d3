//! The processes that do the work: how many, with what storage and resources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PodTemplate;
use super::cel::{frozen, rule, rule_at, same_optional, when};
use super::kafka::OBJECT_NAME;

/// A number and a suffix of Kubernetes.
const QUANTITY: &str = "^([0-9]+[.]?[0-9]*|[.][0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// The worker processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workers {
    /// Number of workers, at most the source topic's partitions. 0 pauses the pipeline.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 0, max = 10_000))]
    pub replicas: u32,
    /// The volume of each worker.
    #[serde(default)]
    pub storage: Storage,
    /// Requests and limits of each worker.
    #[serde(default)]
    pub resources: Resources,
    /// Ingest threads per worker. Absent: one per CPU, at most one per partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub lanes: Option<u32>,
    /// Image of the workers. Absent: the one that the operator was installed with; another one must be in the chart's `allow.images`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^[:space:]]+$"))]
    pub image: Option<String>,
    /// Where the workers' pods run, and what they carry.
    #[serde(default)]
    pub pod: PodTemplate,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            replicas: one_replica(),
            storage: Storage::default(),
            resources: Resources::default(),
            lanes: None,
            image: None,
            pod: PodTemplate::default(),
        }
    }
}

fn one_replica() -> u32 {
    1
}

/// The volume of each worker: checkpoints, and the tables of a `file://` sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".size", format!("self.size.matches('{QUANTITY}') && quantity(self.size).isGreaterThan(quantity('0'))"),
        "allowed are Kubernetes quantities of more than 0, for example '1Gi'"),
    frozen(".size", "!isQuantity(self.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
        "a volume may grow, never shrink"),
    frozen(".storageClass", same_optional("self.storageClass"),
        "the storage class cannot be changed: allowed is a new pipeline"),
]))]
pub struct Storage {
    /// Size as a Kubernetes quantity. It may grow, never shrink.
    #[schemars(length(min = 1, max = 32))]
    #[serde(default = "one_gibibyte")]
    pub size: String,
    /// Storage class. Absent: the cluster's default. Cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
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
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".requests.cpu", within_limit("cpu"), "allowed is at most the limit"),
    rule_at(".requests.memory", within_limit("memory"), "allowed is at most the limit"),
]))]
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
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-validations" = [is_quantity()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory, for example `512Mi`.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-validations" = [is_quantity()]))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

fn is_quantity() -> serde_json::Value {
    rule(
        format!("self.matches('{QUANTITY}')"),
        "allowed are Kubernetes quantities, for example '500m', '512Mi' or '1Gi'",
    )
}

fn within_limit(resource: &str) -> String {
    let (request, limit) = (format!("self.requests.{resource}"), format!("self.limits.{resource}"));
    when(&[&request, &limit], &format!("quantity({request}).compareTo(quantity({limit})) <= 0"))
}

//! What of a worker's pod is for the user to choose: where it runs, and what it carries.
//!
//! A small part of Kubernetes' pod template, with its names and meanings. The rest (containers, volumes, probes, security)
//! belongs to Sluice.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;
use super::cel::{rule, rule_at};
use super::kafka::OBJECT_NAME;

/// The key of a label, an annotation or a taint.
pub const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$";
const LABEL_VALUE: &str = "^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$";

/// Where the workers' pods run, and what they carry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTemplate {
    /// Labels of the pods, beside Sluice's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[schemars(extend("additionalProperties" = { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE }))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule(format!("self.all(key, key.matches('{LABEL_KEY}'))"),
            "allowed are keys as Kubernetes allows them: 'name' or 'domain/name'"),
        rule("self.all(key, !key.startsWith('sluice.dev/') && !key.startsWith('app.kubernetes.io/'))",
            "allowed are labels that do not start with 'sluice.dev/' or 'app.kubernetes.io/': those are Sluice's"),
    ]))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods, of those in the chart's `allow.podAnnotations`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.all(key, !key.startsWith('sluice.dev/'))",
            "allowed are annotations that do not start with 'sluice.dev/': those are Sluice's"),
    ]))]
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the workers' service account, for example to let them into an object store, of those in the chart's
    /// `allow.serviceAccountAnnotations`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = { "type": "string", "maxLength": 4096 }))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.all(key, !key.startsWith('sluice.dev/'))",
            "allowed are annotations that do not start with 'sluice.dev/': those are Sluice's"),
    ]))]
    pub service_account_annotations: BTreeMap<String, String>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[schemars(extend("additionalProperties" = { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE }))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that are tolerated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Vec<Toleration>,
    /// How the pods are spread over nodes, zones and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["topologyKey"]))]
    pub topology_spread: Vec<TopologySpread>,
    /// Priority class, of those in the chart's `allow.priorityClasses`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub priority_class_name: Option<String>,
    /// Secrets with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub image_pull_secrets: Vec<SecretRef>,
}

/// A taint that is tolerated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [
    rule_at(".key", "has(self.key) || self.operator == 'Exists'", "'Equal' needs a 'key'"),
    rule_at(".value", "!has(self.value) || self.operator == 'Equal'", "'value' is allowed with 'Equal' only"),
    rule_at(".tolerationSeconds", "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        "'tolerationSeconds' is allowed with the effect 'NoExecute' only"),
]))]
pub struct Toleration {
    /// Key of the taint. Absent: every taint, with the operator `Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 316), regex(pattern = LABEL_KEY))]
    pub key: Option<String>,
    /// How the taint's value is compared.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// Value of the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = LABEL_VALUE))]
    pub value: Option<String>,
    /// Effect of the taint. Absent: every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How long a pod stays on a node that gets a `NoExecute` taint. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub toleration_seconds: Option<i64>,
}

/// How a taint's value is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// It is the given one.
    #[default]
    Equal,
    /// It may be any.
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods leave, too.
    NoExecute,
}

/// How the pods are spread over the values of one node label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopologySpread {
    /// Label of the nodes, for example `topology.kubernetes.io/zone`.
    #[schemars(length(min = 1, max = 316), regex(pattern = LABEL_KEY))]
    pub topology_key: String,
    /// How many more pods one value may have than another.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_skew: u32,
    /// What happens when that cannot be.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

fn one() -> u32 {
    1
}

/// What happens when the pods cannot be spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenUnsatisfiable {
    /// They are spread as well as possible.
    #[default]
    ScheduleAnyway,
    /// They wait.
    DoNotSchedule,
}

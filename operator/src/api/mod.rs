//! The resource as Kubernetes keeps it.
//!
//! Owns the names under which the API server serves it. The shape of `spec` and `status` is the `schemas` crate's, which
//! knows nothing of Kubernetes' libraries.

mod crd;
pub mod reference;
mod structural;

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use schemas::spec::{self, AnalyticsPipelineSpec};
use schemas::status::AnalyticsPipelineStatus;
use serde::{Deserialize, Serialize};

pub use crd::{crd, crd_yaml};

/// API group.
pub const GROUP: &str = "sluice.dev";
/// The only version.
pub const VERSION: &str = "v1alpha1";
/// Name in addresses and rights.
pub const PLURAL: &str = "analyticspipelines";

/// One pipeline as the API server serves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalyticsPipeline {
    /// `sluice.dev/v1alpha1`.
    pub api_version: String,
    /// `AnalyticsPipeline`.
    pub kind: String,
    /// Name, namespace, labels, generation and the rest of what Kubernetes keeps about every object.
    pub metadata: ObjectMeta,
    /// What the user wants.
    pub spec: AnalyticsPipelineSpec,
    /// What the operator found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AnalyticsPipelineStatus>,
}

impl AnalyticsPipeline {
    /// A pipeline by that name, as yet in no namespace.
    pub fn new(name: &str, spec: AnalyticsPipelineSpec) -> Self {
        Self {
            api_version: spec::API_VERSION.to_owned(),
            kind: spec::KIND.to_owned(),
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            spec,
            status: None,
        }
    }

    /// The manifest as its author wrote it, for the planner.
    pub fn manifest(&self) -> spec::AnalyticsPipeline {
        let metadata = &self.metadata;
        spec::AnalyticsPipeline {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            metadata: spec::Metadata {
                name: metadata.name.clone().unwrap_or_default(),
                namespace: metadata.namespace.clone(),
                labels: metadata.labels.clone().unwrap_or_default(),
                annotations: metadata.annotations.clone().unwrap_or_default(),
            },
            spec: self.spec.clone(),
        }
    }
}

impl Resource for AnalyticsPipeline {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        spec::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests;

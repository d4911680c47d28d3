//! The kinds of objects that the operator reads or writes.

use kube::api::ApiResource;
use kube::core::GroupVersionKind;

use crate::api;

/// One kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The pipeline itself.
    Pipeline,
    /// `ServiceAccount`.
    ServiceAccount,
    /// `ConfigMap`.
    ConfigMap,
    /// `Secret`; only read.
    Secret,
    /// `Service`.
    Service,
    /// `NetworkPolicy`.
    NetworkPolicy,
    /// `PodDisruptionBudget`.
    PodDisruptionBudget,
    /// `StatefulSet`.
    StatefulSet,
    /// Prometheus' `ServiceMonitor`.
    ServiceMonitor,
    /// `Pod`; read and deleted.
    Pod,
    /// `PersistentVolumeClaim`; read and grown.
    Claim,
}

impl Kind {
    /// The kinds of the objects that a pipeline owns, in the order in which they are applied: what a pod needs before
    /// the pods.
    pub const OWNED: [Self; 7] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::StatefulSet,
        Self::ServiceMonitor,
    ];

    /// Kubernetes' name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "AnalyticsPipeline",
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::StatefulSet => "StatefulSet",
            Self::ServiceMonitor => "ServiceMonitor",
            Self::Pod => "Pod",
            Self::Claim => "PersistentVolumeClaim",
        }
    }

    /// `group/version`, as in `apiVersion`.
    pub fn api_version(self) -> String {
        self.resource().api_version
    }

    /// Where the API server serves it.
    pub fn resource(self) -> ApiResource {
        let (group, version, plural) = match self {
            Self::Pipeline => (api::GROUP, api::VERSION, api::PLURAL),
            Self::ServiceAccount => ("", "v1", "serviceaccounts"),
            Self::ConfigMap => ("", "v1", "configmaps"),
            Self::Secret => ("", "v1", "secrets"),
            Self::Service => ("", "v1", "services"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "networkpolicies"),
            Self::PodDisruptionBudget => ("policy", "v1", "poddisruptionbudgets"),
            Self::StatefulSet => ("apps", "v1", "statefulsets"),
            Self::ServiceMonitor => ("monitoring.coreos.com", "v1", "servicemonitors"),
            Self::Pod => ("", "v1", "pods"),
            Self::Claim => ("", "v1", "persistentvolumeclaims"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, self.as_str()), plural)
    }
}

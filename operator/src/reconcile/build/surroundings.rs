//! What stands around the workers: an account without rights, names, a fence, a budget, a place to scrape.

use k8s_openapi::api::core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::Parts;
use crate::names::HTTP_PORT;
use crate::world::{Kind, Object};

fn selects(parts: &Parts<'_>) -> LabelSelector {
    LabelSelector { match_labels: Some(parts.selector()), ..LabelSelector::default() }
}

/// An account without rights and without a token.
pub(super) fn service_account(parts: &Parts<'_>) -> ServiceAccount {
    let mut metadata = parts.metadata(&parts.identity.name);
    let annotations = &parts.valid.spec.workers.pod.service_account_annotations;
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() }
}

/// Gives each pod a name, ready or not.
pub(super) fn service(parts: &Parts<'_>) -> Service {
    Service {
        metadata: parts.metadata(&parts.identity.name),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(parts.selector()),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: HTTP_PORT,
                target_port: Some(IntOrString::String("http".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Lets in only what asks for the status. Where workers go to is the manifest's: Kafka, registry, store.
pub(super) fn network_policy(parts: &Parts<'_>) -> NetworkPolicy {
    NetworkPolicy {
        metadata: parts.metadata(&parts.identity.name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selects(parts)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                ports: Some(vec![NetworkPolicyPort {
                    port: Some(IntOrString::Int(HTTP_PORT)),
                    protocol: Some("TCP".to_owned()),
                    end_port: None,
                }]),
                from: None,
            }]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// One worker at a time may be taken away. Only for two or more: one alone would never let a node be drained.
pub(super) fn disruption_budget(parts: &Parts<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: parts.metadata(&parts.identity.name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selects(parts)),
            // A pod that is not ready does no work that a drain could disturb.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

/// Tells Prometheus where to scrape.
pub(super) fn service_monitor(parts: &Parts<'_>) -> Object {
    Object(json!({
        "apiVersion": Kind::ServiceMonitor.api_version(), "kind": Kind::ServiceMonitor.as_str(),
        "metadata": parts.metadata(&parts.identity.name),
        "spec": {
            "selector": {"matchLabels": parts.selector()},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "30s"}],
        },
    }))
}

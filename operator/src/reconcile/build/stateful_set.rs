//! The stateful set: how many workers, and each one's volume.

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use schemas::spec::DeletionPolicy;

use super::{Parts, pod};
use crate::names;

/// The stateful set.
pub(super) fn stateful_set(parts: &Parts<'_>) -> StatefulSet {
    let when_deleted = match parts.valid.spec.deletion_policy {
        DeletionPolicy::Retain => "Retain",
        DeletionPolicy::Delete => "Delete",
    };
    StatefulSet {
        metadata: parts.metadata(&parts.identity.name),
        spec: Some(StatefulSetSpec {
            replicas: Some(parts.replicas),
            selector: LabelSelector { match_labels: Some(parts.selector()), ..LabelSelector::default() },
            service_name: Some(parts.identity.name.clone()),
            // Workers need no order, and a broken one must not hold up the others.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(when_deleted.to_owned()),
                // Suspending and scaling down keep everything.
                when_scaled: Some("Retain".to_owned()),
            }),
            revision_history_limit: Some(3),
            template: pod::template(parts),
            volume_claim_templates: Some(vec![claim(parts)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn claim(parts: &Parts<'_>) -> PersistentVolumeClaim {
    let requests = [("storage".to_owned(), Quantity(parts.volume.clone()))].into();
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::VOLUME.to_owned()),
            labels: Some(parts.selector()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements { requests: Some(requests), limits: None }),
            storage_class_name: parts.valid.spec.workers.storage.storage_class.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

//! The objects of a pipeline as they should be. Pure, and cannot fail: everything was validated before.
//!
//! Kept true: the pods' template depends on the configuration, the secrets, the image and the user's pod settings alone:
//! neither on how many pods there are, nor on how large their volumes, nor on which operator made it.

mod config_map;
mod pod;
mod stateful_set;
mod surroundings;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use schemas::status::Reason;

use super::Identity;
use super::observe::Seen;
use super::plan::{Config, Decision};
use super::validate::Valid;
use crate::names;
use crate::world::{Kind, Object};

use config_map::config_map;

pub use pod::GRACE_SECONDS;

/// What the operator was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Image of the workers, where the manifest names none.
    pub worker_image: String,
    /// Pull policy of the workers' image; absent: Kubernetes' default.
    pub pull_policy: Option<String>,
}

/// Everything that objects are built from.
pub(super) struct Parts<'a> {
    pub(super) identity: &'a Identity,
    pub(super) valid: &'a Valid,
    pub(super) config: &'a Config,
    pub(super) config_name: &'a str,
    pub(super) defaults: &'a Defaults,
    pub(super) replicas: i32,
    /// Digest of the secrets that the pods were, or are to be, given.
    pub(super) secrets: String,
    /// Size of the volumes in the stateful set: the old one while claims cannot grow.
    pub(super) volume: String,
}

/// The objects, in the order in which they are applied.
pub fn build(
    seen: &Seen,
    valid: &Valid,
    decision: &Decision,
    defaults: &Defaults,
    volume: &str,
) -> Vec<(Kind, Object)> {
    let Some((config, config_name, sequence)) = &decision.config else { return Vec::new() };
    let parts = Parts {
        identity: &seen.identity,
        valid,
        config,
        config_name,
        defaults,
        replicas: decision.replicas,
        secrets: secrets_digest(seen),
        volume: volume.to_owned(),
    };
    let mut objects = vec![
        (Kind::ServiceAccount, Object::of(&surroundings::service_account(&parts))),
        (Kind::ConfigMap, as_written(seen, Object::of(&config_map(&parts, *sequence)))),
        (Kind::Service, Object::of(&surroundings::service(&parts))),
        (Kind::NetworkPolicy, Object::of(&surroundings::network_policy(&parts))),
    ];
    if valid.spec.workers.replicas >= 2 {
        objects.push((Kind::PodDisruptionBudget, Object::of(&surroundings::disruption_budget(&parts))));
    }
    objects.push((Kind::StatefulSet, Object::of(&stateful_set::stateful_set(&parts))));
    if seen.service_monitors {
        objects.push((Kind::ServiceMonitor, surroundings::service_monitor(&parts)));
    }
    for (_, object) in &mut objects {
        sign(object);
    }
    objects
}

/// A configuration that is written down keeps its text: another version of the operator may write the same in other words, and
/// it cannot be changed.
fn as_written(seen: &Seen, mut map: Object) -> Object {
    if let Some(live) = seen.child(Kind::ConfigMap, map.name()) {
        map.0["data"] = live.0["data"].clone();
    }
    map
}

/// While a secret is missing the pods keep the digest that they have: they still run with what they were given.
fn secrets_digest(seen: &Seen) -> String {
    let pointer = format!("/spec/template/metadata/annotations/{}", names::SECRETS.replace('/', "~1"));
    let known = || seen.stateful_set().and_then(|set| set.text(&pointer)).unwrap_or_default().to_owned();
    seen.secrets.digest().map_or_else(known, str::to_owned)
}

/// Writes the digest of the object into it.
fn sign(object: &mut Object) {
    let digest = blake3::hash(object.0.to_string().as_bytes()).to_hex()[..16].to_owned();
    object.0["metadata"]["annotations"][names::DIGEST] = digest.into();
}

impl Parts<'_> {
    /// Labels of every object.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let labels = [
            ("app.kubernetes.io/name", "sluice-worker"),
            ("app.kubernetes.io/instance", &self.identity.name),
            (names::MANAGED_BY.0, names::MANAGED_BY.1),
            (names::PIPELINE, &self.identity.name),
        ];
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Labels by which the pods are selected; they never change.
    pub(super) fn selector(&self) -> BTreeMap<String, String> {
        [(names::MANAGED_BY.0, names::MANAGED_BY.1), (names::PIPELINE, self.identity.name.as_str())]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Metadata of an object of this pipeline.
    pub(super) fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.identity.namespace.clone()),
            labels: Some(self.labels()),
            owner_references: Some(vec![owner(self.identity)]),
            ..ObjectMeta::default()
        }
    }
}

fn owner(identity: &Identity) -> OwnerReference {
    OwnerReference {
        api_version: Kind::Pipeline.api_version(),
        kind: Kind::Pipeline.as_str().to_owned(),
        name: identity.name.clone(),
        uid: identity.uid.clone(),
        controller: Some(true),
        // No blockOwnerDeletion: it needs a right on finalizers and gains nothing here.
        block_owner_deletion: None,
    }
}

/// Whether an object that nobody wants any more may go: a `ConfigMap` stays while a pod may read it again.
pub fn is_orphan(seen: &Seen, wanted: &[(Kind, Object)], kind: Kind, object: &Object) -> bool {
    let is_wanted = wanted.iter().any(|(of, other)| *of == kind && other.name() == object.name());
    let in_use = kind == Kind::ConfigMap
        && (seen.pods.iter().any(|pod| pod.config.as_deref() == Some(object.name()))
            || seen.stateful_set().is_some_and(|set| set.0.to_string().contains(object.name())));
    !is_wanted && !in_use && !object.is_terminating()
}

/// The reason for which nothing at all may be built, as words for a refusal.
pub fn refused(kind: Kind, name: &str) -> (Reason, String) {
    (Reason::NameConflict, format!("{} '{name}' exists and does not belong to this pipeline", kind.as_str()))
}

//! The workers' pod: without rights, without Kubernetes' credentials, with its configuration and secrets as files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, KeyToPath,
    LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretProjection, SecurityContext,
    Toleration as PodToleration, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemas::spec::{PodTemplate, Quantities, TaintEffect, Toleration, TolerationOperator, WhenUnsatisfiable};

use super::Parts;
use crate::names;
use crate::reconcile::observe::{Source, sources};

/// The user and group that workers run as.
const USER: i64 = 65_532;
const CONFIG_AT: &str = "/etc/sluice/pipeline";
const SECRETS_AT: &str = "/etc/sluice/secrets";
const VOLUME_AT: &str = "/data";
/// The kubelet kills a worker that has not ended after this; the worker stops by itself five seconds before.
pub const GRACE_SECONDS: i64 = 30;

pub(super) fn template(parts: &Parts<'_>) -> PodTemplateSpec {
    let chosen = &parts.valid.spec.workers.pod;
    let mut annotations = chosen.annotations.clone();
    annotations.insert(names::CONFIG.to_owned(), parts.config_name.to_owned());
    annotations.insert(names::REVISION.to_owned(), parts.config.pipeline.spec.revision.to_string());
    if !parts.secrets.is_empty() {
        annotations.insert(names::SECRETS.to_owned(), parts.secrets.clone());
    }
    let mut labels = chosen.labels.clone();
    labels.extend(parts.labels());
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }),
        spec: Some(spec(parts, chosen)),
    }
}

fn spec(parts: &Parts<'_>, chosen: &PodTemplate) -> PodSpec {
    let secrets = sources(&parts.config.pipeline.spec);
    PodSpec {
        service_account_name: Some(parts.identity.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            // A large volume is not walked through at every start.
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(parts, !secrets.is_empty())],
        volumes: Some(volumes(parts, &secrets)),
        node_selector: some(chosen.node_selector.clone(), BTreeMap::is_empty),
        tolerations: some(chosen.tolerations.iter().map(toleration).collect(), Vec::is_empty),
        topology_spread_constraints: some(spread(parts, chosen), Vec::is_empty),
        priority_class_name: chosen.priority_class_name.clone(),
        image_pull_secrets: some(
            chosen.image_pull_secrets.iter().map(|secret| LocalObjectReference { name: secret.name.clone() }).collect(),
            Vec::is_empty,
        ),
        ..PodSpec::default()
    }
}

fn some<T>(value: T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    (!is_empty(&value)).then_some(value)
}

fn container(parts: &Parts<'_>, with_secrets: bool) -> Container {
    let workers = &parts.valid.spec.workers;
    Container {
        name: "worker".to_owned(),
        image: Some(workers.image.clone().unwrap_or_else(|| parts.defaults.worker_image.clone())),
        image_pull_policy: parts.defaults.pull_policy.clone(),
        env: Some(environment(with_secrets)),
        ports: Some(vec![ContainerPort {
            name: Some("http".to_owned()),
            container_port: names::HTTP_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(ResourceRequirements {
            requests: some(quantities(&workers.resources.requests), BTreeMap::is_empty),
            limits: some(quantities(&workers.resources.limits), BTreeMap::is_empty),
            ..ResourceRequirements::default()
        }),
        volume_mounts: Some(mounts(parts, with_secrets)),
        liveness_probe: Some(probe("/livez", 10, 6)),
        readiness_probe: Some(probe("/readyz", 5, 3)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        // The last words of a worker that ends, for the status.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn environment(with_secrets: bool) -> Vec<EnvVar> {
    let value = |name: &str, value: String| EnvVar { name: name.to_owned(), value: Some(value), value_from: None };
    let pod_name = EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            field_path: "metadata.name".to_owned(),
            ..ObjectFieldSelector::default()
        }),
        ..EnvVarSource::default()
    };
    let mut variables = vec![
        EnvVar { name: "POD_NAME".to_owned(), value: None, value_from: Some(pod_name) },
        value("SLUICE_PIPELINE", format!("{CONFIG_AT}/pipeline.json")),
        value("SLUICE_EPOCHS", format!("{CONFIG_AT}/epochs.json")),
        value("SLUICE_CHECKPOINTS", format!("{VOLUME_AT}/checkpoints")),
        value("SLUICE_SCHEMAS", format!("{VOLUME_AT}/schemas")),
    ];
    if with_secrets {
        variables.push(value("SLUICE_SECRETS", SECRETS_AT.to_owned()));
    }
    variables
}

fn quantities(given: &Quantities) -> BTreeMap<String, Quantity> {
    [("cpu", &given.cpu), ("memory", &given.memory)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Quantity(value.clone()?))))
        .collect()
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("http".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(3),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn mounts(parts: &Parts<'_>, with_secrets: bool) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount("pipeline", CONFIG_AT, true), mount(names::VOLUME, VOLUME_AT, false)];
    if with_secrets {
        mounts.push(mount("secrets", SECRETS_AT, true));
    }
    // Tables elsewhere than on `/data` lie on the same volume: nothing else can be written.
    let path = &parts.valid.plan.sink.folder;
    if path != VOLUME_AT && !path.starts_with(&format!("{VOLUME_AT}/")) {
        mounts.push(VolumeMount { sub_path: Some("sink".to_owned()), ..mount(names::VOLUME, path, false) });
    }
    mounts
}

fn volumes(parts: &Parts<'_>, secrets: &[Source]) -> Vec<Volume> {
    let pipeline = Volume {
        name: "pipeline".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: parts.config_name.to_owned(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    if secrets.is_empty() {
        return vec![pipeline];
    }
    let sources = secrets.iter().map(|source| VolumeProjection {
        secret: Some(SecretProjection {
            name: source.secret.clone(),
            items: Some(
                source
                    .items
                    .iter()
                    .map(|(key, path)| KeyToPath { key: key.clone(), path: (*path).to_owned(), mode: None })
                    .collect(),
            ),
            optional: None,
        }),
        ..VolumeProjection::default()
    });
    let projected = ProjectedVolumeSource { default_mode: Some(0o440), sources: Some(sources.collect()) };
    vec![pipeline, Volume { name: "secrets".to_owned(), projected: Some(projected), ..Volume::default() }]
}

fn toleration(given: &Toleration) -> PodToleration {
    PodToleration {
        key: given.key.clone(),
        operator: Some(
            match given.operator {
                TolerationOperator::Equal => "Equal",
                TolerationOperator::Exists => "Exists",
            }
            .to_owned(),
        ),
        value: given.value.clone(),
        effect: given.effect.map(|effect| {
            match effect {
                TaintEffect::NoSchedule => "NoSchedule",
                TaintEffect::PreferNoSchedule => "PreferNoSchedule",
                TaintEffect::NoExecute => "NoExecute",
            }
            .to_owned()
        }),
        toleration_seconds: given.toleration_seconds,
    }
}

fn spread(parts: &Parts<'_>, chosen: &PodTemplate) -> Vec<TopologySpreadConstraint> {
    let constraint = |given: &schemas::spec::TopologySpread| TopologySpreadConstraint {
        topology_key: given.topology_key.clone(),
        max_skew: given.max_skew as i32,
        when_unsatisfiable: match given.when_unsatisfiable {
            WhenUnsatisfiable::ScheduleAnyway => "ScheduleAnyway",
            WhenUnsatisfiable::DoNotSchedule => "DoNotSchedule",
        }
        .to_owned(),
        label_selector: Some(LabelSelector { match_labels: Some(parts.selector()), ..LabelSelector::default() }),
        ..TopologySpreadConstraint::default()
    };
    chosen.topology_spread.iter().map(constraint).collect()
}

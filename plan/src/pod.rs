//! What a worker's pod may carry: nothing that belongs to Sluice, and only tolerations that Kubernetes takes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use schemas::spec::{LABEL_KEY, PodTemplate, TaintEffect, Toleration, TolerationOperator};

use crate::{Path, Problem, codes};

static KEY: LazyLock<Regex> = LazyLock::new(|| Regex::new(LABEL_KEY).expect("a literal pattern"));

/// Checks `spec.workers.pod`.
pub(crate) fn check(pod: &PodTemplate, path: &Path, problems: &mut Vec<Problem>) {
    let labels = path.key("labels");
    for key in pod.labels.keys().filter(|key| !KEY.is_match(key)) {
        problems.push(
            Problem::new(codes::NAME_SYNTAX, labels.key(key), format!("'{key}' is not the key of a label"))
                .help("allowed are 'name' and 'domain/name'"),
        );
    }
    reserved(&pod.labels, &["sluice.dev/", "app.kubernetes.io/"], &labels, problems);
    reserved(&pod.annotations, &["sluice.dev/"], &path.key("annotations"), problems);
    let account = path.key("serviceAccountAnnotations");
    reserved(&pod.service_account_annotations, &["sluice.dev/"], &account, problems);
    for (index, toleration) in pod.tolerations.iter().enumerate() {
        tolerable(toleration, &path.key("tolerations").index(index), problems);
    }
}

fn reserved(keys: &BTreeMap<String, String>, prefixes: &[&str], path: &Path, problems: &mut Vec<Problem>) {
    for key in keys.keys() {
        if let Some(prefix) = prefixes.iter().find(|prefix| key.starts_with(**prefix)) {
            problems.push(
                Problem::new(codes::NAME_RESERVED, path.key(key), format!("the key '{key}' is reserved"))
                    .help(format!("allowed are keys that do not start with '{prefix}'")),
            );
        }
    }
}

fn tolerable(toleration: &Toleration, path: &Path, problems: &mut Vec<Problem>) {
    let exists = toleration.operator == TolerationOperator::Exists;
    let lasting = toleration.effect != Some(TaintEffect::NoExecute);
    let refusals = [
        (!exists && toleration.key.is_none(), "key", "'Equal' needs a 'key'"),
        (exists && toleration.value.is_some(), "value", "'value' is allowed with 'Equal' only"),
        (
            lasting && toleration.toleration_seconds.is_some(),
            "tolerationSeconds",
            "'tolerationSeconds' is allowed with the effect 'NoExecute' only",
        ),
    ];
    for (_, key, message) in refusals.into_iter().filter(|(refused, ..)| *refused) {
        problems.push(Problem::new(codes::ALTERNATIVES, path.key(key), message));
    }
}

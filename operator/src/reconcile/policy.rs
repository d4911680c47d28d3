//! What pipelines may make of rights that are not their authors': decided by whoever installs the operator.
//!
//! Kept true: the operator and the workers' pods touch no secret that this does not let pipelines use.

use schemas::spec::{AnalyticsPipelineSpec, PodTemplate};

use crate::names::USE;

/// Who installs the operator sets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether secrets without the label [`USE`] may be used, too.
    pub unlabelled_secrets: bool,
    /// Images of workers, beside the operator's own default.
    pub images: Allowed,
    /// Priority classes of workers' pods.
    pub priority_classes: Allowed,
    /// Keys of annotations of workers' pods.
    pub pod_annotations: Allowed,
    /// Keys of annotations of workers' service accounts: often they give rights in a cloud.
    pub service_account_annotations: Allowed,
}

/// Texts that are allowed. One that ends with `*` stands for all that begin so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<String>);

impl Allowed {
    /// What is not listed is not allowed.
    pub fn new(texts: Vec<String>) -> Self {
        Self(texts)
    }

    fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(beginning) => text.starts_with(beginning),
            None => text == allowed,
        })
    }
}

impl Policy {
    /// What the pipeline asks for that it may not have, in words; `default_image` is the operator's own.
    pub(super) fn refuses(&self, spec: &AnalyticsPipelineSpec, default_image: &str) -> Option<String> {
        let PodTemplate { annotations, service_account_annotations, priority_class_name, .. } = &spec.workers.pod;
        let image = spec.workers.image.as_ref().filter(|image| *image != default_image);
        let annotations = annotations.keys().map(|key| ("annotations", key, &self.pod_annotations));
        let account = service_account_annotations.keys();
        let account = account.map(|key| ("serviceAccountAnnotations", key, &self.service_account_annotations));
        let class = priority_class_name.iter().map(|class| ("priorityClassName", class, &self.priority_classes));
        let pod = annotations.chain(account).chain(class);
        let asked = pod.map(|(field, text, allowed)| (format!("pod.{field}"), text, allowed));
        let mut asked = image.map(|image| ("image".to_owned(), image, &self.images)).into_iter().chain(asked);
        let (field, text, _) = asked.find(|(_, text, allowed)| !allowed.holds(text))?;
        let option = match field.as_str() {
            "image" => "images",
            "pod.annotations" => "podAnnotations",
            "pod.priorityClassName" => "priorityClasses",
            _ => "serviceAccountAnnotations",
        };
        Some(format!(
            "spec.workers.{field}: '{text}' is not allowed here; whoever installed the operator allows it with the chart's \
             value 'allow.{option}'"
        ))
    }

    /// Whether a secret with these labels may be used.
    pub(super) fn lets_use(&self, label: Option<&str>) -> bool {
        self.unlabelled_secrets || label == Some(USE.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_what_follows_and_for_nothing_else() {
        let allowed = Allowed::new(vec!["r/worker:*".to_owned(), "r/other:1".to_owned()]);
        assert!(allowed.holds("r/worker:1") && allowed.holds("r/other:1"));
        assert!(!allowed.holds("r/worker") && !allowed.holds("r/other:12") && !allowed.holds("x/r/worker:1"));
        assert!(!Allowed::default().holds(""));
    }
}

//! Names of the objects of a pipeline, and the labels and annotations by which they are found again.
//!
//! Kept true: every name fits. A pipeline's name has at most 50 characters, and the longest that is made of it within a
//! label's 63 is the revision label of its pods: the name, '-' and ten more.

/// Who made an object.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "sluice-operator");
/// The pipeline that an object belongs to.
pub const PIPELINE: &str = "sluice.dev/pipeline";
/// Annotation: digest of the object as the operator wants it, so that what is no longer wanted is seen too.
pub const DIGEST: &str = "sluice.dev/digest";
/// Annotation of a `ConfigMap`: which of the pipeline's configurations it is; the highest is in force.
pub const SEQUENCE: &str = "sluice.dev/sequence";
/// Annotation of pods: the `ConfigMap` that they run.
pub const CONFIG: &str = "sluice.dev/config";
/// Annotation of pods: the revision of the pipeline's meaning that they run.
pub const REVISION: &str = "sluice.dev/revision";
/// Annotation of pods: digest of the secrets that they were given.
pub const SECRETS: &str = "sluice.dev/secrets-digest";
/// Label of secrets that pipelines may use.
pub const USE: (&str, &str) = ("sluice.dev/use", "pipelines");
/// Keeps a pipeline until what it created outside Kubernetes is deleted; only with `deletionPolicy: Delete`.
pub const FINALIZER: &str = "sluice.dev/external";
/// Owner of the fields that the operator sets.
pub const FIELD_MANAGER: &str = "sluice-operator";
/// Name of the volume, its claim template and the container's mount.
pub const VOLUME: &str = "data";
/// Port of the workers' HTTP.
pub const HTTP_PORT: i32 = 8080;

/// Label selector of everything that belongs to a pipeline.
pub fn selector(pipeline: &str) -> String {
    format!("{}={},{PIPELINE}={pipeline}", MANAGED_BY.0, MANAGED_BY.1)
}

/// Name of the `ConfigMap` with that digest.
pub fn config_map(pipeline: &str, digest: &str) -> String {
    format!("{pipeline}-{digest}")
}

/// Name of the claim of a pod.
pub fn claim(pipeline: &str, ordinal: i32) -> String {
    format!("{VOLUME}-{pipeline}-{ordinal}")
}

/// Whether `text` is the name and an ordinal, as a stateful set names its pods.
pub fn is_numbered(text: &str, name: &str) -> bool {
    let ordinal = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    ordinal.is_some_and(|ordinal| ordinal.parse::<u32>().is_ok_and(|number| number.to_string() == ordinal))
}

/// Whether `text` is the name of one of the pipeline's claims.
pub fn is_claim(text: &str, pipeline: &str) -> bool {
    is_numbered(text, &format!("{VOLUME}-{pipeline}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_stateful_set_are_known_from_others() {
        assert!(is_numbered("a-0", "a") && is_numbered("a-12", "a") && is_claim("data-a-3", "a"));
        for other in ["a", "a-", "a-01", "a-+1", "a--1", "a-x", "a-0-0", "b-0", "aa-0"] {
            assert!(!is_numbered(other, "a"), "{other}");
        }
        assert!(!is_claim("a-3", "a") && !is_claim("data-a", "a"));
    }
}

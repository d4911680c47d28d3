//! The secrets that a manifest names: what is in them, and a digest that changes with it.
//!
//! Kept true: a secret that pipelines may not use leaves no trace here. The digest can not be used to try passwords out. It is taken over the secret's uid too, which nobody can
//! read who may not read the secret.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::spec::AnalyticsPipelineSpec;

use crate::names::USE;
use crate::reconcile::policy::Policy;
use crate::world::{ClusterError, Kind, World};

/// The secrets of a pipeline, by the path of the file that the workers find each value in.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<&'static str, String>,
    missing_kafka: Option<String>,
    missing_registry: Option<String>,
    forbidden: Option<String>,
    digest: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("paths", &self.values.keys())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A key of a secret and the file that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the secret.
    pub secret: String,
    /// Key and path.
    pub items: Vec<(String, &'static str)>,
    /// Whether it is for the registry, not for Kafka.
    pub registry: bool,
}

/// The secrets that a manifest names.
pub fn sources(spec: &AnalyticsPipelineSpec) -> Vec<Source> {
    let pair = |secret: &str, registry: bool, paths: [&'static str; 2]| Source {
        secret: secret.to_owned(),
        items: vec![("username".to_owned(), paths[0]), ("password".to_owned(), paths[1])],
        registry,
    };
    let security = spec.kafka.security.as_ref();
    let kafka = security.and_then(|security| security.credentials_secret_ref.as_ref());
    let authority = security.and_then(|security| security.ca_secret_ref.as_ref());
    let registry = spec.schema_registry.credentials_secret_ref.as_ref();
    let kafka = kafka.map(|secret| pair(&secret.name, false, ["kafka/username", "kafka/password"]));
    let authority = authority.map(|secret| Source {
        secret: secret.name.clone(),
        items: vec![(secret.key.clone(), "kafka/ca.crt")],
        registry: false,
    });
    let registry = registry.map(|secret| pair(&secret.name, true, ["registry/username", "registry/password"]));
    kafka.into_iter().chain(authority).chain(registry).collect()
}

impl Secrets {
    /// The value of the file at `path`.
    pub fn get(&self, path: &str) -> Option<&String> {
        self.values.get(path)
    }

    /// What of Kafka's secrets is missing.
    pub fn missing_kafka(&self) -> Option<&str> {
        self.missing_kafka.as_deref()
    }

    /// What of the registry's secret is missing.
    pub fn missing_registry(&self) -> Option<&str> {
        self.missing_registry.as_deref()
    }

    /// Which of them pipelines may not use.
    pub fn forbidden(&self) -> Option<&str> {
        self.forbidden.as_deref()
    }

    /// Digest of all, unless one is missing. Empty when the manifest names none.
    pub fn digest(&self) -> Option<&str> {
        (self.missing_kafka.is_none() && self.missing_registry.is_none()).then_some(self.digest.as_str())
    }
}

/// Reads all of them; what is missing is told, not an error.
pub(super) async fn read<W: World>(
    world: &W,
    policy: &Policy,
    namespace: &str,
    spec: &AnalyticsPipelineSpec,
) -> Result<Secrets, ClusterError> {
    let mut secrets = Secrets::default();
    let mut hash = blake3::Hasher::new();
    for source in sources(spec) {
        let found = world.get(Kind::Secret, namespace, &source.secret).await?;
        if let Some(found) = &found
            && !policy.lets_use(found.label(USE.0))
        {
            let (key, value) = USE;
            let words = format!(
                "secret '{}' lacks the label '{key}: {value}'; without it no pipeline may use it",
                source.secret
            );
            return Ok(Secrets { forbidden: Some(words), ..Secrets::default() });
        }
        let mut missing = None;
        for (key, path) in &source.items {
            let value = found.as_ref().and_then(|found| found.0["data"].get(key)?.as_str().map(str::to_owned));
            let text = value.and_then(|value| String::from_utf8(STANDARD.decode(value).ok()?).ok());
            match (&found, text) {
                (None, _) => missing = Some(format!("secret '{}' does not exist", source.secret)),
                (_, None) => missing = Some(format!("secret '{}' has no key '{key}'", source.secret)),
                (Some(found), Some(text)) => {
                    for part in [found.uid(), path, &text] {
                        hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
                    }
                    secrets.values.insert(path, text);
                }
            }
        }
        let slot = if source.registry { &mut secrets.missing_registry } else { &mut secrets.missing_kafka };
        *slot = slot.take().or(missing);
    }
    if !secrets.values.is_empty() {
        hash.finalize().to_hex()[..16].clone_into(&mut secrets.digest);
    }
    Ok(secrets)
}

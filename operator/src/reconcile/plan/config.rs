//! What workers run with: the pipeline and its epochs, kept in `ConfigMap`s that never change.
//!
//! Each configuration has its own `ConfigMap`, named by its digest, and pods name the one they run: a pod that restarts reads
//! what it read before, and a new one never an old text from a node's cache. The one with the highest sequence is in force.
//! They are also where the operator keeps what it must not forget: the boundaries and the meaning before.

use schemas::epochs::Epochs;
use schemas::spec::AnalyticsPipeline;

use crate::names;
use crate::world::{Kind, Object};

/// Key of the pipeline in the `ConfigMap`.
pub const PIPELINE_KEY: &str = "pipeline.json";
/// Key of the epochs in the `ConfigMap`.
pub const EPOCHS_KEY: &str = "epochs.json";

/// What workers run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The pipeline, resolved.
    pub pipeline: AnalyticsPipeline,
    /// What it was before.
    pub epochs: Epochs,
}

impl Config {
    /// Ten hex digits that change with the content.
    pub fn digest(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(self.pipeline_text().as_bytes()).update(&[0]).update(self.epochs_text().as_bytes());
        hash.finalize().to_hex()[..10].to_owned()
    }

    /// The pipeline as JSON.
    ///
    /// # Panics
    /// Never: a manifest's maps have text keys.
    pub fn pipeline_text(&self) -> String {
        serde_json::to_string_pretty(&self.pipeline).expect("a manifest's maps have text keys")
    }

    /// The epochs as JSON.
    ///
    /// # Panics
    /// Never: epochs are plain data.
    pub fn epochs_text(&self) -> String {
        serde_json::to_string_pretty(&self.epochs).expect("epochs are plain data")
    }
}

/// A configuration that is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Name of its `ConfigMap`.
    pub name: String,
    /// Its place in the order.
    pub sequence: u64,
    /// The configuration; absent when it was written by an operator that knows more than this one.
    pub config: Option<Config>,
}

impl Stored {
    /// The configuration in force among the pipeline's objects.
    pub fn in_force(children: &[(Kind, Object)]) -> Option<Self> {
        let maps = children.iter().filter(|(kind, _)| *kind == Kind::ConfigMap);
        maps.filter_map(|(_, object)| Self::of(object)).max_by_key(|stored| stored.sequence)
    }

    fn of(object: &Object) -> Option<Self> {
        let sequence = object.annotation(names::SEQUENCE)?.parse().ok()?;
        let text = |key: &str| object.0["data"].get(key)?.as_str();
        let read = || {
            let pipeline = serde_json::from_str(text(PIPELINE_KEY)?).ok()?;
            let epochs = serde_json::from_str(text(EPOCHS_KEY)?).ok()?;
            Some(Config { pipeline, epochs })
        };
        Some(Self { name: object.name().to_owned(), sequence, config: read() })
    }
}

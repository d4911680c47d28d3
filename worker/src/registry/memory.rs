//! Writer schemas on a volume: what was fetched once is known after a restart, also while the registry is away.
//!
//! Keeps true: a file is whole or not there; it is used only for the registry and the id that it names, because another
//! registry gives the same ids to other schemas.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A folder of schemas.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    registry: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    registry: String,
    id: u32,
    schema: String,
}

impl Folder {
    /// The schemas of the registry at `registry` in `path`, which need not exist yet.
    pub(super) fn new(path: &Path, registry: &str) -> Self {
        Self { path: path.to_owned(), registry: registry.to_owned() }
    }

    /// The schema of `id`, if it is kept. What cannot be read is asked for again.
    pub(super) fn find(&self, id: u32) -> Option<String> {
        let text = fs::read(self.file(id)).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.registry == self.registry && kept.id == id).then_some(kept.schema)
    }

    /// Keeps a schema. That it cannot be kept costs a question after the next restart, no more.
    pub(super) fn keep(&self, id: u32, schema: &str) {
        if let Err(error) = self.write(id, schema) {
            tracing::warn!(id, folder = %self.path.display(), %error, "a schema could not be kept");
        }
    }

    fn write(&self, id: u32, schema: &str) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let kept = Kept { registry: self.registry.clone(), id, schema: schema.to_owned() };
        let temporary = self.path.join(format!("{id}.{}.tmp", std::process::id()));
        fs::write(&temporary, serde_json::to_vec(&kept)?)?;
        fs::rename(&temporary, self.file(id))
    }

    fn file(&self, id: u32) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_found_again_by_its_registry_and_id_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = Folder::new(&folder.path().join("schemas"), "http://one:8081");
        assert_eq!(kept.find(7), None);
        kept.keep(7, "\"string\"");
        assert_eq!(kept.find(7).as_deref(), Some("\"string\""));
        assert_eq!(kept.find(8), None);
        let other = Folder::new(&folder.path().join("schemas"), "http://two:8081");
        assert_eq!(other.find(7), None, "another registry's ids mean other schemas");
        fs::write(kept.file(7), b"{\"regis").expect("writes");
        assert_eq!(kept.find(7), None, "what is damaged is asked for again");
    }
}

//! Writer schemas on a volume: what was fetched once is known after a restart, also while the registry is away.
//!
//! Keeps true: a file is whole or not there; it is used only for the registry and the id that it names, because another
//! registry gives the same ids to other schemas. The registry's user and password are in no file, and only the worker's user reads one.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use plan::avro::MAX_BYTES;
use serde::{Deserialize, Serialize};

use super::without_user;
use crate::decode::SchemaKey;

/// Most bytes of a file: a schema with every character escaped.
const MAX_FILE: u64 = 8 * MAX_BYTES as u64;

/// A folder of schemas.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    registry: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    registry: String,
    /// Its id or GUID.
    id: String,
    schema: String,
}

impl Folder {
    /// The schemas of the registry at `registry` in `path`, which need not exist yet.
    pub(super) fn new(path: &Path, registry: &str) -> Self {
        Self { path: path.to_owned(), registry: without_user(registry) }
    }

    /// The schema of an id or GUID, if it is kept. What cannot be read is asked for again.
    pub(super) fn find(&self, key: SchemaKey) -> Option<String> {
        let mut text = Vec::new();
        fs::File::open(self.file(key)).ok()?.take(MAX_FILE).read_to_end(&mut text).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.registry == self.registry && kept.id == key.to_string()).then_some(kept.schema)
    }

    /// Keeps a schema. That it cannot be kept costs a question after the next restart, no more.
    pub(super) fn keep(&self, key: SchemaKey, schema: &str) {
        if let Err(error) = self.write(key, schema) {
            tracing::warn!(%key, folder = %self.path.display(), %error, "a schema could not be kept");
        }
    }

    fn write(&self, key: SchemaKey, schema: &str) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let kept = Kept { registry: self.registry.clone(), id: key.to_string(), schema: schema.to_owned() };
        let temporary = self.path.join(format!("{key}.{}.tmp", std::process::id()));
        // What an earlier process left may have other rights.
        drop(fs::remove_file(&temporary));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        fs::rename(&temporary, self.file(key))
    }

    fn file(&self, key: SchemaKey) -> PathBuf {
        self.path.join(format!("{key}.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SEVEN: SchemaKey = SchemaKey::Id(7);

    #[test]
    fn a_schema_is_found_again_by_its_registry_and_id_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = Folder::new(&folder.path().join("schemas"), "http://one:8081");
        assert_eq!(kept.find(SEVEN), None);
        kept.keep(SEVEN, "\"string\"");
        assert_eq!(kept.find(SEVEN).as_deref(), Some("\"string\""));
        assert_eq!(kept.find(SchemaKey::Id(8)), None);
        let other = Folder::new(&folder.path().join("schemas"), "http://two:8081");
        assert_eq!(other.find(SEVEN), None, "another registry's ids mean other schemas");
        fs::write(kept.file(SEVEN), b"{\"regis").expect("writes");
        assert_eq!(kept.find(SEVEN), None, "what is damaged is asked for again");
    }

    #[test]
    fn no_file_holds_the_password_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = Folder::new(folder.path(), "https://me:s3cret@one:8081/apis");
        let guid = SchemaKey::Guid([0xA5; 16]);
        for key in [SEVEN, guid] {
            kept.keep(key, "\"string\"");
            let text = fs::read_to_string(kept.file(key)).expect("is there");
            assert!(!text.contains("s3cret") && !text.contains("me:"), "{text}");
            let mode = fs::metadata(kept.file(key)).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // Another password is the same registry.
        let same = Folder::new(folder.path(), "https://you:other@one:8081/apis");
        assert_eq!(same.find(guid).as_deref(), Some("\"string\""));
    }
}

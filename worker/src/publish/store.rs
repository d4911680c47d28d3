//! The store: files that are written once and never changed.
//!
//! What it keeps true: a file is visible whole or not at all, under its final name only after its bytes are on the disk;
//! no temporary file ends in `.parquet`; a name that exists is never written again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The store could not do it. The environment must act (room, rights, mount); the caller retries.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Writing failed.
    #[error("cannot write '{}': {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read '{}': {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Removing failed.
    #[error("cannot remove '{}': {source}", path.display())]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Listing a folder failed.
    #[error("cannot list '{}': {source}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StoreError {
    /// A stable word for the status.
    pub fn reason(&self) -> &'static str {
        let (Self::Write { source, .. }
        | Self::Read { source, .. }
        | Self::Remove { source, .. }
        | Self::List { source, .. }) = self;
        if crate::checkpoint::is_full(source) { "VolumeFull" } else { "SinkUnavailable" }
    }
}

/// What a write-once did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The file is new.
    Created,
    /// A file of this name was there.
    Existed,
}

/// A folder of the local file system.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below `root`, which need not exist yet.
    pub fn local(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Writes `bytes` at `path` (relative to the root, `/` between folders) unless a file is there.
    pub fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        let target = self.root.join(path);
        self.write_once(&target, bytes).map_err(|source| StoreError::Write { path: target, source })
    }

    /// The names in a folder; none when it does not exist.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.root.join(folder);
        let list = |path: &Path| -> io::Result<Vec<String>> {
            let entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
            Ok(entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        };
        match list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(|source| StoreError::List { path, source }),
        }
    }

    /// The bytes of a file; nothing when it is not there.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.root.join(path);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|source| StoreError::Read { path, source }),
        }
    }

    /// Removes a file, if it is there, and its folder, if that is empty then. A removal that a power cut undoes is made again.
    pub fn remove(&self, path: &str) -> Result<(), StoreError> {
        let path = self.root.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Remove { path, source: error });
            }
            _ => {}
        }
        let Some(folder) = path.parent() else { return Ok(()) };
        match fs::remove_dir(folder) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                Err(StoreError::Remove { path: folder.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Temporary file, fsync, hard link to the final name (which fails when it exists), fsync of the folder.
    fn write_once(&self, target: &Path, bytes: &[u8]) -> io::Result<Written> {
        if target.exists() {
            return Ok(Written::Existed);
        }
        let folder = target.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        let temporary = target.with_extension(format!("{}.tmp", std::process::id()));
        let linked = write_synced(&temporary, bytes).and_then(|()| fs::hard_link(&temporary, target));
        let removed = fs::remove_file(&temporary);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Written::Existed),
            linked => linked?,
        }
        removed?;
        File::open(folder)?.sync_all()?;
        Ok(Written::Created)
    }
}

/// Makes the folder and what is missing above it, each made durable in its parent.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            made?;
            folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_write_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::local(folder.path());
        assert_eq!(store.create("a/b/x.parquet", b"one").expect("writes"), Written::Created);
        assert_eq!(store.create("a/b/x.parquet", b"two").expect("writes"), Written::Existed);
        assert_eq!(fs::read(folder.path().join("a/b/x.parquet")).expect("reads"), b"one");
        assert_eq!(store.names("a/b").expect("lists"), ["x.parquet"]);
        assert!(store.names("nowhere").expect("lists").is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("gold"), b"a file in the way").expect("writes");
        let error = Store::local(folder.path()).create("gold/x.parquet", b"one").expect_err("must fail");
        assert!(error.to_string().starts_with("cannot write '"), "{error}");
        assert!(error.to_string().contains("gold/x.parquet"), "{error}");
    }
}

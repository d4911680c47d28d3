//! The volume: a folder whose files outlive the process, and what a checkpoint asks of it.
//!
//! What it keeps true: when [`Volume::append`] or [`Volume::replace`] returns, the bytes are on the disk; a replaced file is seen
//! whole or as it was, never half. Anything else may happen to the files (a volume can be lost, rolled back or shared by
//! mistake); who reads them trusts a checksum alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Files by their path relative to the volume, `/` between folders. Used per checkpoint and take-over only.
pub trait Volume: Send + Sync {
    /// The file's bytes, `None` when there is no such file.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Cuts the file down to `length` bytes, making it if need be, and appends `bytes`.
    fn append(&self, path: &str, length: u64, bytes: &[u8]) -> io::Result<()>;

    /// Puts `bytes` in the place of the file. Also makes durable that the folder's other files exist.
    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// The names in a folder; none when it does not exist.
    fn names(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Removes a file, or a folder with all that is in it; nothing happens when there is none.
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// A folder of the local file system.
#[derive(Debug, Clone)]
pub struct LocalVolume {
    root: PathBuf,
}

impl LocalVolume {
    /// The volume below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn in_folder(&self, path: &str) -> io::Result<(PathBuf, PathBuf)> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        fs::create_dir_all(&folder)?;
        Ok((path, folder))
    }
}

impl Volume for LocalVolume {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        none_if_missing(fs::read(self.root.join(path)))
    }

    fn append(&self, path: &str, length: u64, bytes: &[u8]) -> io::Result<()> {
        let (path, _) = self.in_folder(path)?;
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(length)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, folder) = self.in_folder(path)?;
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        // The folders above are few and new only once.
        let known = folder.ancestors().take_while(|folder| folder.starts_with(&self.root));
        known.map(Path::to_owned).try_for_each(|folder| File::open(folder)?.sync_all())
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let list = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(self.root.join(folder))?.collect::<io::Result<Vec<_>>>()?;
            Ok(entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        };
        Ok(none_if_missing(list())?.unwrap_or_default())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.root.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        none_if_missing(removed).map(drop)
    }
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

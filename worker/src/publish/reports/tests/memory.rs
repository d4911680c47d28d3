//! A file system in memory, in which a process can end between any two calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use super::super::{Archive, StoreError};
use crate::publish::Written;
use crate::publish::effects::{self, Files as _};

pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Files and folders; after `left` changes none succeeds any more.
pub(super) struct Memory {
    pub(super) files: RefCell<Files>,
    pub(super) folders: RefCell<BTreeSet<String>>,
    pub(super) left: Cell<usize>,
}

impl Memory {
    pub(super) fn of(files: Files, changes: usize) -> Self {
        let folders = files.keys().map(|path| parent(path).to_owned()).collect();
        Self { files: RefCell::new(files), folders: RefCell::new(folders), left: Cell::new(changes) }
    }

    /// The same disk under another process.
    pub(super) fn again(&self) -> Self {
        let left = Cell::new(usize::MAX);
        Self { files: self.files.clone(), folders: self.folders.clone(), left }
    }

    fn change(&self, path: &str) -> Result<(), StoreError> {
        let left = self.left.get().checked_sub(1);
        let gone = || StoreError::Write { path: PathBuf::from(path), source: io::Error::other("the process is gone") };
        self.left.set(left.ok_or_else(gone)?);
        Ok(())
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) {
        self.folders.borrow_mut().insert(parent(path).to_owned());
        self.files.borrow_mut().insert(path.to_owned(), bytes.to_vec());
    }

    /// The files, by a hash of their bytes, and the folders.
    pub(super) fn found(&self) -> (BTreeMap<String, u128>, BTreeSet<String>) {
        let files = self.files.borrow();
        let files = files.iter().map(|(path, bytes)| (path.clone(), xxhash_rust::xxh3::xxh3_128(bytes)));
        (files.collect(), self.folders.borrow().clone())
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl effects::Files for Memory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.files.borrow().get(path).cloned())
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        if self.files.borrow().contains_key(path) {
            return Ok(Written::Existed);
        }
        self.change(path)?;
        self.folders.borrow_mut().insert(parent(path).to_owned());
        let temporary = path.replace(".parquet", ".1.tmp");
        self.change(path)?;
        self.write(&temporary, &bytes[..bytes.len() / 2]);
        self.change(path)?;
        self.write(path, bytes);
        self.change(path)?;
        self.files.borrow_mut().remove(&temporary);
        Ok(Written::Created)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let below = format!("{folder}/");
        let (files, folders) = (self.files.borrow(), self.folders.borrow());
        let paths = files.keys().chain(folders.iter());
        let names = paths.filter_map(|path| path.strip_prefix(&below)?.split('/').next().map(str::to_owned));
        Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

impl Archive for Memory {
    fn remove(&self, path: &str) -> Result<(), StoreError> {
        if self.files.borrow().contains_key(path) {
            self.change(path)?;
            self.files.borrow_mut().remove(path);
        }
        let folder = parent(path);
        if self.folders.borrow().contains(folder) && self.names(folder)?.is_empty() {
            self.change(path)?;
            self.folders.borrow_mut().remove(folder);
        }
        Ok(())
    }
}

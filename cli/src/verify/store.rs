//! The gold files of a pipeline's store, by window.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use plan::Plan;
use thiserror::Error;
use worker::publish::gold::{Contribution, Gold, Lost, ReadGoldError};
use worker::publish::table::parse_gold_name;

/// Why the store cannot be read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or folder of it.
    #[error("cannot read '{}': {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Start of a window and output.
pub(super) type Key = (i64, i32);

/// A file, and what can be read of it.
pub(super) struct GoldFile {
    /// Relative to the store.
    pub path: String,
    /// Its bytes are read anew where they are compared.
    pub content: Result<Facts, ReadGoldError>,
}

/// What the footer says.
pub(super) struct Facts {
    pub end: i64,
    pub revision: i64,
    pub reader_schema: String,
    pub sources: Vec<Contribution>,
    pub lost: Vec<Lost>,
}

/// The files, those of one window and output together.
pub(super) struct Store {
    root: PathBuf,
    pub files: BTreeMap<Key, Vec<GoldFile>>,
}

impl Store {
    /// Reads the footers of all windows that start at `since` (milliseconds; absent: ever) or later.
    pub(super) fn open(plan: &Plan, data: Option<PathBuf>, since: Option<i64>) -> Result<Self, StoreError> {
        let root = data.unwrap_or_else(|| PathBuf::from(&plan.sink.folder));
        let mut store = Self { root, files: BTreeMap::new() };
        let mut folders = vec![store.root.join("gold").join(&plan.name)];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder)? {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    store.add(&path, since)?;
                }
            }
        }
        Ok(store)
    }

    fn add(&mut self, path: &Path, since: Option<i64>) -> Result<(), StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(key) = parse_gold_name(&name).filter(|(start, _)| since.is_none_or(|since| *start >= since)) else {
            return Ok(());
        };
        let content = Gold::read(read(path)?).map(|gold| Facts {
            end: gold.window.1,
            revision: gold.revision,
            reader_schema: gold.reader_schema,
            sources: gold.sources,
            lost: gold.lost,
        });
        let path = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned();
        self.files.entry(key).or_default().push(GoldFile { path, content });
        Ok(())
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, file: &GoldFile) -> Result<Vec<u8>, StoreError> {
        read(&self.root.join(&file.path))
    }

    /// Start and end of each window of a revision with what each partition contributed.
    pub(super) fn contributions(&self, revision: i64) -> impl Iterator<Item = (i64, i64, &Contribution)> {
        self.files.iter().flat_map(move |((start, _), files)| {
            let facts = files.iter().filter_map(|file| file.content.as_ref().ok());
            let facts = facts.filter(move |facts| facts.revision == revision);
            facts.flat_map(move |facts| facts.sources.iter().map(move |source| (*start, facts.end, source)))
        })
    }

    /// The end of the newest window of each output.
    pub(super) fn newest(&self) -> BTreeMap<i32, i64> {
        let mut newest = BTreeMap::new();
        for ((_, output), files) in &self.files {
            for facts in files.iter().filter_map(|file| file.content.as_ref().ok()) {
                let end = newest.entry(*output).or_insert(facts.end);
                *end = facts.end.max(*end);
            }
        }
        newest
    }

    /// The end of the newest window that another revision made.
    pub(super) fn others_until(&self, revision: i64) -> Option<i64> {
        let facts = self.files.values().flatten().filter_map(|file| file.content.as_ref().ok());
        facts.filter(|facts| facts.revision != revision).map(|facts| facts.end).max()
    }
}

/// What is in a folder; nothing when it does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list = || std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|source| StoreError::Read { path: folder.to_owned(), source }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    std::fs::read(path).map_err(|source| StoreError::Read { path: path.to_owned(), source })
}

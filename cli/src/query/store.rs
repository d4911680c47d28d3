//! A store as DuckDB sees it: views over plain recursive globs.
//!
//! Keeps true: nothing outside of the store is read but what the SQL names, nothing is downloaded, and no column comes
//! from a folder's name (a row means the same wherever its file lies). A running pipeline puts reports of a day into one file:
//! rows are shown once meanwhile, and files that go away are no error.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use duckdb::{Config, Connection};

use super::table::Rows;

/// The views, what they select, and where their files lie below the store, before and after the pipeline's name. While the
/// reports of a day become one file, a row may be in that and in the batch's own; each differs from all others.
const VIEWS: [(&str, &str, &str, &str); 3] = [
    ("gold", "*", "gold", ""),
    ("dq_metrics", "distinct *", "dq", "metrics"),
    ("dq_samples", "distinct *", "dq", "samples"),
];

/// Why a store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is nothing.
    #[error("the store '{}' holds no tables yet: run a pipeline with this folder as its sink, or name another one with --data", .0.display())]
    Empty(PathBuf),
    /// DuckDB does not start.
    #[error("cannot start DuckDB: {0}")]
    Start(String),
    /// A view's files cannot be read.
    #[error("cannot read the files of '{view}' in '{}': {message}", folder.display())]
    MakeView {
        /// The view.
        view: &'static str,
        /// The store.
        folder: PathBuf,
        /// Why.
        message: String,
    },
    /// The SQL is wrong, or a file cannot be read.
    #[error("{message}{hint}")]
    Run {
        /// Why.
        message: String,
        /// Which views there are not, if any.
        hint: String,
    },
    /// A value cannot be shown.
    #[error("cannot show a value: {0}")]
    Show(#[from] arrow::error::ArrowError),
}

/// An open store.
pub struct Store {
    duckdb: Connection,
    missing: Vec<&'static str>,
}

impl Store {
    /// Opens the store in a folder; of one pipeline, or of all that are in it.
    ///
    /// # Errors
    /// It holds no tables, or they cannot be read.
    pub fn open(folder: &Path, pipeline: Option<&str>) -> Result<Self, StoreError> {
        let config = Config::default()
            .with("autoinstall_known_extensions", "false")
            .and_then(|config| config.with("autoload_known_extensions", "false"))
            .map_err(failed_to_start)?;
        let duckdb = Connection::open_in_memory_with_flags(config).map_err(failed_to_start)?;
        duckdb.execute_batch("set TimeZone = 'UTC'").map_err(failed_to_start)?;
        let mut missing = Vec::new();
        for (view, columns, above, below) in VIEWS {
            let Some(glob) = glob(folder, above, pipeline, below) else {
                missing.push(view);
                continue;
            };
            let sql = format!(
                "create view {view} as select {columns} from read_parquet('{glob}', union_by_name = true, hive_partitioning = false)"
            );
            let failed = |message| StoreError::MakeView { view, folder: folder.to_owned(), message };
            persist(|| duckdb.execute_batch(&sql)).map_err(failed)?;
        }
        if missing.len() == VIEWS.len() {
            return Err(StoreError::Empty(folder.to_owned()));
        }
        Ok(Self { duckdb, missing })
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// DuckDB's, with a hint when a view is not there for want of files.
    pub fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>, StoreError> {
        let run = || {
            let mut statement = self.duckdb.prepare(sql)?;
            let mut batches: Vec<RecordBatch> = statement.query_arrow([])?.collect();
            if batches.is_empty() {
                batches.push(RecordBatch::new_empty(statement.schema()));
            }
            Ok(batches)
        };
        persist(run).map_err(|message| StoreError::Run { message, hint: self.hint(sql) })
    }

    /// Runs one statement and gives its rows as text.
    ///
    /// # Errors
    /// As [`Store::batches`].
    pub fn rows(&self, sql: &str) -> Result<Rows, StoreError> {
        Ok(Rows::of(&self.batches(sql)?)?)
    }

    /// Whether a view has files.
    pub fn has(&self, view: &str) -> bool {
        !self.missing.contains(&view)
    }

    fn hint(&self, sql: &str) -> String {
        let named: Vec<_> = self.missing.iter().filter(|view| sql.contains(**view)).copied().collect();
        if named.is_empty() { String::new() } else { format!("\nthere are no files of '{}' yet", named.join("', '")) }
    }
}

/// The glob of a view's files, quoted for SQL; none when there are no files.
fn glob(folder: &Path, above: &str, pipeline: Option<&str>, below: &str) -> Option<String> {
    let pipelines = match pipeline {
        Some(name) => vec![folder.join(above).join(name)],
        None => std::fs::read_dir(folder.join(above)).ok()?.flatten().map(|entry| entry.path()).collect(),
    };
    pipelines.iter().any(|pipeline| has_parquet(&pipeline.join(below))).then_some(())?;
    let mut literal = folder.display().to_string();
    literal = literal.replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
    let parts = [literal.trim_end_matches('/'), above, pipeline.unwrap_or("*"), below, "**", "*.parquet"];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("/").replace('\'', "''"))
}

fn has_parquet(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            folders.push(entry);
        } else if entry.extension().is_some_and(|extension| extension == "parquet") {
            return true;
        }
    }
    folders.iter().any(|folder| has_parquet(folder))
}

/// Does it again when a file has gone that was listed: reports of a day that is one file now. What is listed then does not have it.
pub(super) fn persist<T>(mut action: impl FnMut() -> Result<T, duckdb::Error>) -> Result<T, String> {
    let mut before = None;
    loop {
        match action().map_err(told) {
            Err(message) if message.contains("No such file or directory") && before.as_ref() != Some(&message) => {
                before = Some(message);
            }
            done => return done,
        }
    }
}

fn failed_to_start(error: duckdb::Error) -> StoreError {
    StoreError::Start(told(error))
}

/// DuckDB's own message: what the crate adds (an error code that is always the same) says nothing.
fn told(error: duckdb::Error) -> String {
    match error {
        duckdb::Error::DuckDBFailure(_, Some(message)) => message.trim_end().to_owned(),
        other => other.to_string(),
    }
}

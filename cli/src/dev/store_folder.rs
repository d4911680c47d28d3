//! The folder for the tables of a run.
//!
//! Keeps true: a run with the embedded broker, whose log starts anew, never meets tables of an earlier log.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::DevArgs;

/// Why the tables have no folder.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("cannot make the folder '{folder}': {source}")]
    Make {
        /// The folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// Old tables cannot be removed.
    #[error("cannot remove '{folder}': {source}")]
    Remove {
        /// The folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// There are old tables.
    #[error(
        "'{folder}' holds tables of an earlier run, but the embedded broker starts empty: remove them with --fresh, or name \
         another folder with --data"
    )]
    OldTables {
        /// The folder.
        folder: String,
    },
}

/// Makes the folder, free of what would contradict this run, and gives its absolute path.
///
/// # Errors
/// It cannot be made, or holds tables of an earlier run.
pub fn prepare(args: &DevArgs, pipeline: &str) -> Result<PathBuf, FolderError> {
    let named = || args.data().display().to_string();
    let made = std::path::absolute(args.data()).and_then(|data| std::fs::create_dir_all(&data).map(|()| data));
    let data = made.map_err(|source| FolderError::Make { folder: named(), source })?;
    for kind in ["gold", "dq"] {
        let old = data.join(kind).join(pipeline);
        let folder = old.display().to_string();
        if !old.exists() {
            continue;
        }
        if args.fresh {
            std::fs::remove_dir_all(&old).map_err(|source| FolderError::Remove { folder, source })?;
        } else if args.kafka.is_none() {
            return Err(FolderError::OldTables { folder });
        }
    }
    Ok(data)
}

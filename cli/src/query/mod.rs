//! `sluice query`: SQL over the tables that a pipeline wrote.
//!
//! Keeps true: what is shown is what the files say; decimals are exact and times are UTC. Exit code 0 when the query ran,
//! 1 when it did not, 2 for wrong usage.

mod output;
mod store;
mod table;

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

pub use store::{Store, StoreError};
pub use table::{Column, Rows};

/// Flags of `sluice query`.
#[derive(Debug, Clone, clap::Args)]
pub struct QueryArgs {
    /// SQL, or '-' for standard input.
    #[arg(
        value_name = "SQL",
        help = "DuckDB SQL over the views gold, dq_metrics and dq_samples; '-' reads it from standard input. Without it: the \
                newest windows"
    )]
    pub sql: Option<String>,
    /// The store: the folder of the pipeline's sink
    #[arg(long, value_name = "DIR", env = "SLUICE_DATA", default_value = "data")]
    pub data: PathBuf,
    /// Only this pipeline's tables
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// How to show the rows
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// How to show rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; long results are cut
    Table,
    /// With a header line; null is empty
    Csv,
    /// An array of objects
    Json,
}

/// Why there are no rows to show.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The store or the SQL.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Standard input.
    #[error("cannot read SQL from standard input: {0}")]
    ReadSql(std::io::Error),
    /// The output.
    #[error("cannot write the rows: {0}")]
    WriteRows(std::io::Error),
}

/// The newest three windows.
pub const NEWEST: &str = "select * from gold where window_start in \
     (select distinct window_start from gold order by window_start desc limit 3) order by all";

/// The verb.
///
/// # Errors
/// The store is empty, the SQL is wrong, or the rows cannot be written.
pub fn run(args: &QueryArgs, out: &mut dyn Write) -> Result<(), QueryError> {
    let sql = match args.sql.as_deref() {
        Some("-") => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).map_err(QueryError::ReadSql)?;
            sql
        }
        Some(sql) => sql.to_owned(),
        None => NEWEST.to_owned(),
    };
    let rows = Store::open(&args.data, args.pipeline.as_deref())?.rows(&sql)?;
    output::write(&rows, args.output, out).map_err(QueryError::WriteRows)
}

#[cfg(test)]
mod tests;

//! What can go wrong in the core: a program that does not fit its rows, which is a bug.

use arrow_schema::ArrowError;

/// An error of the core. None of them goes away by retrying.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A compiled expression failed on rows of the schema that it was compiled for.
    #[error("cannot evaluate {what}: {source}")]
    Evaluate {
        /// Which expression.
        what: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column has a type that the program does not expect.
    #[error("{what} has type {found}, which cannot be read as {expected}")]
    ColumnType {
        /// Which column.
        what: String,
        /// What is allowed.
        expected: &'static str,
        /// What it is.
        found: arrow_schema::DataType,
    },
    /// Arrow refused.
    #[error("cannot {doing}: {source}")]
    Arrow {
        /// The operation.
        doing: &'static str,
        /// What it said.
        source: ArrowError,
    },
}

impl Error {
    pub(crate) fn arrow(doing: &'static str) -> impl FnOnce(ArrowError) -> Self {
        move |source| Self::Arrow { doing, source }
    }
}

//! What can go wrong in the core: a program that does not fit its rows (a bug), or numbers too large (the user's to mend).

use arrow_schema::ArrowError;

use crate::window::Window;

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
    /// A total does not fit its type. The user must widen the measure or mend the data.
    #[error("measure '{measure}' overflows in the window from {} to {}", window.start, window.end)]
    Overflow {
        /// The measure.
        measure: String,
        /// The window.
        window: Window,
    },
}

impl Error {
    pub(crate) fn arrow(doing: &'static str) -> impl FnOnce(ArrowError) -> Self {
        move |source| Self::Arrow { doing, source }
    }
}

//! What a manifest may ask for that this version does not carry out: refused at the start, never ignored.

use plan::Plan;
use thiserror::Error;

/// A part of the manifest that this version does not carry out. The user must change it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field} is {found}, which this version does not carry out; allowed is {allowed}")]
pub struct Unsupported {
    /// The manifest's field.
    pub field: String,
    /// Its value.
    pub found: String,
    /// What may stand there.
    pub allowed: &'static str,
}

impl Unsupported {
    /// The sink is of a kind that this version does not write to.
    pub(crate) fn sink(plan: &Plan) -> Self {
        Self { field: "'sink.path'".to_owned(), found: format!("'{}'", plan.sink.url), allowed: "'file:///PATH'" }
    }
}

//! What a manifest may ask for that this version does not carry out: refused at the start, never ignored.

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

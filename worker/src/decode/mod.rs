//! One fetch of framed Avro becomes one Arrow batch, plus the records that could not become rows.
//!
//! Kept true:
//! - every record of a fetch is either a row of [`Decoded::batch`] or one of [`Decoded::undecodable`], order kept;
//! - a record's fate depends on its own bytes and its writer schema alone, never on its neighbours or on how the log was
//!   cut into fetches: its bytes are checked against the writer schema ([`scan`]) before arrow-avro appends anything, because
//!   arrow-avro cannot take back the columns of a record that fails halfway;
//! - rows of different writer schemas share one Arrow schema and keep their order.

mod columns;
mod fit;
pub mod framing;
pub mod log_time;
pub mod outcome;
#[cfg(test)]
pub(crate) mod samples;
pub mod scan;
mod writer;

pub use columns::Decoder;
pub use framing::{Framed, SchemaKey};
pub use log_time::{Doubt, LogClock};
pub use outcome::{DecodeError, Decoded, Reason, Undecodable};

use std::sync::Arc;

/// What a registry says about a writer schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriterSchema {
    /// The Avro schema, as JSON.
    Avro(Arc<str>),
    /// There is a schema, but not one that can be used here; says why.
    Unusable(Arc<str>),
    /// The registry answers, and it has no such schema.
    Unknown,
}

/// The registry could not be asked; nothing can be said about the record, so the caller waits and tries again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RegistryUnreachable {
    /// What was tried and what happened.
    pub message: String,
}

/// Where writer schemas come from. Asked for every record of a schema until it gives one, so it should remember its answers.
pub trait WriterSchemas {
    /// The schema registered under this id or GUID.
    fn writer_schema(&self, key: SchemaKey) -> Result<WriterSchema, RegistryUnreachable>;
}

impl<S: WriterSchemas + ?Sized> WriterSchemas for Arc<S> {
    fn writer_schema(&self, key: SchemaKey) -> Result<WriterSchema, RegistryUnreachable> {
        (**self).writer_schema(key)
    }
}

/// By number alone; what is named by GUID is unknown.
impl<F: Fn(u32) -> Result<WriterSchema, RegistryUnreachable>> WriterSchemas for F {
    fn writer_schema(&self, key: SchemaKey) -> Result<WriterSchema, RegistryUnreachable> {
        match key {
            SchemaKey::Id(id) => self(id),
            SchemaKey::Guid(_) => Ok(WriterSchema::Unknown),
        }
    }
}

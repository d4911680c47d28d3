//! The verbs of the `sluice` command line, one module each, without the parsing of flags into verbs.

pub mod completion;
pub mod crd;
pub mod dev;
pub mod dlq;
pub mod explain;
pub mod generate;
pub mod manifest;
pub mod observe;
pub mod pipeline_at;
pub mod quality;
pub mod query;
pub mod status;
pub mod stretch;
pub mod validate;
pub mod verify;

//! The verbs of the `sluice` command line, one module each, without the parsing of flags into verbs.

pub mod completion;
pub mod crd;
pub mod dev;
pub mod generate;
pub mod manifest;
pub mod query;
pub mod validate;

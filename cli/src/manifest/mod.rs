//! Manifests: from the bytes of a YAML file to pipelines that can run, or to every problem with its place.
//!
//! Keeps true: one parse gives values and places, so a problem of any later stage points at the right character; every
//! problem of a file is found in one pass, whether it is one of form or of meaning.

pub mod codes;
mod finding;
mod form;
mod read;
mod scalar;
mod shape;
mod source;
mod tree;

pub use finding::Finding;
pub use read::{Document, Pipeline, Skipped, read};
pub use source::{Place, Source};

#[cfg(test)]
mod tests;

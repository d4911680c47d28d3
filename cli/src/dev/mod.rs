//! `sluice dev`: the same manifest in one process, with an embedded broker and registry or with real ones.

mod args;
pub mod broker;
mod conclude;
pub(crate) mod figures;
mod generated;
mod panel;
pub(crate) mod pipeline;
mod plain;
mod reach;
pub(crate) mod refusals;
pub mod registry;
mod run;
mod screen;
mod servers;
pub(crate) mod shared;
mod snapshot;
mod store_folder;
mod subject;
mod summary;
mod summary_text;
mod summary_truth;
mod watch;

#[cfg(test)]
mod tests;

pub use args::DevArgs;
pub use run::{DevError, run};

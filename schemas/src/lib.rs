//! What two Sluice processes must agree on: the resource as written, names, wire records and the worker's report.

pub mod report;
pub mod spec;
pub mod wire;

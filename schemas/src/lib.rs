//! What two Sluice processes must agree on: the resource as written and its status, names, wire records, dead letters, epochs
//! and the worker's report; and how foreign text is shown to people.

pub mod epochs;
pub mod letters;
pub mod report;
pub mod spec;
pub mod status;
pub mod text;
pub mod wire;

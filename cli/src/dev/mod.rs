//! What `sluice dev` runs beside the worker, in the same process, on loopback.

pub mod broker;
pub mod registry;

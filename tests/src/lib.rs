//! What proves Sluice: the oracle that everything is compared with, and the tests that use it.

pub mod model;

//! What proves Sluice: the oracle that everything is compared with, and the tests that use it.

pub mod api_server;
pub mod embedded;
pub mod kafka;
pub mod model;
pub mod pipeline;
pub mod proxy;
pub mod python;
pub mod registry;
pub mod server;
pub mod setup;
pub mod sim;
pub mod worlds;

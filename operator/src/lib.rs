//! The operator: `AnalyticsPipeline` resources become topics, schemas and workers.

pub mod api;
pub mod compile;
pub mod controller;
pub mod leader;
pub mod names;
pub mod reconcile;
pub mod telemetry;
pub mod watches;
pub mod world;

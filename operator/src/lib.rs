//! The operator: `AnalyticsPipeline` resources become topics, schemas and workers.

pub mod api;

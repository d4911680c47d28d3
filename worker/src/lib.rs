//! The worker: reads the topic, judges, folds, publishes.

pub mod decode;
pub mod source;

//! The worker: reads the topic, judges, folds, publishes.

pub mod client;
pub mod decode;
mod program;
pub mod progress;
mod publish;
pub mod source;
mod status;
mod stop;
mod wire;

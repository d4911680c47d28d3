//! The worker: reads the topic, judges, folds, publishes.
//!
//! [`Worker::start`] starts everything in this process; the semantics are `stream_core`'s, this crate is the plumbing
//! around it: Kafka in and out, decoding, files, HTTP.

pub mod agree;
pub mod arrow_stream;
pub mod bounded;
pub mod checkpoint;
pub mod client;
pub mod decode;
mod http;
pub mod ingest;
pub mod meaning;
mod metrics;
pub mod produce;
pub mod program;
pub mod progress;
pub mod publish;
pub mod quality;
pub mod recompute;
pub mod registry;
pub mod secrets;
pub mod source;
pub mod status;
pub mod stop;
mod supported;
pub mod trial;
pub mod wire;
mod worker;

pub use ingest::IngestError;
pub use publish::PublishError;
pub use quality::WatchError;
pub use supported::Unsupported;
pub use worker::{Config, Worker, WorkerError};

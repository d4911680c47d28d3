//! The generator against an independent reading of its bytes.
#![allow(clippy::unwrap_used)]

mod bytes;
mod recount;
mod send;
mod stream;

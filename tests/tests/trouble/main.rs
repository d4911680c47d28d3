//! What goes wrong around a worker, and what people are told then: every message here is the one that a person reads.
//!
//! Broker and registry are the embedded ones, each behind a proxy that a test closes and opens, so nothing needs to be
//! installed. Every trouble ends with the same proof: the worker goes on by itself and its files are, byte for byte, those
//! of a run that nothing happened to.
#![allow(clippy::unwrap_used)]

mod broker;
mod letters;
mod registry;
mod sink;
mod stopping;
mod times;
mod topic;
mod world;

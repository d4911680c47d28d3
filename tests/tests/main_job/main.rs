//! The main job on a real Apache Kafka and a real registry, fed by the Confluent Python client: a topic becomes exact
//! tables, the same ones however it is run and wherever it is interrupted.

mod bytes;
mod changed;
mod checkpoints;
mod days;
mod evolution;
mod gone;
mod job;
mod large;
mod lost;
mod process;
mod quality;
mod quiet;
mod recount;
mod restart;
mod tables;
mod taken_away;
mod together;
mod transactions;
mod verify;

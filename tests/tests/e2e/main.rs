//! End to end on a real Kubernetes: the chart is installed, the quickstart manifest applied, events come from an independent
//! client, and the tables on the volume are held against an independent recount. Then everything that happens to clusters
//! happens to this one.
//!
//! All tests share one cluster, which the first of them starts and which ends with the test process; `SLUICE_E2E=kind` makes it
//! a kind cluster. Each test has a namespace, a Kafka and a registry of its own.

mod cluster;
mod first_pipeline;
mod images;
mod kills;
mod outside;
mod processes;
mod running;
mod steps;
mod store;
mod thorough;
mod world;

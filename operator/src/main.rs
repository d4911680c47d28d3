//! `sluice-operator`: runs the controller until it is told to stop.

fn main() {}

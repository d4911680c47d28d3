//! Chaos: a real Kafka, real worker processes, signals. Whatever is killed, stopped, removed or away, the files are byte for
//! byte those of an undisturbed run of the same log.
//!
//! It takes minutes: `make chaos` runs it, `make test` leaves it out. `EVENTS`, `FAULTS` and `SEED` choose another; the seed is printed.

mod disk;
mod faults;
mod figures;
mod slots;
mod thorough;
mod world;

//! What people can see of bad data and do about it: workers over an embedded broker and registry. No server needed.

mod letters;
mod look;
mod mutations;
mod overflow;
mod poison;
mod standstill;
mod table;
mod thresholds;
mod valueless;
mod verify;
mod volume;
mod world;

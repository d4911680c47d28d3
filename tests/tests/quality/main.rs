//! What people can see of bad data and do about it: workers over an embedded broker and registry. No server needed.

mod thresholds;
mod world;

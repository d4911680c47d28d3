//! What `make e2e` shows beyond the everyday run of `make test`, for which it takes too long.

mod changes;
mod documented;
mod hostile;
mod kills;
mod meaning;
mod registry;
mod steady;
mod volumes;

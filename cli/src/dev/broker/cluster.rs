//! What every connection shares: the topics, the groups, and where clients find this broker.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::groups::Groups;
use super::topics::{Bell, Topics};

/// The one broker's id, and its leader epoch for ever.
pub(super) const NODE: i32 = 1;
pub(super) const LEADER_EPOCH: i32 = 0;

/// A cluster of one broker.
pub(super) struct Cluster {
    pub(super) address: SocketAddr,
    pub(super) topics: Topics,
    pub(super) groups: Groups,
    /// Rings when records arrive, and when the broker stops.
    pub(super) arrivals: Bell,
    producers: AtomicI64,
    stopping: AtomicBool,
}

impl Cluster {
    pub(super) fn new(address: SocketAddr, topics: Topics) -> Self {
        Self {
            address,
            topics,
            groups: Groups::default(),
            arrivals: Bell::default(),
            producers: AtomicI64::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn next_producer(&self) -> i64 {
        self.producers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Lets every waiting request return.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.groups.stop();
        self.arrivals.ring();
    }
}

/// Milliseconds since the epoch: the log-append time of what arrives now.
pub(super) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

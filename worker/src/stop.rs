//! The one cancellation tree: whoever waits, waits here, and is woken when the worker is to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request to stop, shared by all tasks of a worker.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    requested: Arc<(Mutex<bool>, Condvar)>,
    for_good: Arc<AtomicBool>,
    hurried: bool,
}

impl Stop {
    /// A stop at which every wait is over at once: for simulations, whose time does not pass by itself.
    pub fn hurried() -> Self {
        Self { hurried: true, ..Self::default() }
    }

    /// Asks all to stop.
    pub fn request(&self) {
        let (requested, woken) = &*self.requested;
        *requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        woken.notify_all();
    }

    /// The stop that comes will be for good: no worker of this name follows soon.
    pub fn expect_for_good(&self) {
        self.for_good.store(true, Ordering::Release);
    }

    /// Whether the stop is for good.
    pub fn is_for_good(&self) -> bool {
        self.for_good.load(Ordering::Acquire)
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        *self.requested.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time` or the request; true when it was requested.
    pub fn wait(&self, time: Duration) -> bool {
        let (requested, woken) = &*self.requested;
        let until = Instant::now() + time;
        let mut requested = requested.lock().unwrap_or_else(PoisonError::into_inner);
        while !*requested && !self.hurried {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            requested = woken.wait_timeout(requested, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *requested
    }
}

/// Waiting times that double from a tenth of a second up to ten seconds.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Backoff {
    /// The next waiting time.
    pub fn next(&mut self) -> Duration {
        let time = self.0;
        self.0 = (self.0 * 2).min(Duration::from_secs(10));
        time
    }
}

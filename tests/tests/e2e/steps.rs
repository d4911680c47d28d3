//! The time of each step, told as it happens, also when the test harness keeps output back.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// The steps of one test.
pub struct Steps {
    test: &'static str,
    begun: Instant,
    last: Instant,
}

impl Steps {
    /// The first step begins now.
    pub fn begin(test: &'static str) -> Self {
        let now = Instant::now();
        Self { test, begun: now, last: now }
    }

    /// A step is done, and the next one begins.
    pub fn done(&mut self, step: &str) -> Duration {
        let now = Instant::now();
        let took = now - self.last;
        self.last = now;
        let (took_s, all) = (took.as_secs_f64(), (now - self.begun).as_secs_f64());
        // Straight to the file, because the harness shows what is printed only when a test fails.
        drop(writeln!(std::io::stderr(), "{}: {took_s:6.1} s  {step}  ({all:.1} s so far)", self.test));
        took
    }
}

/// Waits until `look` finds something.
///
/// # Errors
/// It has not within `patience`, or an error of `look`.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "after {patience:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

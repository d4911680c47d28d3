//! When reports are looked at, and when those that the file of their day replaces go.
//!
//! What it keeps true: a pass is made whenever it would come to something else than the last one, so the files are the same
//! whether a worker was there all the time or has just come; a replaced file stays beside that of its day for a while, so a reader who
//! began to list the folder before there was one misses no row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Batch, Passed, Reports, ReportsError, Standing};

/// The days of each partition's newest report and seal, as [`Reports::days`] gives them.
type Steps = (BTreeMap<i32, [i64; 2]>, Vec<Option<[i64; 2]>>);

/// What a publisher remembers of its passes.
pub(in crate::publish) struct Due {
    linger: Duration,
    /// Where partitions stood at the last pass.
    steps: Option<Steps>,
    /// Batches that are replaced, and since when that is known.
    replaced: BTreeMap<Batch, Instant>,
}

impl Due {
    /// Nothing was looked at yet; replaced files stay for `linger`.
    pub(in crate::publish) fn new(linger: Duration) -> Self {
        Self { linger, steps: None, replaced: BTreeMap::new() }
    }

    /// Makes a pass if it would come to something else than the last one, and removes what has lingered. Nothing when no pass was made.
    pub(in crate::publish) fn see_to(
        &mut self,
        reports: &Reports<'_>,
        standing: &Standing<'_>,
        now: Instant,
    ) -> Result<Option<Passed>, ReportsError> {
        let reported = standing.reported.iter().map(|(partition, time)| (*partition, reports.days(*time)));
        let settled = standing.settled.iter().map(|time| time.map(|time| reports.days(time)));
        let steps = (reported.collect(), settled.collect());
        let mut passed = None;
        if self.steps.as_ref() != Some(&steps) {
            let found = reports.pass(standing)?;
            for batch in &found.replaced {
                self.replaced.entry(*batch).or_insert(now);
            }
            (self.steps, passed) = (Some(steps), Some(found));
        }
        let has_lingered = |since: &Instant| now.saturating_duration_since(*since) >= self.linger;
        let over: Vec<_> =
            self.replaced.iter().filter(|(_, since)| has_lingered(since)).map(|(batch, _)| *batch).collect();
        for batch in over {
            reports.remove(batch)?;
            self.replaced.remove(&batch);
        }
        Ok(passed)
    }

    /// Nothing lingers any more: a bounded run ends with the files that there are to be.
    pub(in crate::publish) fn end(&mut self) {
        self.linger = Duration::ZERO;
    }
}

//! How a log is cut into fetches.

use std::ops::Range;

use super::Log;

/// A cutting of any log: fetch after fetch, how many records it holds at the most, and how far it reaches into the gap
/// behind its last record. The list is gone through again and again.
#[derive(Clone, Debug)]
pub struct Cutting {
    fetches: Vec<(usize, i64)>,
    next: usize,
}

impl Cutting {
    /// The given fetches; a fetch of no records only reaches further into a gap.
    ///
    /// # Panics
    /// If no fetch holds a record.
    pub fn new(fetches: Vec<(usize, i64)>) -> Self {
        assert!(fetches.iter().any(|(records, _)| *records > 0), "a cutting gets somewhere");
        Self { fetches, next: 0 }
    }

    /// Every record by itself.
    pub fn single() -> Self {
        Self::new(vec![(1, 0)])
    }

    /// The whole log at once.
    pub fn whole() -> Self {
        Self::new(vec![(usize::MAX, i64::MAX)])
    }

    /// The next fetch at `position`, which does not go past `until`.
    pub fn fetch(&mut self, log: &Log, position: i64, until: i64) -> Range<i64> {
        let (records, reach) = self.fetches[self.next % self.fetches.len()];
        self.next += 1;
        let mut ahead = log.from(position).take_while(|offset| *offset < until);
        let past_last = ahead.by_ref().take(records).last().map_or(position, |last| last + 1);
        let gap_end = ahead.next().unwrap_or(until);
        // Behind the last record there is nothing to wait for.
        let reached = if gap_end == until && records > 0 { until } else { past_last.saturating_add(reach) };
        position..reached.min(gap_end)
    }
}

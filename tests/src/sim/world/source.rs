//! A partition of the source topic, and its ends.

use stream_core::{LogTime, Offset};
use worker::ingest::effects::Ends;

use crate::sim::domain::Entry;

/// A source partition.
#[derive(Debug)]
pub struct Source {
    /// All records it will ever have.
    pub entries: Vec<Entry>,
    /// Where the log began.
    pub low: i64,
    /// What stands before this is gone from it.
    pub gone: i64,
    /// How many records it has now.
    pub visible: usize,
}

impl Source {
    /// The first record with this log time or a later one.
    pub fn first_at(&self, time: LogTime) -> Option<Offset> {
        self.entries.iter().find(|entry| entry.log_time >= time.0).map(|entry| Offset(entry.offset))
    }

    /// So many more records are there, up to the first with an event time that is `withheld`.
    pub fn show(&mut self, count: usize, withheld: Option<i64>) {
        let is_held = |entry: &Entry| entry.sale.as_ref().and_then(|sale| sale.at) >= withheld;
        let held = self.entries[self.visible..].iter().position(|entry| withheld.is_some() && is_held(entry));
        let most = held.map_or(self.entries.len(), |held| self.visible + held);
        self.visible = (self.visible + count).min(most);
    }

    /// The ends of the log. Aborted transactions leave gaps, at its end as well; an open one keeps records back.
    pub fn ends(&self) -> Ends {
        let next = self.entries.get(self.visible).map(|entry| entry.offset);
        let behind = self.visible.checked_sub(1).map_or(self.low, |last| self.entries[last].offset + 1);
        let stable = if self.visible.is_multiple_of(2) { next.unwrap_or(behind + 1) } else { behind };
        let high = if self.visible % 5 == 3 { stable + 2 } else { stable };
        Ends { low: Offset(self.low.max(self.gone)), stable: Offset(stable), high: Offset(high) }
    }

    /// The first `count` of so many `parts` of the records that are left are gone, at least one.
    pub fn lose(&mut self, count: usize, parts: usize) -> bool {
        let first = self.entries.partition_point(|entry| entry.offset < self.gone);
        let left = self.visible.saturating_sub(first);
        let Some(last) = (left * count / parts).max(1).min(left).checked_sub(1) else { return false };
        self.gone = self.entries[first + last].offset + 1;
        true
    }

    /// The largest event time that may count among the records that are there, at the most.
    pub fn newest(&self, max_future_skew: i64) -> Option<i64> {
        let there = &self.entries[..self.visible];
        let latest = there.iter().map(|entry| entry.log_time).max()? + max_future_skew;
        there.iter().filter_map(|entry| entry.sale.as_ref()?.at).filter(|at| *at <= latest).max()
    }
}

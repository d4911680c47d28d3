//! Windows: half-open `[start, end)`, aligned to the epoch plus an offset, found by Euclidean division.

use serde::{Deserialize, Serialize};

use crate::units::EventTime;

/// A window of event time, half-open. Ordered by start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub start: EventTime,
    /// The first instant after.
    pub end: EventTime,
}

impl Window {
    /// Whether `time` lies inside.
    #[inline]
    pub fn contains(&self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }
}

/// The grid on which windows lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Length of each window in milliseconds; positive.
    pub size: i64,
    /// Shift of the grid against the epoch in milliseconds, `0 <= offset < size`.
    pub offset: i64,
}

impl Windows {
    /// The window that holds `time`.
    pub fn of(&self, time: EventTime) -> Window {
        let start = self.floor(time);
        Window { start, end: EventTime(start.0.saturating_add(self.size)) }
    }

    /// The last boundary of the grid at or before `time`; [`EventTime::NEVER`] stays as it is.
    pub fn floor(&self, time: EventTime) -> EventTime {
        if time == EventTime::NEVER {
            return time;
        }
        let past = time.0.saturating_sub(self.offset).rem_euclid(self.size);
        EventTime(time.0.saturating_sub(past))
    }

    /// The first boundary of the grid at or after `time`.
    pub fn ceil(&self, time: EventTime) -> EventTime {
        let floor = self.floor(time);
        if floor == time { floor } else { EventTime(floor.0.saturating_add(self.size)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_by_euclid_also_before_the_epoch() {
        let grid = Windows { size: 300, offset: 0 };
        assert_eq!(grid.of(EventTime(-1)), Window { start: EventTime(-300), end: EventTime(0) });
        assert_eq!(grid.of(EventTime(0)).start, EventTime(0));
        assert_eq!(grid.of(EventTime(299)).start, EventTime(0));
        assert_eq!(grid.of(EventTime(300)).start, EventTime(300));
    }

    #[test]
    fn an_offset_shifts_the_grid() {
        let grid = Windows { size: 300, offset: 20 };
        assert_eq!(grid.floor(EventTime(19)), EventTime(-280));
        assert_eq!(grid.floor(EventTime(20)), EventTime(20));
        assert_eq!(grid.ceil(EventTime(21)), EventTime(320));
        assert_eq!(grid.ceil(EventTime(20)), EventTime(20));
    }
}

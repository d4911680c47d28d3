//! Owns the rule for log time: the broker's timestamp as it is, or the running maximum of the producers' timestamps.
//!
//! Kept true: on a `CreateTime` topic the log time of a partition never goes back, and it is a fold over the records in offset
//! order, so it is the same for every cutting into fetches when the state is carried along.

use crate::source::batch::{Timestamp, TimestampKind};

/// The running maximum of one partition's timestamps. Part of the anchor: a replay starts with the value that held there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogClock {
    newest_ms: i64,
}

impl LogClock {
    /// The clock of a partition whose timestamps reached `newest_ms` before the next record (0 at the log's start).
    pub fn resume(newest_ms: i64) -> Self {
        Self { newest_ms }
    }

    /// The largest timestamp so far, milliseconds UTC.
    pub fn newest_ms(self) -> i64 {
        self.newest_ms
    }

    /// The log time of the next record, milliseconds UTC.
    pub fn advance(&mut self, timestamp: Timestamp) -> i64 {
        self.newest_ms = self.newest_ms.max(timestamp.ms);
        match timestamp.kind {
            TimestampKind::LogAppend => timestamp.ms,
            TimestampKind::Create | TimestampKind::Missing => self.newest_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_time_never_goes_back_and_append_time_is_taken_as_it_is() {
        let mut clock = LogClock::resume(100);
        let mut at = |ms, kind| clock.advance(Timestamp { ms, kind });
        assert_eq!(at(90, TimestampKind::Create), 100);
        assert_eq!(at(120, TimestampKind::Create), 120);
        assert_eq!(at(-1, TimestampKind::Missing), 120);
        assert_eq!(at(110, TimestampKind::LogAppend), 110);
        assert_eq!(at(110, TimestampKind::Create), 120);
        assert_eq!(clock.newest_ms(), 120);
    }
}

//! Owns the rule for log time: the broker's timestamp as it is, or the running maximum of the producers' timestamps, which begins
//! anew where they contradict it.
//!
//! Kept true: the log time of a record follows from the records up to it alone, and what must be known of those before is the log
//! time of the last. So it is the same for every cutting into fetches and for every replay, however late. A record's log time
//! is never before its own timestamp.

use crate::source::batch::{Timestamp, TimestampKind};

/// The first millisecond that is no timestamp: the year 10,000 begins.
const CALENDAR_END: i64 = 253_402_300_800_000;

/// When producers' timestamps that lie behind the log time take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// At offsets that this divides. Looking at some alone keeps stragglers from moving the log time to and fro.
    pub every: i64,
    /// Where the timestamp lies further behind than this, milliseconds.
    pub tolerance: i64,
}

impl Doubt {
    /// What holds for every topic. The number is prime, so that no rhythm of transactions, whose markers take up offsets, evades it.
    pub const RULE: Self = Self { every: 997, tolerance: 86_400_000 };
}

/// The log time of one partition. Part of the anchor: a replay starts with the value that held there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogClock {
    newest_ms: i64,
    doubt: Doubt,
}

impl Default for LogClock {
    fn default() -> Self {
        Self::resume(0)
    }
}

impl LogClock {
    /// The clock of a partition whose last record before the next one has the log time `newest_ms` (0 at the log's start).
    pub fn resume(newest_ms: i64) -> Self {
        Self { newest_ms, doubt: Doubt::RULE }
    }

    /// The same with another rule.
    #[must_use]
    pub fn with_doubt(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }

    /// The log time of the last record, milliseconds UTC.
    pub fn newest_ms(self) -> i64 {
        self.newest_ms
    }

    /// The log time of the next record, which stands at `offset`, milliseconds UTC.
    ///
    /// A producer's timestamp that is missing, or outside of the calendar, is none.
    pub fn advance(&mut self, offset: i64, timestamp: Timestamp) -> i64 {
        let Timestamp { ms, kind } = timestamp;
        match kind {
            TimestampKind::LogAppend => self.newest_ms = ms,
            TimestampKind::Create if (0..CALENDAR_END).contains(&ms) => {
                let behind = self.newest_ms.saturating_sub(ms);
                let begins_anew = offset % self.doubt.every == 0 && behind > self.doubt.tolerance;
                self.newest_ms = if begins_anew { ms } else { self.newest_ms.max(ms) };
            }
            TimestampKind::Create | TimestampKind::Missing => {}
        }
        self.newest_ms
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_428_900_000;
    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 365 * DAY;

    fn create(ms: i64) -> Timestamp {
        Timestamp { ms, kind: TimestampKind::Create }
    }

    fn told(from: i64, log: &[(i64, i64)]) -> Vec<i64> {
        let mut clock = LogClock::resume(from);
        log.iter().map(|(offset, ms)| clock.advance(*offset, create(*ms))).collect()
    }

    #[test]
    fn create_time_does_not_go_back_and_append_time_is_taken_as_it_is() {
        let mut clock = LogClock::resume(100);
        let mut at = |offset, ms, kind| clock.advance(offset, Timestamp { ms, kind });
        assert_eq!(at(0, 90, TimestampKind::Create), 100);
        assert_eq!(at(1, 120, TimestampKind::Create), 120);
        assert_eq!(at(2, -1, TimestampKind::Missing), 120);
        assert_eq!(at(3, 110, TimestampKind::LogAppend), 110);
        assert_eq!(at(4, 110, TimestampKind::Create), 110);
        assert_eq!(clock.newest_ms(), 110);
    }

    #[test]
    fn what_is_no_time_is_no_timestamp() {
        let log: Vec<_> = (0..).zip([NOW, i64::MAX, i64::MIN, -1, CALENDAR_END, NOW * 1_000, NOW + 1]).collect();
        assert_eq!(told(0, &log), [NOW, NOW, NOW, NOW, NOW, NOW, NOW + 1]);
    }

    /// A timestamp of another year concerns the records up to the next offset that the rule looks at.
    #[test]
    fn a_timestamp_far_ahead_does_not_hold_for_ever() {
        let log: Vec<_> =
            (1_000..4_000).map(|offset| (offset, NOW + offset + i64::from(offset == 1_500) * YEAR)).collect();
        let told = told(NOW, &log);
        for ((offset, ms), log_time) in log.iter().zip(told) {
            let is_ahead = (1_500..2 * 997).contains(offset);
            assert_eq!(log_time, if is_ahead { NOW + 1_500 + YEAR } else { *ms }, "{offset}");
        }
    }

    /// Some logs at offsets with gaps around one that the rule looks at: honest timestamps with stragglers, some of them far ahead.
    fn arb_log() -> impl Strategy<Value = Vec<(i64, i64)>> {
        let ahead = prop_oneof![8 => Just(0), 1 => -3 * DAY..0, 1 => 0..3 * DAY, 1 => 0..9 * YEAR];
        let record = (prop_oneof![9 => Just(1_i64), 1 => 2..400_i64], 0..DAY / 3, ahead);
        (0..2_000_i64, proptest::collection::vec(record, 1..200)).prop_map(|(start, records)| {
            let (mut offset, mut clock) = (start, NOW);
            let laid = records.into_iter().map(|(step, pause, ahead)| {
                (offset, clock) = (offset + step, clock + pause);
                (offset, clock + ahead)
            });
            laid.collect()
        })
    }

    proptest! {
        #[test]
        fn a_replay_from_anywhere_tells_the_same(log in arb_log(), cut in 0..200_usize) {
            let whole = told(0, &log);
            let cut = cut.min(log.len() - 1);
            let before = cut.checked_sub(1).map_or(0, |last| whole[last]);
            prop_assert_eq!(&told(before, &log[cut..]), &whole[cut..]);
        }

        #[test]
        fn no_record_is_older_than_it_says(log in arb_log()) {
            for ((_, ms), log_time) in log.iter().zip(told(0, &log)) {
                prop_assert!(log_time >= *ms);
            }
        }

        /// Behind a record that the rule looks at nothing earlier than a day before is believed against its word.
        #[test]
        fn where_the_rule_looks_the_log_time_is_a_day_ahead_at_the_most(log in arb_log()) {
            for ((offset, ms), log_time) in log.iter().zip(told(0, &log)) {
                prop_assert!(offset % Doubt::RULE.every != 0 || log_time - ms <= Doubt::RULE.tolerance);
            }
        }

        /// Where timestamps are less than a day out of order it is their running maximum.
        #[test]
        fn ordinary_disorder_changes_nothing(steps in proptest::collection::vec((0..DAY, -DAY / 2..=DAY / 2), 1..200)) {
            let clock = |(before, _): &mut (i64, i64), (pause, by): (i64, i64)| {
                *before += pause;
                Some(*before + by)
            };
            let times: Vec<i64> = steps.into_iter().scan((NOW, 0), clock).collect();
            let log: Vec<_> = (0..).map(|number| number * 997).zip(times.iter().copied()).collect();
            let running = times.iter().scan(0, |most, ms| { *most = (*ms).max(*most); Some(*most) });
            prop_assert_eq!(told(0, &log), running.collect::<Vec<_>>());
        }
    }
}

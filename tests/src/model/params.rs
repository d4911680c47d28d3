//! The pipeline's numbers, and the arithmetic of windows: half-open, aligned to the epoch plus an offset, floored.

/// The settings that verdicts, windows and batches depend on. All times in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// How far the watermark stays behind the largest event time; at least 0.
    pub delay: i64,
    /// How far ahead of log time an event time may be; at least 0.
    pub max_future_skew: i64,
    /// The first event time that is one.
    pub earliest: i64,
    /// When timestamps take the log time back.
    pub doubt: Doubt,
    /// The window size; at least 1.
    pub window: i64,
    /// The window offset, in `0..window`.
    pub window_offset: i64,
    /// `quality.batch.interval`; at least 1.
    pub batch_interval: i64,
    /// `quality.batch.maxRecords`; at least 1.
    pub batch_max_records: i64,
    /// For each rule in manifest order, whether its `onViolation` is `DeadLetter`.
    pub dead_letter: Vec<bool>,
}

/// At offsets that `every` divides, a timestamp more than `tolerance` behind the log time takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// At least 1.
    pub every: i64,
    /// At least 0.
    pub tolerance: i64,
}

impl Doubt {
    /// The log time is the running maximum of the timestamps, whatever they are.
    pub const NONE: Self = Self { every: i64::MAX, tolerance: i64::MAX };
}

/// A half-open window of event time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first ms inside.
    pub start: i64,
    /// The first ms after it.
    pub end: i64,
}

/// The first ms of the year 10,000, which no time that a window needs may reach.
const CALENDAR_END: i64 = 253_402_300_800_000;

impl Params {
    /// Whether an event may have happened then: not too early, and in a window that ends within the calendar.
    pub fn in_calendar(&self, time: i64) -> bool {
        time >= self.earliest && time < CALENDAR_END && self.window_of(time).end < CALENDAR_END
    }

    /// The log time of a record with this timestamp, behind one with the log time `before`.
    pub fn log_time(&self, before: Option<i64>, offset: i64, timestamp: i64) -> i64 {
        let Some(before) = before else { return timestamp };
        let Doubt { every, tolerance } = self.doubt;
        let contradicts = offset % every == 0 && before.saturating_sub(timestamp) > tolerance;
        if contradicts { timestamp } else { before.max(timestamp) }
    }

    /// The last window boundary at or before `time`.
    pub fn boundary(&self, time: i64) -> i64 {
        (time - self.window_offset).div_euclid(self.window) * self.window + self.window_offset
    }

    /// The window that `time` lies in.
    pub fn window_of(&self, time: i64) -> Window {
        let start = self.boundary(time);
        Window { start, end: start + self.window }
    }

    /// The batch key of a record: (log time ÷ interval, offset ÷ max records), both rounded down.
    pub fn batch_key(&self, log_time: i64, offset: i64) -> (i64, i64) {
        (log_time.div_euclid(self.batch_interval), offset.div_euclid(self.batch_max_records))
    }
}

//! The pipeline's numbers, and the arithmetic of windows: half-open, aligned to the epoch plus an offset, floored.

/// The settings that verdicts, windows and batches depend on. All times in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// How far the watermark stays behind the largest event time; at least 0.
    pub delay: i64,
    /// How far ahead of log time an event time may be; at least 0.
    pub max_future_skew: i64,
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

/// A half-open window of event time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first ms inside.
    pub start: i64,
    /// The first ms after it.
    pub end: i64,
}

impl Params {
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

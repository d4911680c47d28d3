//! `WatermarkAdvancing`, and how far the pipeline has come.

use schemas::report::{Ledger, PartitionReport};
use schemas::status::{Progress, PublishedWindow, Reason, Time};

use super::{Answer, Picture};

/// A watermark that stands for this long, and for three times `idleAfter`, with records to read, is held.
const HELD_AFTER_MS: i64 = 300_000;

/// What is remembered of a pipeline between two looks. It is lost with the operator, which only delays what it tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// The lowest watermark.
    pub watermark: Option<i64>,
    /// Since when it has been that.
    pub since: i64,
    /// Records judged by all workers, and when that was counted.
    pub consumed: Option<(u64, i64)>,
    /// Records per second between the last two looks.
    pub rate: Option<i64>,
}

impl Pace {
    /// After another look.
    #[must_use]
    pub fn after(self, picture: &Picture<'_>) -> Self {
        let now = picture.now;
        let watermark = slowest(picture).and_then(|partition| partition.watermark);
        let consumed = (picture.complete()).then(|| {
            let mut sum = Ledger::default();
            picture.partitions().for_each(|partition| sum.add(&partition.ledger));
            (sum.consumed, now)
        });
        let rate = consumed.zip(self.consumed).and_then(|((now_count, now), (count, then))| {
            // A restarted worker counts from nothing.
            let records = now_count.checked_sub(count)?;
            (now > then).then(|| two_digits((records * 1_000 / (now - then).unsigned_abs()) as i64))
        });
        let since = if watermark == self.watermark && self.since != 0 { self.since } else { now };
        Self { watermark, since, consumed, rate }
    }
}

/// The number with all digits but the first two as zeros: what people need, and it moves seldom.
pub(super) fn two_digits(number: i64) -> i64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

fn slowest<'a>(picture: &'a Picture<'_>) -> Option<&'a PartitionReport> {
    picture.partitions().min_by_key(|partition| partition.watermark)
}

/// `WatermarkAdvancing`.
pub(super) fn watermark(picture: &Picture<'_>, pace: &Pace) -> Answer {
    for (worker, trouble) in picture.troubles() {
        let words = format!("worker '{worker}': {}", trouble.message);
        match trouble.reason.as_str() {
            "SourceDataLost" => return Answer::no(Reason::SourceDataLost, words),
            "StoppedByRule" => return Answer::no(Reason::RuleStopped, words),
            _ => {}
        }
    }
    if picture.wanted == 0 {
        return Answer::unknown(Reason::Suspended, "no workers are wanted");
    }
    if !picture.complete() {
        return Answer::unknown(Reason::NotObserved, "not all partitions are in the workers' reports");
    }
    if picture.partitions().any(|partition| partition.replaying) {
        return Answer::yes(Reason::Rebuilding, "partitions are being rebuilt from the log");
    }
    if picture.partitions().all(|partition| partition.latest.is_none()) {
        return Answer::yes(Reason::NoRecordsYet, "no record has been judged yet");
    }
    let idle_after = picture.valid.map_or(0, |valid| valid.plan.idle_after_ms);
    let stands = picture.now - pace.since;
    let Some(slowest) = slowest(picture) else { return Answer::unknown(Reason::NotObserved, "no partitions") };
    let behind = picture.partitions().any(|partition| partition.end.is_none_or(|end| end > partition.position));
    if behind && stands > HELD_AFTER_MS.max(3 * idle_after) {
        let (partition, since) = (slowest.partition, Time::from_millis(pace.since));
        let words = format!("partition {partition} holds the watermark since {since}, and there are records to read");
        return Answer::no(Reason::WatermarkHeld, words);
    }
    if !behind && stands > 2 * idle_after {
        return Answer::yes(Reason::Idle, "there is nothing to read; open windows wait for newer events");
    }
    Answer::yes(Reason::Advancing, "every partition's watermark moves or has nothing to wait for")
}

/// How far the pipeline has come, rounded. Absent while a report is missing: unknown is not zero.
pub(super) fn progress(picture: &Picture<'_>, pace: &Pace) -> Option<Progress> {
    if !picture.complete() {
        return None;
    }
    let lag =
        picture.partitions().map(|partition| Some(partition.end? - partition.committed.max(0))).sum::<Option<i64>>();
    let slowest = slowest(picture).filter(|partition| partition.watermark.is_some());
    let published =
        picture.reports().flat_map(|report| &report.outputs).filter_map(|output| output.published_until).min();
    let size = picture.valid.map_or(0, |valid| valid.plan.window.size_ms);
    let waiting = picture.reports().flat_map(|report| &report.outputs).map(|output| output.waiting.len() as i64).sum();
    Some(Progress {
        lag: lag.map(|lag| two_digits(lag.max(0))),
        watermark: slowest.and_then(|partition| partition.watermark).map(Time::from_millis),
        slowest_partition: slowest.map(|partition| partition.partition),
        last_published_window: published
            .map(|end| PublishedWindow { start: Time::from_millis(end - size), end: Time::from_millis(end) }),
        waiting_windows: Some(waiting),
        records_per_second: pace.rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_two_digits() {
        for (number, rounded) in [(0, 0), (7, 7), (99, 99), (101, 100), (1_299, 1_200), (98_765, 98_000)] {
            assert_eq!(two_digits(number), rounded);
        }
    }
}

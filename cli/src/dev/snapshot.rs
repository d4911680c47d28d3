//! What all workers of this process say of themselves at one moment, together with what follows from two moments: rates.
//!
//! Keeps true: time comes from outside, so that the same reports give the same picture.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::report::{Ledger, PartitionReport, Trouble, WorkerReport};

/// One moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The pipeline.
    pub pipeline: String,
    /// Since the start.
    pub elapsed: Duration,
    /// Source partitions with the worker that owns them, by number.
    pub partitions: Vec<(PartitionReport, String)>,
    /// Verdicts of all partitions.
    pub ledger: Ledger,
    /// Records judged per second lately.
    pub rate: u64,
    /// Offsets left to read, where the end is known.
    pub lag: Option<u64>,
    /// Gold files written.
    pub windows_published: u64,
    /// Quality reports written.
    pub reports_published: u64,
    /// Windows that end by then are published.
    pub published_until: Option<i64>,
    /// Windows that wait for partitions to seal them.
    pub waiting: usize,
    /// What hinders the workers.
    pub troubles: Vec<Trouble>,
}

impl Snapshot {
    /// The partition whose watermark holds everything back, and that watermark.
    pub fn holder(&self) -> Option<(i32, Option<i64>)> {
        let watermarks = self.partitions.iter().map(|(report, _)| (report.watermark, report.partition));
        watermarks.min().map(|(watermark, partition)| (partition, watermark))
    }

    /// Whether nothing is left to be read anywhere, and windows are open all the same: nothing moves before newer events come.
    pub fn waits(&self) -> bool {
        let idle = |(report, _): &(PartitionReport, String)| report.idle;
        let open = |(report, _): &(PartitionReport, String)| !report.windows.is_empty();
        self.partitions.iter().all(idle) && self.partitions.iter().any(open)
    }

    /// How much of the log is read, from 0 to 1.
    pub fn done(&self) -> Option<f64> {
        let ends = self.partitions.iter().map(|(report, _)| report.end.map(|end| (report.position.min(end), end)));
        let (read, end) = ends.sum_pairs()?;
        if end == 0 { None } else { Some((read as f64 / end as f64).clamp(0.0, 1.0)) }
    }
}

trait SumPairs {
    fn sum_pairs(self) -> Option<(i64, i64)>;
}

impl<I: Iterator<Item = Option<(i64, i64)>>> SumPairs for I {
    fn sum_pairs(mut self) -> Option<(i64, i64)> {
        self.try_fold((0, 0), |(read, end), pair| pair.map(|(r, e)| (read + r, end + e)))
    }
}

/// Turns reports into snapshots, with rates over the last few seconds.
#[derive(Debug, Default)]
pub struct Meter {
    history: Vec<(Duration, u64)>,
    ends: BTreeMap<i32, i64>,
}

/// How far back rates look.
const RATE_SPAN: Duration = Duration::from_secs(3);

impl Meter {
    /// With the ends of a bounded run, by partition; they count rather than what workers see of the log.
    pub fn new(ends: BTreeMap<i32, i64>) -> Self {
        Self { history: Vec::new(), ends }
    }

    /// One moment, `elapsed` after the start.
    pub fn snapshot(&mut self, reports: &[WorkerReport], elapsed: Duration) -> Snapshot {
        let mut partitions = BTreeMap::new();
        for report in reports {
            for partition in &report.partitions {
                let mut partition = partition.clone();
                partition.end = self.ends.get(&partition.partition).copied().or(partition.end);
                partitions.insert(partition.partition, (partition, report.worker.clone()));
            }
        }
        let partitions: Vec<_> = partitions.into_values().collect();
        let mut ledger = Ledger::default();
        for (report, _) in &partitions {
            ledger.add(&report.ledger);
        }
        let outputs = || reports.iter().flat_map(|report| &report.outputs);
        let lag =
            partitions.iter().map(|(report, _)| report.end.map(|end| (end - report.position).max(0) as u64)).sum();
        Snapshot {
            pipeline: reports.first().map_or_else(String::new, |report| report.pipeline.clone()),
            elapsed,
            rate: self.rate(elapsed, ledger.consumed),
            lag,
            ledger,
            windows_published: outputs().map(|output| output.windows_published).sum(),
            reports_published: outputs().map(|output| output.reports_published).sum(),
            published_until: outputs().filter_map(|output| output.published_until).min(),
            waiting: outputs().map(|output| output.waiting.len()).sum(),
            troubles: reports.iter().flat_map(|report| report.troubles.clone()).collect(),
            partitions,
        }
    }

    fn rate(&mut self, elapsed: Duration, consumed: u64) -> u64 {
        self.history.retain(|(at, _)| elapsed.saturating_sub(*at) <= RATE_SPAN);
        self.history.push((elapsed, consumed));
        let (since, before) = self.history[0];
        super::figures::per_second(consumed.saturating_sub(before), elapsed.saturating_sub(since))
    }
}

//! Batches of data quality: cut where a record's batch key changes, a decree falls or the log is drained.
//!
//! The cut depends on the log alone, so a batch id always names the same records.

use arrow_array::{Array, BooleanArray};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::emission::{BatchReport, RuleCounts, Sample, Verdict, Verdicts};
use crate::latency::Latency;
use crate::program::{BatchCut, Check, Rule};
use crate::progress::{BatchKey, Point};
use crate::units::{LogTime, Offset};
use crate::volume::Volumes;

impl BatchCut {
    /// Whether the batches are the same.
    pub(crate) fn cuts_like(&self, other: &Self) -> bool {
        (self.interval, self.max_records) == (other.interval, other.max_records)
    }

    /// The key of a record.
    pub fn key(&self, offset: Offset, log_time: LogTime) -> BatchKey {
        BatchKey(log_time.0.div_euclid(self.interval), offset.0.div_euclid(self.max_records))
    }
}

/// An open batch as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchState {
    key: BatchKey,
    first: Offset,
    anchor: Point,
    first_log_time: LogTime,
    last_log_time: LogTime,
    verdicts: Verdicts,
    rules: Vec<RuleCounts>,
    latency: Vec<(usize, u64)>,
    samples: Vec<Vec<(u64, Sample)>>,
}

impl BatchState {
    /// Whether it counts as many rules as a program has.
    pub(crate) fn fits(&self, rules: usize) -> bool {
        self.rules.len() == rules && self.samples.len() == rules
    }
}

/// The batch that is being filled.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub key: BatchKey,
    pub first: Offset,
    /// `A(first)`: from where a replay judges this batch's records rightly.
    pub anchor: Point,
    first_log_time: LogTime,
    last_log_time: LogTime,
    /// While a record's log time and offset lie in here its key is this batch's.
    log_times: std::ops::Range<i64>,
    offsets: std::ops::Range<i64>,
    pub verdicts: Verdicts,
    rules: Vec<RuleCounts>,
    pub latency: Latency,
    samples: Vec<Vec<(u64, Sample)>>,
    most_samples: usize,
}

impl OpenBatch {
    pub(crate) fn new(cut: &BatchCut, rules: usize, first: Offset, log_time: LogTime, anchor: Point) -> Self {
        let key = cut.key(first, log_time);
        Self {
            first,
            anchor,
            first_log_time: log_time,
            last_log_time: log_time,
            ..Self::of_key(cut, rules, key, anchor)
        }
    }

    /// The rest of a batch whose beginning lies before a replay; it is cut in the silent part and never reported.
    pub(crate) fn of_key(cut: &BatchCut, rules: usize, key: BatchKey, anchor: Point) -> Self {
        let span = |part: i64, unit: i64| part.saturating_mul(unit)..part.saturating_add(1).saturating_mul(unit);
        Self {
            key,
            first: anchor.offset,
            anchor,
            first_log_time: anchor.log_time,
            last_log_time: anchor.log_time,
            log_times: span(key.0, cut.interval),
            offsets: span(key.1, cut.max_records),
            verdicts: Verdicts::default(),
            rules: vec![RuleCounts::default(); rules],
            latency: Latency::default(),
            samples: vec![Vec::new(); rules],
            most_samples: cut.samples,
        }
    }

    /// What a checkpoint keeps of it.
    pub(crate) fn state(&self) -> BatchState {
        BatchState {
            key: self.key,
            first: self.first,
            anchor: self.anchor,
            first_log_time: self.first_log_time,
            last_log_time: self.last_log_time,
            verdicts: self.verdicts,
            rules: self.rules.clone(),
            latency: self.latency.buckets().collect(),
            samples: self.samples.clone(),
        }
    }

    /// The batch that a checkpoint kept.
    pub(crate) fn of_state(cut: &BatchCut, state: BatchState) -> Self {
        Self {
            first: state.first,
            first_log_time: state.first_log_time,
            last_log_time: state.last_log_time,
            verdicts: state.verdicts,
            rules: state.rules,
            latency: Latency::from_buckets(state.latency),
            samples: state.samples,
            ..Self::of_key(cut, 0, state.key, state.anchor)
        }
    }

    /// Whether a record belongs here.
    #[inline]
    pub(crate) fn holds(&self, offset: i64, log_time: i64) -> bool {
        self.log_times.contains(&log_time) && self.offsets.contains(&offset)
    }

    /// Whether a record of this log time lies in another interval.
    pub(crate) fn is_past(&self, log_time: i64) -> bool {
        !self.log_times.contains(&log_time)
    }

    /// Counts a record.
    #[inline]
    pub(crate) fn record(&mut self, verdict: Verdict, log_time: i64) {
        self.verdicts.add(verdict);
        self.last_log_time = LogTime(log_time);
    }

    /// Counts what rule `rule` says of rows `from..to`, and samples its violations.
    pub(crate) fn check(
        &mut self,
        rule: usize,
        check: &BooleanArray,
        from: usize,
        to: usize,
        offsets: &[i64],
        show: impl Fn(usize) -> Sample,
    ) {
        let part = check.slice(from, to - from);
        let (skipped, violations) = (part.null_count() as u64, part.false_count() as u64);
        let counts = &mut self.rules[rule];
        counts.evaluated += part.len() as u64 - skipped;
        counts.violations += violations;
        counts.skipped += skipped;
        if violations == 0 || self.most_samples == 0 {
            return;
        }
        for row in (from..to).filter(|row| check.is_valid(*row) && !check.value(*row)) {
            self.offer(rule, offsets[row], || show(row));
        }
    }

    /// Keeps a violation of `rule` as a sample if it is one of those with the smallest hashes: each is as likely to be kept as
    /// any other, which depends on nothing but its offset (a reservoir by bottom-k sampling).
    pub(crate) fn offer(&mut self, rule: usize, offset: i64, show: impl FnOnce() -> Sample) {
        let rank = xxh3_64_with_seed(&offset.to_le_bytes(), self.first.0.cast_unsigned());
        let kept = &mut self.samples[rule];
        let at = kept.partition_point(|(held, _)| *held < rank);
        if at < self.most_samples {
            kept.insert(at, (rank, show()));
            kept.truncate(self.most_samples);
        }
    }

    /// The report, the batch being over at `end`; `before` are the batches before it if it is a whole one.
    pub(crate) fn report(mut self, rules: &[Rule], end: Offset, before: Option<&Volumes>) -> BatchReport {
        for (rule, counts) in rules.iter().zip(&mut self.rules) {
            if matches!(rule.check, Check::Unique) {
                let (counted, duplicate) = (self.verdicts.of(Verdict::Counted), self.verdicts.of(Verdict::Duplicate));
                let decodable = self.verdicts.consumed() - self.verdicts.of(Verdict::Undecodable);
                let evaluated = counted + duplicate;
                *counts = RuleCounts { evaluated, violations: duplicate, skipped: decodable - evaluated };
            }
            if let Check::Volume(volume) = rule.check {
                let within = before.and_then(|before| before.judge(volume, self.verdicts.consumed()));
                let [evaluated, violations, skipped] = match within {
                    Some(within) => [1, u64::from(!within), 0],
                    None => [0, 0, 1],
                };
                *counts = RuleCounts { evaluated, violations, skipped };
            }
        }
        let mut samples: Vec<Sample> = self.samples.into_iter().flatten().map(|(_, sample)| sample).collect();
        samples.sort_by_key(|sample| (sample.rule, sample.offset));
        BatchReport {
            first: self.first,
            end,
            first_log_time: self.first_log_time,
            last_log_time: self.last_log_time,
            gaps: (end.0 - self.first.0) as u64 - self.verdicts.consumed(),
            verdicts: self.verdicts,
            rules: self.rules,
            latency: self.latency,
            samples,
        }
    }
}

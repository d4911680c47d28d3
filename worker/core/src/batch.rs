//! Batches of data quality: cut where a record's batch key changes, a decree falls or the log is drained.
//!
//! The cut depends on the log alone, so a batch id always names the same records.

use arrow_array::{Array, BooleanArray};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::emission::{BatchReport, Reason, Refusal, RuleCounts, Sample, Valueless, Verdict, Verdicts, Why};
use crate::evaluate::Without;
use crate::latency::Latency;
use crate::program::{BatchCut, Check, Program, Rule};
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
    valueless: Vec<Valueless>,
    refusals: Vec<Refusal>,
    samples: Vec<Kept>,
    value_samples: Vec<Kept>,
}

/// Samples by rank.
type Kept = Vec<(u64, Sample)>;

impl BatchState {
    /// Whether it counts what a program has.
    pub(crate) fn fits(&self, program: &Program) -> bool {
        let (rules, subjects) = (program.rules.len(), program.subjects().count());
        [self.rules.len(), self.samples.len()] == [rules; 2]
            && [self.valueless.len(), self.value_samples.len()] == [subjects; 2]
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
    valueless: Vec<Valueless>,
    pub refusals: Vec<Refusal>,
    samples: Vec<Kept>,
    value_samples: Vec<Kept>,
    most_samples: usize,
}

impl OpenBatch {
    pub(crate) fn new(program: &Program, first: Offset, log_time: LogTime, anchor: Point) -> Self {
        let key = program.batch.key(first, log_time);
        Self { first, anchor, first_log_time: log_time, last_log_time: log_time, ..Self::of_key(program, key, anchor) }
    }

    /// The rest of a batch whose beginning lies before a replay; it is cut in the silent part and never reported.
    pub(crate) fn of_key(program: &Program, key: BatchKey, anchor: Point) -> Self {
        let (cut, rules, subjects) = (&program.batch, program.rules.len(), program.subjects().count());
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
            valueless: vec![Valueless::default(); subjects],
            refusals: Vec::new(),
            samples: vec![Vec::new(); rules],
            value_samples: vec![Vec::new(); subjects],
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
            valueless: self.valueless.clone(),
            refusals: self.refusals.clone(),
            samples: self.samples.clone(),
            value_samples: self.value_samples.clone(),
        }
    }

    /// The batch that a checkpoint kept.
    pub(crate) fn of_state(program: &Program, state: BatchState) -> Self {
        Self {
            first: state.first,
            first_log_time: state.first_log_time,
            last_log_time: state.last_log_time,
            verdicts: state.verdicts,
            rules: state.rules,
            latency: Latency::from_buckets(state.latency),
            valueless: state.valueless,
            refusals: state.refusals,
            samples: state.samples,
            value_samples: state.value_samples,
            ..Self::of_key(program, state.key, state.anchor)
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

    /// Counts the rows `from..to` for which the subject at `place` has no value, and samples them.
    pub(crate) fn without(
        &mut self,
        place: usize,
        without: &Without,
        (from, to): (usize, usize),
        offsets: &[i64],
        show: impl Fn(usize, Why) -> Sample,
    ) {
        let counts = &mut self.valueless[place];
        counts.no_value += without.no_value.slice(from, to - from).count_set_bits() as u64;
        counts.not_finite += without.not_finite.slice(from, to - from).count_set_bits() as u64;
        for (rows, why) in [(&without.no_value, Why::NoValue), (&without.not_finite, Why::NotFinite)] {
            for row in rows.slice(from, to - from).set_indices() {
                self.offer_value(place, offsets[from + row], || show(from + row, why));
            }
        }
    }

    /// Counts a dead letter.
    pub(crate) fn refuse(&mut self, offset: Offset, reason: &Reason) {
        match self.refusals.iter_mut().find(|known| known.reason.is_like(reason)) {
            Some(known) => known.records += 1,
            None => self.refusals.push(Refusal { offset, reason: reason.clone(), records: 1 }),
        }
    }

    /// Dead letters, and records that are not ignored. Late records are dead letters where the program says so.
    pub(crate) fn share(&self, late_too: bool) -> (u64, u64) {
        let late = if late_too { self.verdicts.of(Verdict::Late) } else { 0 };
        let letters = self.verdicts.of(Verdict::Undecodable) + self.verdicts.of(Verdict::Invalid) + late;
        (letters, self.verdicts.records())
    }

    /// Keeps a violation of `rule` as a sample if it is one of those with the smallest hashes: each is as likely to be kept as
    /// any other, which depends on nothing but its offset (a reservoir by bottom-k sampling).
    pub(crate) fn offer(&mut self, rule: usize, offset: i64, show: impl FnOnce() -> Sample) {
        let rank = self.rank(offset);
        keep(&mut self.samples[rule], self.most_samples, rank, show);
    }

    /// The same of a record for which the subject at `place` has no value.
    fn offer_value(&mut self, place: usize, offset: i64, show: impl FnOnce() -> Sample) {
        let rank = self.rank(offset);
        keep(&mut self.value_samples[place], self.most_samples, rank, show);
    }

    fn rank(&self, offset: i64) -> u64 {
        xxh3_64_with_seed(&offset.to_le_bytes(), self.first.0.cast_unsigned())
    }

    /// The report, the batch being over at `end`; `before` are the batches before it if it is a whole one.
    pub(crate) fn report(mut self, rules: &[Rule], end: Offset, before: Option<&Volumes>) -> BatchReport {
        for (rule, counts) in rules.iter().zip(&mut self.rules) {
            if matches!(rule.check, Check::Unique) {
                let (counted, duplicate) = (self.verdicts.of(Verdict::Counted), self.verdicts.of(Verdict::Duplicate));
                let decodable = self.verdicts.records() - self.verdicts.of(Verdict::Undecodable);
                let evaluated = counted + duplicate;
                *counts = RuleCounts { evaluated, violations: duplicate, skipped: decodable - evaluated };
            }
            if let Check::Volume(volume) = rule.check {
                let within = before.and_then(|before| before.judge(volume, self.verdicts.records()));
                let [evaluated, violations, skipped] = match within {
                    Some(within) => [1, u64::from(!within), 0],
                    None => [0, 0, 1],
                };
                *counts = RuleCounts { evaluated, violations, skipped };
            }
        }
        let samples = self.samples.into_iter().chain(self.value_samples).flatten();
        let mut samples: Vec<Sample> = samples.map(|(_, sample)| sample).collect();
        samples.sort_by_key(|sample| (sample.subject, sample.offset));
        BatchReport {
            first: self.first,
            end,
            first_log_time: self.first_log_time,
            last_log_time: self.last_log_time,
            gaps: (end.0 - self.first.0) as u64 - self.verdicts.consumed(),
            verdicts: self.verdicts,
            rules: self.rules,
            latency: self.latency,
            valueless: self.valueless,
            refusals: self.refusals,
            samples,
        }
    }
}

fn keep(kept: &mut Kept, most: usize, rank: u64, show: impl FnOnce() -> Sample) {
    let at = kept.partition_point(|(held, _)| *held < rank);
    if at < most {
        kept.insert(at, (rank, show()));
        kept.truncate(most);
    }
}

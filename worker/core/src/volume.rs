//! Records per batch, against the median of the batches before it.
//!
//! What it keeps true: the judgement is a function of the log. Only batches that hold a whole interval of log time are judged and
//! remembered, so one that a decree, the most records of a batch or the beginning of the log cut short is neither too small nor a
//! measure for others. What is remembered is committed with the position, because a replay begins behind most of those batches.

use std::collections::VecDeque;

use crate::program::{Check, Rule, Volume};

/// Records of the last whole batches of a partition, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volumes {
    records: VecDeque<u64>,
    /// How many are remembered.
    most: usize,
}

impl Volumes {
    /// What `known` says, as far as `rules` ask for it.
    pub(crate) fn resume(rules: &[Rule], known: &[u64]) -> Self {
        let asked = rules.iter().map(|rule| match rule.check {
            Check::Volume(volume) => volume.batches,
            _ => 0,
        });
        let most = asked.max().unwrap_or_default();
        let left_out = known.len().saturating_sub(most);
        Self { records: known.iter().skip(left_out).copied().collect(), most }
    }

    /// Whether a batch of so many records is within the limits; nothing while fewer batches are known than are asked for.
    pub(crate) fn judge(&self, volume: Volume, records: u64) -> Option<bool> {
        let unasked = self.records.len().checked_sub(volume.batches)?;
        let mut recent: Vec<u64> = self.records.iter().skip(unasked).copied().collect();
        recent.sort_unstable();
        // Of an even number the smaller one in the middle: whole numbers stay whole.
        let median = u128::from(*recent.get(recent.len().checked_sub(1)? / 2)?);
        let percent = u128::from(records) * 100;
        let within = |limit: Option<u32>, holds: fn(u128, u128) -> bool| {
            limit.is_none_or(|limit| holds(percent, u128::from(limit) * median))
        };
        Some(within(volume.least, |found, least| found >= least) && within(volume.most, |found, most| found <= most))
    }

    /// Remembers a whole batch.
    pub(crate) fn push(&mut self, records: u64) {
        if self.most > 0 {
            self.records.push_back(records);
            while self.records.len() > self.most {
                self.records.pop_front();
            }
        }
    }

    /// What is committed.
    pub(crate) fn known(&self) -> Vec<u64> {
        self.records.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Consequence;

    fn rules(volume: Volume) -> Vec<Rule> {
        vec![Rule {
            name: "volume".to_owned(),
            expected: String::new(),
            check: Check::Volume(volume),
            consequence: Consequence::Report,
            columns: Vec::new(),
            nulls_alone: false,
        }]
    }

    #[test]
    fn a_batch_is_judged_by_the_median_of_the_last_ones() {
        let volume = Volume { least: Some(50), most: Some(200), batches: 4 };
        let mut volumes = Volumes::resume(&rules(volume), &[]);
        for records in [1000, 900, 5] {
            assert_eq!(volumes.judge(volume, 1), None, "too few are known");
            volumes.push(records);
        }
        volumes.push(100_000);
        // 5, 900, 1000, 100000: the smaller one in the middle is 900.
        let cases = [(0, false), (449, false), (450, true), (900, true), (1800, true), (1801, false)];
        for (records, within) in cases {
            assert_eq!(volumes.judge(volume, records), Some(within), "{records}");
        }
        assert_eq!(volumes.judge(Volume { least: None, ..volume }, 0), Some(true));
        assert_eq!(volumes.judge(Volume { most: None, ..volume }, u64::MAX), Some(true));
        volumes.push(7);
        assert_eq!(volumes.known(), [900, 5, 100_000, 7], "no more than are asked for");
        let fewer = Volumes::resume(&rules(Volume { batches: 2, ..volume }), &volumes.known());
        assert_eq!(fewer.known(), [100_000, 7]);
        assert!(Volumes::resume(&[], &[1, 2, 3]).known().is_empty());
    }
}

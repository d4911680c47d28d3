//! A histogram of latencies that merges to the same value in any order: fixed buckets, plain counts.
//!
//! Buckets follow the "log-linear" scheme of `HdrHistogram`: below 16 ms one per millisecond, above it eight per power of
//! two, so a quantile is at most one eighth too large.

/// Buckets that hold one millisecond each.
const LINEAR: usize = 16;
/// Buckets per power of two above.
const STEPS: usize = 8;
/// Enough for 2^41 ms, about seventy years.
const BUCKETS: usize = LINEAR + STEPS * 37;

/// Counts of latencies in milliseconds. Negative ones (clocks differ) fall into the bucket of zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    counts: Vec<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS] }
    }
}

impl Latency {
    /// Counts one latency.
    #[inline]
    pub fn add(&mut self, millis: i64) {
        self.counts[bucket(millis)] += 1;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// The upper end, in milliseconds, of the bucket that holds the quantile `per_mille`; nothing when nothing was counted.
    pub fn quantile(&self, per_mille: u64) -> Option<i64> {
        let rank = (self.count() * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(index, count)| {
            seen += count;
            (seen >= rank).then(|| upper(index))
        })
    }

    /// The buckets that hold something: (index, count).
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// A histogram of the given (index, count); indices out of range fall into the last bucket.
    pub fn from_buckets(buckets: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let mut made = Self::default();
        for (index, count) in buckets {
            made.counts[index.min(BUCKETS - 1)] += count;
        }
        made
    }
}

#[inline]
fn bucket(millis: i64) -> usize {
    let value = millis.max(0) as u64;
    if value < LINEAR as u64 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros() as usize;
    let step = (value >> (exponent - 3)) as usize & (STEPS - 1);
    (LINEAR + (exponent - 4) * STEPS + step).min(BUCKETS - 1)
}

fn upper(index: usize) -> i64 {
    if index < LINEAR {
        return index as i64;
    }
    let exponent = (index - LINEAR) / STEPS + 4;
    let step = (index - LINEAR) % STEPS;
    (((STEPS + step + 1) as i64) << (exponent - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for value in (0..5000).chain([i64::from(u32::MAX), 1 << 40]) {
            let index = bucket(value);
            assert!(value <= upper(index), "{value}");
            assert!(index == 0 || value > upper(index - 1), "{value}");
            assert!(upper(index) <= value + value / 8, "{value}");
        }
    }

    #[test]
    fn quantiles_are_upper_ends() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(500), None);
        (1..=100).for_each(|millis| latency.add(millis));
        assert_eq!(latency.quantile(500), Some(bucket_end(50)));
        assert_eq!(latency.quantile(1000), Some(bucket_end(100)));
        latency.add(-5);
        assert_eq!(latency.quantile(1), Some(0));
    }

    fn bucket_end(value: i64) -> i64 {
        upper(bucket(value))
    }
}

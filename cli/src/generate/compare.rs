//! Expected against actual: every difference, readable, none rounded away.
//!
//! Keeps true: no difference means that both sides hold the same rows with the same cents and counts, no more, no less.

use std::collections::BTreeMap;
use std::fmt;

use super::truth::{Counts, Truth};

/// One difference between the truth and what came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A gold row is missing, not expected, there twice, or has other numbers.
    Gold {
        /// Window, region and plan tier, readable.
        row: String,
        /// Expected revenue in cents and event count.
        expected: Option<(i128, u64)>,
        /// Actual ones; summed when the row is there more than once.
        actual: Option<(i128, u64)>,
        /// How often the row came out.
        copies: usize,
    },
    /// A count of the ledger differs.
    Count {
        /// What is counted, for example `late, partition 2`.
        what: String,
        /// Expected number.
        expected: u64,
        /// Actual number.
        actual: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gold { row, expected, actual, copies } => {
                write!(f, "gold row {row}: expected {}, got {}", cell(*expected), cell(*actual))?;
                if *copies > 1 { write!(f, " ({copies} copies of the row)") } else { Ok(()) }
            }
            Self::Count { what, expected, actual } => write!(f, "{what}: expected {expected}, got {actual}"),
        }
    }
}

fn cell(numbers: Option<(i128, u64)>) -> String {
    numbers.map_or_else(|| "nothing".to_owned(), |(cents, count)| format!("{} in {count} events", money(cents)))
}

/// Cents as a decimal with two digits.
pub fn money(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// Milliseconds UTC as ISO 8601, with milliseconds only where there are some. The least numbers stand for no time yet.
pub fn iso(millis: i64) -> String {
    if millis <= i64::MIN + 1 {
        return "none yet".to_owned();
    }
    let whole = if millis % 1_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
    arrow::temporal_conversions::timestamp_ms_to_datetime(millis)
        .map_or_else(|| format!("{millis} ms"), |time| time.format(whole).to_string())
}

type Key = (i64, Option<String>, Option<String>);

/// Both sides of one gold row: revenue in cents and event count.
#[derive(Default)]
struct Sides {
    expected: Option<(i128, u64)>,
    actual: Option<(i128, u64)>,
    copies: usize,
}

impl Sides {
    fn add(&mut self, cents: i128, count: u64) {
        let (cents_before, count_before) = self.actual.unwrap_or_default();
        self.actual = Some((cents_before + cents, count_before + count));
        self.copies += 1;
    }
}

impl Truth {
    /// Compares the whole gold table; rows are (window start in ms UTC, region, plan tier, revenue in cents, count), in
    /// any order. Empty if and only if it is exactly as expected.
    pub fn compare_gold<'a>(
        &self,
        actual: impl Iterator<Item = (i64, Option<&'a str>, Option<&'a str>, i128, u64)>,
    ) -> Vec<Difference> {
        let mut rows: BTreeMap<Key, Sides> = BTreeMap::new();
        for row in self.gold() {
            let key = (row.window_start, row.region.map(str::to_owned), row.plan_tier.map(str::to_owned));
            rows.entry(key).or_default().expected = Some((row.revenue_cents, row.event_count));
        }
        for (window_start, region, plan_tier, cents, count) in actual {
            let key = (window_start, region.map(str::to_owned), plan_tier.map(str::to_owned));
            rows.entry(key).or_default().add(cents, count);
        }
        rows.into_iter()
            .filter(|(_, sides)| sides.expected != sides.actual || sides.copies != 1)
            .map(|(key, Sides { expected, actual, copies })| Difference::Gold {
                row: name(&key),
                expected,
                actual,
                copies,
            })
            .collect()
    }

    /// Compares the verdict counts per partition (partition number, counts); partitions that do not come are expected to
    /// have consumed nothing.
    pub fn compare_ledger(&self, actual: impl Iterator<Item = (u32, Counts)>) -> Vec<Difference> {
        let mut all: BTreeMap<u32, Counts> = BTreeMap::new();
        for (partition, counts) in actual {
            all.entry(partition).or_default().add(&counts);
        }
        let last = all.keys().next_back().map_or(0, |partition| partition + 1).max(self.options.partitions);
        let mut differences = Vec::new();
        for partition in 0..last {
            let expected = self.partitions.get(partition as usize).map(|ledger| ledger.counts).unwrap_or_default();
            let actual = all.get(&partition).copied().unwrap_or_default();
            differences.extend(differing(&expected, &actual, &format!(", partition {partition}")));
        }
        differences
    }

    /// Compares the verdict counts over all partitions.
    pub fn compare_counts(&self, actual: &Counts) -> Vec<Difference> {
        differing(&self.counts(), actual, "").collect()
    }

    /// Compares violations per rule, those of Report rules included, over all partitions; rules that the generator does
    /// not know are skipped, rules that do not come are expected to have none.
    pub fn compare_violations<'a>(&self, actual: impl Iterator<Item = (&'a str, u64)>) -> Vec<Difference> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (rule, count) in actual {
            *sums.entry(rule).or_default() += count;
        }
        self.violations()
            .map(|(rule, expected)| (rule, expected, sums.get(rule).copied().unwrap_or(0)))
            .filter(|(_, expected, actual)| expected != actual)
            .map(|(rule, expected, actual)| Difference::Count {
                what: format!("violations of '{rule}'"),
                expected,
                actual,
            })
            .collect()
    }
}

fn differing(expected: &Counts, actual: &Counts, place: &str) -> impl Iterator<Item = Difference> {
    let pairs = [
        ("consumed", expected.consumed, actual.consumed),
        ("counted", expected.counted, actual.counted),
        ("duplicate", expected.duplicate, actual.duplicate),
        ("late", expected.late, actual.late),
        ("filtered", expected.filtered, actual.filtered),
        ("invalid", expected.invalid, actual.invalid),
        ("undecodable", expected.undecodable, actual.undecodable),
        ("ignored", expected.ignored, actual.ignored),
    ];
    let place = place.to_owned();
    pairs.into_iter().filter(|(_, expected, actual)| expected != actual).map(move |(verdict, expected, actual)| {
        Difference::Count { what: format!("{verdict}{place}"), expected, actual }
    })
}

fn name((window_start, region, plan_tier): &Key) -> String {
    let label = |label: &Option<String>| label.clone().unwrap_or_else(|| "null".to_owned());
    format!("{} region {} plan_tier {}", iso(*window_start), label(region), label(plan_tier))
}

#[cfg(test)]
mod tests {
    use super::{iso, money};

    #[test]
    fn money_and_times_are_written_exactly() {
        let written = [0, 5, -5, 100, -12_345, 170_141_183_460_469_231_731_687_303].map(money);
        assert_eq!(written, ["0.00", "0.05", "-0.05", "1.00", "-123.45", "1701411834604692317316873.03"]);
        assert_eq!(iso(1_795_413_600_000), "2026-11-23T06:00:00Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
    }
}

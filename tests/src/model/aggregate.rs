//! The aggregate state of one group: everything any measure could want, exact and independent of order.
//!
//! A measure is a look at it: `count(*)` is `records`; `count(x)`, `sum(x)`, `min(x)`, `max(x)` and `avg(x)` read `x`'s
//! [`ArgState`], each null (count 0) when no value was there. Sums are i128; an overflow is a panic, so worlds stay small.

/// The state of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AggState {
    /// `count(*)`
    pub records: u64,
    /// One for each measure argument.
    pub args: Vec<ArgState>,
}

/// The state of one measure argument; nulls leave it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArgState {
    /// The number of values.
    pub count: u64,
    /// Their sum.
    pub sum: i128,
    /// The smallest.
    pub min: Option<i128>,
    /// The largest.
    pub max: Option<i128>,
}

impl AggState {
    /// The state after exactly one record with these values.
    pub fn of(values: &[Option<i128>]) -> Self {
        Self { records: 1, args: values.iter().copied().map(ArgState::of).collect() }
    }

    /// The state of two disjoint sets of records together. The empty state (`default`) is neutral.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if self.records == 0 {
            return other.clone();
        }
        if other.records == 0 {
            return self.clone();
        }
        let args = self.args.iter().zip(&other.args).map(|(mine, theirs)| mine.merge(theirs));
        Self { records: self.records + other.records, args: args.collect() }
    }
}

impl ArgState {
    fn of(value: Option<i128>) -> Self {
        Self { count: u64::from(value.is_some()), sum: value.unwrap_or(0), min: value, max: value }
    }

    fn merge(&self, other: &Self) -> Self {
        let sum = self.sum.checked_add(other.sum).expect("the model's values are far from the ends of i128");
        Self {
            count: self.count + other.count,
            sum,
            min: self.min.into_iter().chain(other.min).min(),
            max: self.max.into_iter().chain(other.max).max(),
        }
    }
}

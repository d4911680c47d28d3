//! Published rows, from the core and from the oracle, in the same terms.

use arrow::array::RecordBatch;

use super::read::{count_at, group_at, integer_at};
use crate::model::{GROUP_COLUMNS, Group, Row, VALUE_COLUMNS};

/// Columns before the groups: start and end of the window.
const BOUNDS: usize = 2;
/// Measures of one value.
const MEASURES: usize = 5;

/// A published row. Decimals are unscaled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gold {
    /// The grouping columns.
    pub group: Group,
    /// `count(*)`
    pub records: u64,
    /// The measures of each value.
    pub args: Vec<GoldArg>,
}

/// What is published of one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoldArg {
    /// Values that are not null.
    pub count: u64,
    /// Their sum.
    pub sum: Option<i128>,
    /// The smallest.
    pub min: Option<i128>,
    /// The largest.
    pub max: Option<i128>,
    /// Their average, with four more digits than they have.
    pub avg: Option<i128>,
}

/// The rows that the core published.
///
/// # Panics
/// If the columns are not those of the program.
pub fn read_gold(rows: &RecordBatch) -> Vec<Gold> {
    assert_eq!(rows.num_columns(), BOUNDS + GROUP_COLUMNS + 1 + VALUE_COLUMNS * MEASURES, "bounds, groups, measures");
    let arg = |row: usize, value: usize| {
        let at = BOUNDS + GROUP_COLUMNS + 1 + value * MEASURES;
        let [sum, min, max, avg] = [1, 2, 3, 4].map(|measure| integer_at(rows, at + measure, row));
        GoldArg { count: count_at(rows, at, row), sum, min, max, avg }
    };
    let gold = |row: usize| Gold {
        group: group_at(rows, BOUNDS, row),
        records: count_at(rows, BOUNDS + GROUP_COLUMNS, row),
        args: (0..VALUE_COLUMNS).map(|value| arg(row, value)).collect(),
    };
    (0..rows.num_rows()).map(gold).collect()
}

/// What ought to be published of the oracle's `row`.
pub fn gold_of(row: &Row) -> Gold {
    let args = row.state.args.iter().map(|arg| GoldArg {
        count: arg.count,
        sum: (arg.count > 0).then_some(arg.sum),
        min: arg.min,
        max: arg.max,
        avg: (arg.count > 0).then(|| nearest_even(arg.sum * 10_000, i128::from(arg.count))),
    });
    Gold { group: row.group.clone(), records: row.state.records, args: args.collect() }
}

/// The integer nearest to `value / count`; of two equally near, the even one.
///
/// # Panics
/// If `count` is zero.
pub fn nearest_even(value: i128, count: i128) -> i128 {
    let guess = value / count;
    let distance = |candidate: &i128| ((candidate * count - value).abs(), candidate.rem_euclid(2));
    [guess - 1, guess, guess + 1].into_iter().min_by_key(distance).expect("there are three")
}

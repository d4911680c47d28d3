//! The rows of a partial, read back into the oracle's terms.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Decimal256Type, Int64Type};

use crate::model::{AggState, ArgState, GROUP_COLUMNS, Group, VALUE_COLUMNS};

/// State columns of one value: count, sum, min, max, and sum and count of its average.
const STATES: usize = 6;

/// The groups and states in the rows of a partial of [`super::program`], in their order.
///
/// # Panics
/// If the columns are not those of the program, or if sum, count and average contradict each other.
pub fn read_partial(rows: &RecordBatch) -> Vec<(Group, AggState)> {
    assert_eq!(rows.num_columns(), GROUP_COLUMNS + 1 + VALUE_COLUMNS * STATES, "groups, count(*), and the values");
    (0..rows.num_rows()).map(|row| (group_at(rows, 0, row), state_at(rows, row))).collect()
}

/// The grouping columns of `row`, which begin at `column`.
pub(super) fn group_at(rows: &RecordBatch, column: usize, row: usize) -> Group {
    let text = |index: usize| rows.column(column + index).as_string::<i32>();
    (0..GROUP_COLUMNS).map(|index| text(index).is_valid(row).then(|| text(index).value(row).to_owned())).collect()
}

/// An integer or the unscaled value of a decimal.
pub(super) fn integer_at(rows: &RecordBatch, column: usize, row: usize) -> Option<i128> {
    let array = rows.column(column);
    if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
        return integers.is_valid(row).then(|| i128::from(integers.value(row)));
    }
    if let Some(wide) = array.as_primitive_opt::<Decimal256Type>() {
        return wide.is_valid(row).then(|| wide.value(row).to_i128().expect("sums of a world are small"));
    }
    let decimals = array.as_primitive::<Decimal128Type>();
    decimals.is_valid(row).then(|| decimals.value(row))
}

/// A count, which is never null.
pub(super) fn count_at(rows: &RecordBatch, column: usize, row: usize) -> u64 {
    let count = integer_at(rows, column, row).expect("a count is never null");
    u64::try_from(count).expect("a count is never negative")
}

fn state_at(rows: &RecordBatch, row: usize) -> AggState {
    let arg = |value: usize| {
        let at = GROUP_COLUMNS + 1 + value * STATES;
        let [sum, min, max, average] = [1, 2, 3, 4].map(|state| integer_at(rows, at + state, row));
        let count = count_at(rows, at, row);
        assert_eq!((average, count_at(rows, at + 5, row)), (sum, count), "an average is a sum and a count");
        assert_eq!(sum.is_some(), count > 0, "a sum of nothing is null");
        ArgState { count, sum: sum.unwrap_or(0), min, max }
    };
    AggState { records: count_at(rows, GROUP_COLUMNS, row), args: (0..VALUE_COLUMNS).map(arg).collect() }
}

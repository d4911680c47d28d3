//! Accumulators: the state of one measure for every cell (a group in an open window).
//!
//! States are exact sums, integers or text, and folding and merging commute and associate exactly; the order of records, fetches and
//! partitions leaves no trace, and no total fails to be kept.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array};
use arrow_schema::DataType;

use crate::argument::{Argument, Values};
use crate::program::{Function, Measure};
use crate::sums::{Summed, Sums};

/// The state of one measure, indexed by cell.
#[derive(Debug)]
pub(crate) enum Accumulator {
    /// Counted rows.
    Count(Vec<i64>),
    /// Sum of, and number of, values; `average` keeps the number in its state.
    Sum { sums: Sums, counts: Vec<i64>, average: bool },
    /// Smallest or largest integer.
    Extreme { values: Vec<Option<i128>>, largest: bool },
    /// Smallest or largest text, by bytes.
    Text { values: Vec<Option<Box<str>>>, largest: bool },
}

impl Accumulator {
    pub(crate) fn new(measure: &Measure) -> Self {
        let largest = measure.function == Function::Max;
        match measure.function {
            Function::Count => Self::Count(Vec::new()),
            Function::Sum | Function::Avg => {
                let (sums, average) = (Sums::new(Summed::of(&measure.input)), measure.function == Function::Avg);
                Self::Sum { sums, counts: Vec::new(), average }
            }
            Function::Min | Function::Max if measure.input == DataType::Utf8 => {
                Self::Text { values: Vec::new(), largest }
            }
            Function::Min | Function::Max => Self::Extreme { values: Vec::new(), largest },
        }
    }

    /// Makes room for `cells` cells, the new ones empty.
    pub(crate) fn resize(&mut self, cells: usize) {
        match self {
            Self::Count(counts) => counts.resize(cells, 0),
            Self::Sum { sums, counts, .. } => {
                sums.resize(cells);
                counts.resize(cells, 0);
            }
            Self::Extreme { values, .. } => values.resize(cells, None),
            Self::Text { values, .. } => values.resize(cells, None),
        }
    }

    /// Bytes of the text that a cell holds; 0 for states of a fixed size.
    pub(crate) fn text_bytes(&self, cell: u32) -> usize {
        let Self::Text { values, .. } = self else { return 0 };
        values.get(cell as usize).and_then(Option::as_ref).map_or(0, |text| text.len())
    }

    /// Empties one cell.
    pub(crate) fn clear(&mut self, cell: u32) {
        let at = cell as usize;
        match self {
            Self::Count(counts) => counts[at] = 0,
            Self::Sum { sums, counts, .. } => {
                sums.clear(at);
                counts[at] = 0;
            }
            Self::Extreme { values, .. } => values[at] = None,
            Self::Text { values, .. } => values[at] = None,
        }
    }

    /// Folds `rows[i]` of the argument into `cells[i]`.
    pub(crate) fn fold(&mut self, cells: &[u32], rows: &[u32], argument: &Argument) {
        let folded = argument.folded.as_ref();
        let pairs = cells.iter().copied().zip(rows.iter().map(|row| *row as usize));
        match folded {
            None => self.fold_pairs(pairs, &argument.values),
            Some(folded) => self.fold_pairs(pairs.filter(|(_, row)| folded.value(*row)), &argument.values),
        }
    }

    fn fold_pairs(&mut self, pairs: impl Iterator<Item = (u32, usize)>, values: &Values) {
        match (self, values) {
            (Self::Count(counts), _) => pairs.for_each(|(cell, _)| counts[cell as usize] += 1),
            (Self::Sum { sums, counts, .. }, values) => {
                sums.fold(pairs.inspect(|(cell, _)| counts[*cell as usize] += 1), values);
            }
            (extreme @ Self::Extreme { .. }, Values::Wide(wide)) => {
                pairs.for_each(|(cell, row)| extreme.compare(cell, wide[row]));
            }
            (extreme @ Self::Extreme { .. }, Values::Narrow(narrow)) => {
                pairs.for_each(|(cell, row)| extreme.compare(cell, i128::from(narrow[row])));
            }
            (text @ Self::Text { .. }, Values::Text(array)) => {
                pairs.for_each(|(cell, row)| text.compare_text(cell, array.value(row)));
            }
            (accumulator, _) => unreachable!("{accumulator:?} was made for arguments of another shape"),
        }
    }

    #[inline]
    fn compare(&mut self, cell: u32, value: i128) {
        if let Self::Extreme { values, largest } = self {
            let held = &mut values[cell as usize];
            if held.is_none_or(|held| if *largest { value > held } else { value < held }) {
                *held = Some(value);
            }
        }
    }

    fn compare_text(&mut self, cell: u32, value: &str) {
        if let Self::Text { values, largest } = self {
            let held = &mut values[cell as usize];
            if held.as_deref().is_none_or(|held| if *largest { value > held } else { value < held }) {
                *held = Some(value.into());
            }
        }
    }

    /// The state columns of `cells`, typed as the measure's partial columns.
    pub(crate) fn state(&self, cells: &[u32]) -> Vec<ArrayRef> {
        let at = |cell: &u32| *cell as usize;
        match self {
            Self::Count(counts) => vec![integers(cells.iter().map(|cell| counts[at(cell)]))],
            Self::Sum { sums, counts, average } => {
                let sum = sums.state(cells, counts);
                if *average { vec![sum, integers(cells.iter().map(|cell| counts[at(cell)]))] } else { vec![sum] }
            }
            Self::Extreme { values, .. } => vec![wide(cells.iter().map(|cell| values[at(cell)]))],
            Self::Text { values, .. } => {
                let mut text = StringBuilder::new();
                for cell in cells {
                    text.append_option(values[at(cell)].as_deref());
                }
                vec![Arc::new(text.finish())]
            }
        }
    }

    /// Merges row `i` of the state columns into `cells[i]`.
    pub(crate) fn merge(&mut self, cells: &[u32], columns: &[ArrayRef]) {
        let present = |row: &usize| columns[0].is_valid(*row);
        let pairs = cells.iter().copied().zip(0_usize..).filter(|(_, row)| present(row));
        match self {
            Self::Count(counts) => {
                let added = columns[0].as_primitive::<Int64Type>();
                pairs.for_each(|(cell, row)| add(&mut counts[cell as usize], added.value(row)));
            }
            Self::Sum { sums, counts, average } => {
                let added = average.then(|| columns[1].as_primitive::<Int64Type>());
                let added = |row| added.map_or(1, |added| added.value(row));
                pairs.for_each(|(cell, row)| add(&mut counts[cell as usize], added(row)));
                sums.merge(cells, &columns[0]);
            }
            Self::Extreme { .. } => {
                let values = columns[0].as_primitive::<Decimal128Type>();
                pairs.for_each(|(cell, row)| self.compare(cell, values.value(row)));
            }
            Self::Text { .. } => {
                let values = columns[0].as_string::<i32>();
                pairs.for_each(|(cell, row)| self.compare_text(cell, values.value(row)));
            }
        }
    }
}

/// Records that were counted are far fewer than 2^63; what no lane counted wraps alike in every order.
fn add(count: &mut i64, more: i64) {
    *count = count.wrapping_add(more);
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn wide(values: impl Iterator<Item = Option<i128>>) -> ArrayRef {
    Arc::new(values.collect::<Decimal128Array>().with_data_type(DataType::Decimal128(38, 0)))
}

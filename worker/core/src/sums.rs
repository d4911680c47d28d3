//! Running totals, as `sum` and `avg` keep them for every cell: exact, so that they commute and associate.
//!
//! No total goes over while it is kept. Up to 2^63 values are added: of 64 bits each they make less than 2^126, decimals of 38 digits less
//! than 2^190, and doubles less than the register of [`Exact`] holds. What does not fit the published column is found when a window
//! is published.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Decimal256Array, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::DataType;

use crate::argument::Values;
use crate::exact::{Exact, is_sum};
use crate::program::{Measure, Program};

/// What is summed, and so how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Summed {
    /// Integers of at most 64 bits.
    Integers,
    /// Decimals, unscaled.
    Decimals,
    /// Finite doubles.
    Doubles,
}

impl Summed {
    /// How arguments of type `input` are summed.
    pub(crate) fn of(input: &DataType) -> Self {
        match input {
            DataType::Float32 | DataType::Float64 => Self::Doubles,
            DataType::Decimal128(..) | DataType::UInt64 => Self::Decimals,
            _ => Self::Integers,
        }
    }

    /// The type of a total in a partial.
    pub(crate) fn state_type(self) -> DataType {
        match self {
            Self::Integers => DataType::Decimal128(38, 0),
            Self::Decimals => DataType::Decimal256(76, 0),
            Self::Doubles => DataType::Binary,
        }
    }
}

/// A total for every cell.
#[derive(Debug)]
pub(crate) enum Sums {
    Integers(Vec<i128>),
    Decimals(Vec<i256>),
    Doubles(Vec<Exact>),
}

impl Sums {
    pub(crate) fn new(summed: Summed) -> Self {
        match summed {
            Summed::Integers => Self::Integers(Vec::new()),
            Summed::Decimals => Self::Decimals(Vec::new()),
            Summed::Doubles => Self::Doubles(Vec::new()),
        }
    }

    /// Makes room for `cells` cells, the new ones zero.
    pub(crate) fn resize(&mut self, cells: usize) {
        match self {
            Self::Integers(sums) => sums.resize(cells, 0),
            Self::Decimals(sums) => sums.resize(cells, i256::ZERO),
            Self::Doubles(sums) => sums.resize(cells, Exact::ZERO),
        }
    }

    /// Makes one cell zero.
    pub(crate) fn clear(&mut self, at: usize) {
        match self {
            Self::Integers(sums) => sums[at] = 0,
            Self::Decimals(sums) => sums[at] = i256::ZERO,
            Self::Doubles(sums) => sums[at] = Exact::ZERO,
        }
    }

    /// Adds the value of each row to its cell.
    pub(crate) fn fold(&mut self, pairs: impl Iterator<Item = (u32, usize)>, values: &Values) {
        match (self, values) {
            (Self::Integers(sums), Values::Narrow(narrow)) => {
                pairs.for_each(|(cell, row)| add_integer(&mut sums[cell as usize], narrow[row].into()));
            }
            (Self::Decimals(sums), Values::Wide(wide)) => {
                pairs.for_each(|(cell, row)| add_decimal(&mut sums[cell as usize], i256::from_i128(wide[row])));
            }
            (Self::Doubles(sums), Values::Floats(floats)) => {
                pairs.for_each(|(cell, row)| sums[cell as usize].add(floats[row]));
            }
            (sums, _) => unreachable!("{sums:?} was made for arguments of another shape"),
        }
    }

    /// The totals of `cells` as they stand in a partial; null for those that nothing was added to, by `counts`.
    pub(crate) fn state(&self, cells: &[u32], counts: &[i64]) -> ArrayRef {
        let some = cells.iter().map(|cell| (counts[*cell as usize] > 0).then_some(*cell as usize));
        match self {
            Self::Integers(sums) => {
                let sums = some.map(|cell| cell.map(|cell| sums[cell])).collect::<Decimal128Array>();
                Arc::new(sums.with_data_type(Summed::Integers.state_type()))
            }
            Self::Decimals(sums) => {
                let sums = some.map(|cell| cell.map(|cell| sums[cell])).collect::<Decimal256Array>();
                Arc::new(sums.with_data_type(Summed::Decimals.state_type()))
            }
            Self::Doubles(sums) => {
                let mut encoded = BinaryBuilder::new();
                some.for_each(|cell| encoded.append_option(cell.map(|cell| sums[cell].encode())));
                Arc::new(encoded.finish())
            }
        }
    }

    /// Adds row `i` of a partial to `cells[i]`, where it is not null.
    pub(crate) fn merge(&mut self, cells: &[u32], state: &ArrayRef) {
        let pairs = cells.iter().map(|cell| *cell as usize).zip(0..).filter(|(_, row)| state.is_valid(*row));
        match self {
            Self::Integers(sums) => {
                let state = state.as_primitive::<Decimal128Type>();
                pairs.for_each(|(cell, row)| add_integer(&mut sums[cell], state.value(row)));
            }
            Self::Decimals(sums) => {
                let state = state.as_primitive::<Decimal256Type>();
                pairs.for_each(|(cell, row)| add_decimal(&mut sums[cell], state.value(row)));
            }
            Self::Doubles(sums) => {
                let state = state.as_binary::<i32>();
                pairs.for_each(|(cell, row)| sums[cell].merge(state.value(row)));
            }
        }
    }
}

impl Program {
    /// The measure whose state in the rows of a partial, which have the columns of [`Self::partial_schema`], is none that a lane gives.
    pub fn foreign_state(&self, rows: &RecordBatch) -> Option<&Measure> {
        let mut states = &rows.columns()[self.groups.len()..];
        self.measures.iter().find(|measure| {
            let (state, rest) = states.split_at(measure.state_types().len());
            states = rest;
            let sums = state[0].as_binary_opt::<i32>();
            sums.is_some_and(|sums| sums.iter().flatten().any(|sum| !is_sum(sum)))
        })
    }
}

/// Only a partial that no lane made could bring this to wrap, and then it does so alike in every order.
#[inline]
fn add_integer(sum: &mut i128, value: i128) {
    *sum = sum.wrapping_add(value);
}

/// See [`add_integer`].
#[inline]
fn add_decimal(sum: &mut i256, value: i256) {
    *sum = sum.wrapping_add(value);
}

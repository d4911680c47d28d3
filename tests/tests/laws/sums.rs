//! Sums of doubles: whatever the order of records, the cut into fetches and the placement on partitions, the same bytes, and those of
//! the exact result, rounded once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use num_bigint::BigInt;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use stream_core::{Function, Measure, Published};
use tests::model::doubles::{nearest, units};

use crate::fold::{measure, publish};
use crate::{cases, unexpected};

/// Doubles of every magnitude, the smallest and the largest, and such as prices are.
fn arb_double() -> impl Strategy<Value = f64> {
    let ends = vec![f64::MAX, 1e308, 1.5e308, f64::MIN_POSITIVE, 5e-324, 1e-310, 1e16, 1.0, 0.1, 0.0];
    let drawn = prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        1 => select(ends),
        3 => (0..100_000_000_u32).prop_map(|cents| f64::from(cents) / 100.0),
        // Neighbours in magnitude, so that digits are lost where they are summed one by one.
        3 => (-60..60_i32, 0..1_u64 << 52).prop_map(|(power, digits)| 2_f64.powi(power) * f64::from_bits(1023 << 52 | digits)),
    ];
    (drawn, any::<bool>()).prop_filter_map("is a number", |(value, negative)| {
        value.is_finite().then_some(if negative { -value } else { value })
    })
}

/// Some of the values come again with the other sign.
fn arb_values() -> impl Strategy<Value = Vec<f64>> {
    let values = prop::collection::vec((arb_double(), prop::bool::weighted(0.3)), 1..30);
    values.prop_map(|values| {
        let cancelled = values.iter().filter(|(_, cancels)| *cancels).map(|(value, _)| -value);
        cancelled.chain(values.iter().map(|(value, _)| *value)).collect()
    })
}

/// An order of the values, the partition of each, and how many records a fetch has.
#[derive(Clone, Debug)]
struct Run {
    swaps: Vec<(Index, Index)>,
    partitions: Vec<Index>,
    many: usize,
    fetch: usize,
}

fn arb_run() -> impl Strategy<Value = Run> {
    let swaps = prop::collection::vec(any::<(Index, Index)>(), 0..60);
    let partitions = prop::collection::vec(any::<Index>(), 60);
    (swaps, partitions, 1..5_usize, 1..9_usize).prop_map(|(swaps, partitions, many, fetch)| Run {
        swaps,
        partitions,
        many,
        fetch,
    })
}

impl Run {
    fn publish(&self, values: &[f64]) -> Result<Published, TestCaseError> {
        let mut ordered = values.to_vec();
        for (one, other) in &self.swaps {
            ordered.swap(one.index(values.len()), other.index(values.len()));
        }
        let mut placed = vec![Vec::new(); self.many];
        for (value, partition) in ordered.iter().zip(&self.partitions) {
            placed[partition.index(self.many)].push(*value);
        }
        let columns: Vec<ArrayRef> =
            placed.into_iter().map(|values| Arc::new(Float64Array::from(values)) as _).collect();
        let published = publish(measures(), &columns, None, self.fetch).map_err(|error| unexpected(&error))?;
        published.ok_or_else(|| TestCaseError::fail("there are records"))
    }
}

fn measures() -> Vec<Measure> {
    let double = DataType::Float64;
    let decimal = DataType::Decimal128(38, 2);
    vec![
        measure(Function::Sum, &double, &double),
        measure(Function::Avg, &double, &double),
        measure(Function::Sum, &double, &decimal),
        measure(Function::Avg, &double, &decimal),
        measure(Function::Min, &double, &double),
        measure(Function::Max, &double, &double),
    ]
}

/// The bits of the measure's double; nothing where it is null.
fn bits(rows: &RecordBatch, measure: usize) -> Option<u64> {
    let column = rows.column(2 + measure).as_primitive::<Float64Type>();
    column.is_valid(0).then(|| column.value(0).to_bits())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn sums_of_doubles_are_exact_and_the_same_bytes(values in arb_values(), one in arb_run(), other in arb_run()) {
        let (one, other) = (one.publish(&values)?, other.publish(&values)?);
        prop_assert_eq!(&one.rows, &other.rows);
        prop_assert_eq!(&one.overflow, &other.overflow);
        let sum: BigInt = values.iter().map(|value| units(*value)).sum();
        let expected = [nearest(&sum, 1), nearest(&sum, values.len() as u64)].map(|value| value.map(f64::to_bits));
        prop_assert_eq!([0, 1].map(|measure| bits(&one.rows, measure)), expected);
        let told = |row: &str| one.overflow.iter().filter(|overflow| overflow.measure == row).count();
        let nulls = |measures: [usize; 2]| measures.iter().filter(|measure| one.rows.column(2 + **measure).is_null(0)).count();
        prop_assert_eq!([told("sum"), told("avg")], [nulls([0, 2]), nulls([1, 3])]);
    }
}

/// What adding in fixed point or one by one would lose.
#[test]
fn no_digit_is_lost() {
    let third = [0.1, 0.2, 0.3];
    let cases: [(&[f64], f64); 5] = [
        (&third, 0.6),
        (&[1e-300, 1.0, -1.0], 1e-300),
        (&[1e308, 1e308, -1e308], 1e308),
        (&[1e16, 1.0, -1e16], 1.0),
        (&[5e-324; 3], 1.5e-323),
    ];
    for (values, expected) in cases {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let published = publish(measures(), &[column], None, 2).expect("the core goes on").expect("there are records");
        assert_eq!(bits(&published.rows, 0), Some(expected.to_bits()), "{values:?}");
    }
}

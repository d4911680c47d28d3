//! Arithmetic: every function over every kind of value, against sums and comparisons written out here.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use proptest::prelude::*;
use stream_core::Function;

use crate::fold::{fold, measure};
use crate::{cases, unexpected};

/// Random values, null or not, each in one of two partitions.
fn arb<T: Clone + std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = [Vec<Option<T>>; 2]> {
    let values = proptest::collection::vec((any::<bool>(), proptest::option::weighted(0.8, value)), 0..40);
    values.prop_map(|values| {
        let (first, second): (Vec<_>, Vec<_>) = values.into_iter().partition(|(in_first, _)| *in_first);
        [first, second].map(|values| values.into_iter().map(|(_, value)| value).collect())
    })
}

/// A published value as an integer: decimals unscaled.
fn integer(array: &ArrayRef) -> Option<i128> {
    let wide = match array.data_type() {
        DataType::Decimal128(..) => array.clone(),
        DataType::Int64 => cast(array, &DataType::Decimal128(38, 0)).expect("an integer is a decimal"),
        _ => cast(&cast(array, &DataType::Int64).expect("times are integers"), &DataType::Decimal128(38, 0))
            .expect("an integer is a decimal"),
    };
    let decimals = wide.as_primitive::<arrow::datatypes::Decimal128Type>();
    decimals.is_valid(0).then(|| decimals.value(0))
}

/// Nearest integer to `value / count`, even when there are two.
fn nearest_even(value: i128, count: i128) -> i128 {
    let floor = value.div_euclid(count);
    let (below, above) = (value - floor * count, (floor + 1) * count - value);
    if below < above || (below == above && floor % 2 == 0) { floor } else { floor + 1 }
}

/// All five functions over integers or decimals.
fn check_integers(
    kind: &DataType,
    average: &DataType,
    values: &[Vec<Option<i128>>; 2],
    column: impl Fn(&[Option<i128>]) -> ArrayRef,
) -> Result<(), TestCaseError> {
    let sum = if kind.is_integer() { DataType::Int64 } else { DataType::Decimal128(38, 2) };
    let measures = vec![
        measure(Function::Count, kind, &DataType::Int64),
        measure(Function::Sum, kind, &sum),
        measure(Function::Min, kind, kind),
        measure(Function::Max, kind, kind),
        measure(Function::Avg, kind, average),
    ];
    let columns = values.each_ref().map(|values| column(values));
    let published = fold(measures, &columns, None).map_err(|error| unexpected(&error))?;
    let present: Vec<i128> = values.iter().flatten().copied().flatten().collect();
    let (total, count) = (present.iter().sum::<i128>(), present.len() as i128);
    let any = |value: i128| (count > 0).then_some(value);
    let expected = [
        Some(count),
        any(total),
        present.iter().min().copied(),
        present.iter().max().copied(),
        any(nearest_even(total * 10_000, count.max(1))),
    ];
    if values.iter().all(Vec::is_empty) {
        prop_assert!(published.is_empty(), "no record, no window");
    } else {
        prop_assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), expected);
    }
    Ok(())
}

fn int64(values: &[Option<i128>]) -> ArrayRef {
    Arc::new(values.iter().map(|value| value.map(|value| value as i64)).collect::<Int64Array>())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn decimals(values in arb(prop_oneof![-200..200_i128, -10_i128.pow(19)..10_i128.pow(19)])) {
        let kind = DataType::Decimal128(20, 2);
        let column = |values: &[Option<i128>]| -> ArrayRef {
            Arc::new(values.iter().copied().collect::<Decimal128Array>().with_data_type(kind.clone()))
        };
        check_integers(&kind, &DataType::Decimal128(38, 6), &values, column)?;
    }

    #[test]
    fn integers(values in arb(prop_oneof![-200..200_i128, -(1_i128 << 56)..(1_i128 << 56)])) {
        check_integers(&DataType::Int64, &DataType::Decimal128(38, 4), &values, int64)?;
    }

    #[test]
    fn short_integers(values in arb(any::<i32>().prop_map(i128::from))) {
        let column = |values: &[Option<i128>]| -> ArrayRef {
            Arc::new(values.iter().map(|value| value.map(|value| value as i32)).collect::<Int32Array>())
        };
        check_integers(&DataType::Int32, &DataType::Decimal128(38, 4), &values, column)?;
    }

    /// Eighths are exact in binary, so what rounding must do is known in integers.
    #[test]
    fn floats_as_decimals_are_rounded_once(eighths in arb(prop_oneof![-100..100_i64, -(1_i64 << 40)..(1_i64 << 40)])) {
        let column = |values: &Vec<Option<i64>>| -> ArrayRef {
            Arc::new(values.iter().map(|value| value.map(|value| value as f64 / 8.0)).collect::<Float64Array>())
        };
        let (kind, decimal) = (DataType::Float64, DataType::Decimal128(38, 2));
        let measures = [Function::Sum, Function::Avg].map(|function| measure(function, &kind, &decimal)).into();
        let published = fold(measures, &eighths.each_ref().map(column), None).map_err(|error| unexpected(&error))?;
        let present: Vec<i128> = eighths.iter().flatten().copied().flatten().map(i128::from).collect();
        let total: i128 = present.iter().sum::<i128>() * 25;
        let average = nearest_even(total, 2 * (present.len() as i128).max(1));
        let expected = [nearest_even(total, 2), average].map(|value| (!present.is_empty()).then_some(value));
        if eighths.iter().any(|values| !values.is_empty()) {
            prop_assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), expected);
        }
    }

    /// What is no finite number is left out, and there is one zero.
    #[test]
    fn extremes_of_floats_are_numbers(values in arb(prop_oneof![
        3 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ])) {
        let kind = DataType::Float64;
        let count = measure(Function::Count, &kind, &DataType::Int64);
        let measures = vec![measure(Function::Min, &kind, &kind), measure(Function::Max, &kind, &kind), count];
        let column = |values: &Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values.clone())) };
        let published = fold(measures, &values.each_ref().map(column), None).map_err(|error| unexpected(&error))?;
        let mut present: Vec<f64> = values.iter().flatten().copied().flatten().filter(|value| value.is_finite()).collect();
        present.iter_mut().filter(|value| **value == 0.0).for_each(|zero| *zero = 0.0);
        present.sort_by(f64::total_cmp);
        let bits = |array: &ArrayRef| {
            let floats = array.as_primitive::<Float64Type>();
            floats.is_valid(0).then(|| floats.value(0).to_bits())
        };
        if values.iter().any(|values| !values.is_empty()) {
            let expected = [present.first(), present.last()].map(|value| value.copied().map(f64::to_bits));
            prop_assert_eq!(published[..2].iter().map(bits).collect::<Vec<_>>(), expected);
            prop_assert_eq!(integer(&published[2]), Some(present.len() as i128));
        }
    }

    #[test]
    fn extremes_of_text_go_by_bytes(values in arb("[a-cä€ ]{0,3}")) {
        let kind = DataType::Utf8;
        let measures = vec![
            measure(Function::Min, &kind, &kind),
            measure(Function::Max, &kind, &kind),
            measure(Function::Count, &kind, &DataType::Int64),
        ];
        let column = |values: &Vec<Option<String>>| -> ArrayRef { Arc::new(StringArray::from(values.clone())) };
        let published = fold(measures, &values.each_ref().map(column), None).map_err(|error| unexpected(&error))?;
        let present: Vec<&[u8]> = values.iter().flatten().flatten().map(String::as_bytes).collect();
        if values.iter().any(|values| !values.is_empty()) {
            let text = |array: &ArrayRef| {
                let text = array.as_string::<i32>();
                text.is_valid(0).then(|| text.value(0).as_bytes().to_vec())
            };
            prop_assert_eq!(text(&published[0]), present.iter().min().map(|text| text.to_vec()));
            prop_assert_eq!(text(&published[1]), present.iter().max().map(|text| text.to_vec()));
            prop_assert_eq!(integer(&published[2]), Some(present.len() as i128));
        }
    }

    #[test]
    fn extremes_of_times_keep_their_type(values in arb(any::<i32>())) {
        let present: Vec<i128> = values.iter().flatten().copied().flatten().map(i128::from).collect();
        let date = |values: &Vec<Option<i32>>| -> ArrayRef { Arc::new(Date32Array::from(values.clone())) };
        let instant = |values: &Vec<Option<i32>>| -> ArrayRef {
            let micros = values.iter().map(|value| value.map(i64::from)).collect::<TimestampMicrosecondArray>();
            Arc::new(micros.with_timezone("UTC"))
        };
        let types = [DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))];
        let columns = [values.each_ref().map(date), values.each_ref().map(instant)];
        for (kind, columns) in types.into_iter().zip(columns) {
            let measures = vec![measure(Function::Min, &kind, &kind), measure(Function::Max, &kind, &kind)];
            let published = fold(measures, &columns, None).map_err(|error| unexpected(&error))?;
            if values.iter().any(|values| !values.is_empty()) {
                prop_assert!(published.iter().all(|array| *array.data_type() == kind));
                let expected = [present.iter().min(), present.iter().max()].map(Option::<&i128>::copied);
                prop_assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), expected);
            }
        }
    }

    /// Only rows for which the predicate is true are folded; null is not true.
    #[test]
    fn a_predicate_leaves_rows_out(rows in arb((proptest::option::of(any::<bool>()), -9..9_i64))) {
        let kind = DataType::Int64;
        let mut measures = vec![
            measure(Function::Sum, &kind, &kind),
            measure(Function::Count, &kind, &kind),
            measure(Function::Count, &DataType::Null, &kind),
        ];
        measures[2].argument = None;
        let value = |rows: &Vec<Option<(Option<bool>, i64)>>| -> ArrayRef {
            Arc::new(rows.iter().map(|row| row.map(|(_, value)| value)).collect::<Int64Array>())
        };
        let flag = |row: &Option<(Option<bool>, i64)>| row.is_none_or(|(flag, _)| flag == Some(true));
        let flags = |rows: &Vec<Option<(Option<bool>, i64)>>| -> BooleanArray {
            rows.iter().map(|row| row.map_or(Some(true), |(flag, _)| flag)).collect()
        };
        let flags = rows.each_ref().map(flags);
        let published = fold(measures, &rows.each_ref().map(value), Some(&flags)).map_err(|error| unexpected(&error))?;
        let folded: Vec<i128> =
            rows.iter().flatten().filter(|row| flag(row)).filter_map(|row| row.map(|(_, value)| value.into())).collect();
        let all = rows.iter().flatten().filter(|row| flag(row)).count();
        if rows.iter().any(|rows| !rows.is_empty()) {
            let sum = (!folded.is_empty()).then(|| folded.iter().sum());
            let expected = [sum, Some(folded.len() as i128), Some(all as i128)];
            prop_assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn what_is_no_finite_number_is_left_out_of_every_measure() {
    for kind in [DataType::Float64, DataType::Float32] {
        let measures = vec![
            measure(Function::Sum, &kind, &DataType::Decimal128(38, 2)),
            measure(Function::Avg, &kind, &DataType::Decimal128(38, 2)),
            measure(Function::Count, &kind, &DataType::Int64),
            measure(Function::Count, &DataType::Null, &DataType::Int64),
        ];
        let mut measures = measures;
        measures[3].argument = None;
        let typed = |values: Float64Array| cast(&values, &kind).expect("floats are floats");
        let one = typed(Float64Array::from(vec![f64::NAN, 1.5, f64::INFINITY]));
        let other = typed(Float64Array::from(vec![Some(f64::NEG_INFINITY), None, Some(2.5), Some(-f64::NAN)]));
        let published = fold(measures, &[one, other], None).expect("the core goes on");
        let expected = [Some(400), Some(200), Some(2), Some(7)];
        assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), expected, "{kind}");
    }
}

#[test]
fn extremes_of_booleans() {
    let kind = DataType::Boolean;
    let measures = || vec![measure(Function::Min, &kind, &kind), measure(Function::Max, &kind, &kind)];
    let values = |values: &[Option<bool>]| -> ArrayRef { Arc::new(BooleanArray::from(values.to_vec())) };
    for (one, other, least, most) in [(Some(true), Some(false), Some(false), Some(true)), (None, None, None, None)] {
        let published = fold(measures(), &[values(&[one]), values(&[other])], None).expect("the core goes on");
        let found = published.iter().map(|array| array.is_valid(0).then(|| array.as_boolean().value(0)));
        assert_eq!(found.collect::<Vec<_>>(), [least, most]);
    }
}

#[test]
fn averages_are_rounded_half_to_even() {
    let average = || vec![measure(Function::Avg, &DataType::Int64, &DataType::Decimal128(38, 4))];
    // Of 32 numbers that add up to one, the average is 0.03125.
    for (total, expected) in [(1, 312), (3, 938), (-1, -312), (-3, -938), (5, 1562), (32, 10_000), (2, 625)] {
        let values: ArrayRef = Arc::new((0..32).map(|n| if n == 0 { total } else { 0 }).collect::<Int64Array>());
        let none: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
        let published = fold(average(), &[values, none], None).expect("the core goes on");
        assert_eq!(published.iter().map(integer).collect::<Vec<_>>(), [Some(expected)], "{total} / 32");
    }
}

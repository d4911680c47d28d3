//! A total that does not fit is an error that names its measure and its window, wherever it shows; never a wrap.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use stream_core::{Error, EventTime, Function, Measure, Window};

use crate::fold::{fold, measure};

/// The largest decimal of 38 digits. Two of them do not fit 128 bits.
const LARGEST: i128 = 10_i128.pow(38) - 1;

fn wide(values: &[i128]) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_data_type(DataType::Decimal128(38, 0)))
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn overflows(what: &str, measure: Measure, values: &[ArrayRef; 2]) {
    let name = measure.name.clone();
    match fold(vec![measure], values, None) {
        Err(Error::Overflow { measure, window }) => {
            let all = Window { start: EventTime(0), end: EventTime(10) };
            assert_eq!((measure, window), (name, all), "{what}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

fn fits(what: &str, measure: Measure, values: &[ArrayRef; 2]) {
    assert!(fold(vec![measure], values, None).is_ok(), "{what}");
}

#[test]
fn sums_of_decimals() {
    let decimal = DataType::Decimal128(38, 0);
    let sum = || measure(Function::Sum, &decimal, &decimal);
    overflows("128 bits, in one partition", sum(), &[wide(&[LARGEST, LARGEST]), wide(&[])]);
    overflows("128 bits, below zero", sum(), &[wide(&[-LARGEST, -LARGEST]), wide(&[])]);
    overflows("128 bits, over both", sum(), &[wide(&[LARGEST]), wide(&[LARGEST])]);
    overflows("once round, in one partition", sum(), &[wide(&[LARGEST; 4]), wide(&[])]);
    let most = || wide(&[LARGEST, 7 * 10_i128.pow(37)]);
    overflows("once round, over both", sum(), &[most(), most()]);
    overflows("38 digits", sum(), &[wide(&[LARGEST, 1]), wide(&[])]);
    fits("exactly 38 digits", sum(), &[wide(&[LARGEST - 1]), wide(&[1])]);
    fits("large ones that cancel out", sum(), &[wide(&[LARGEST]), wide(&[-LARGEST, LARGEST])]);
}

#[test]
fn sums_of_integers() {
    let sum = || measure(Function::Sum, &DataType::Int64, &DataType::Int64);
    overflows("64 bits, in one partition", sum(), &[integers(&[i64::MAX, 1]), integers(&[])]);
    overflows("64 bits, over both", sum(), &[integers(&[i64::MIN]), integers(&[-1])]);
    fits("what one partition has too many the other takes back", sum(), &[integers(&[i64::MAX, 1]), integers(&[-1])]);
}

#[test]
fn averages() {
    let average = || measure(Function::Avg, &DataType::Decimal128(38, 0), &DataType::Decimal128(38, 4));
    overflows("the four digits more", average(), &[wide(&[LARGEST]), wide(&[])]);
    fits("a large one", average(), &[wide(&[10_i128.pow(34) - 1]), wide(&[])]);
}

/// A finite number that is too large for the fixed point is no reason to leave it out.
#[test]
fn sums_of_floats() {
    let sum = || measure(Function::Sum, &DataType::Float64, &DataType::Decimal128(38, 6));
    let average = || measure(Function::Avg, &DataType::Float64, &DataType::Decimal128(38, 10));
    let floats = |values: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    for huge in [1e33, -1e33, f64::MAX, f64::MIN] {
        overflows("one value", sum(), &[floats(&[huge]), floats(&[])]);
        overflows("one value next to others", average(), &[floats(&[-1.0, huge, 1.0]), floats(&[-huge])]);
    }
    overflows("two values", sum(), &[floats(&[9e31]), floats(&[9e31])]);
    fits("a large one", sum(), &[floats(&[9e31]), floats(&[-9e31])]);
    fits("what is no number", sum(), &[floats(&[f64::NAN, f64::INFINITY]), floats(&[f64::NEG_INFINITY])]);
}

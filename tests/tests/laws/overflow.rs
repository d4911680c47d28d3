//! A total that does not fit its column is null and told, wherever it shows; never a wrap, and never an end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use stream_core::{Function, Measure, Overflow, Published};

use crate::fold::{measure, publish};

/// The largest decimal of 38 digits. Two of them do not fit 128 bits.
const LARGEST: i128 = 10_i128.pow(38) - 1;

fn wide(values: &[i128]) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_data_type(DataType::Decimal128(38, 0)))
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// What is published of a measure beside one that counts.
fn published(what: &str, measured: Measure, values: &[ArrayRef; 2]) -> Published {
    let count = measure(Function::Count, &measured.input, &DataType::Int64);
    let published = publish(vec![count, measured], values, None, 7);
    published.unwrap_or_else(|error| panic!("{what}: {error}")).expect("there are records")
}

fn overflows(what: &str, measure: Measure, values: &[ArrayRef; 2]) {
    let name = measure.name.clone();
    let found = published(what, measure, values);
    assert!(found.rows.column(3).is_null(0), "{what}: {:?}", found.rows);
    assert!(found.rows.column(2).is_valid(0), "{what}: what fits stays");
    assert_eq!(found.overflow, [Overflow { measure: name, row: 0 }], "{what}");
}

fn fits(what: &str, measure: Measure, values: &[ArrayRef; 2]) {
    let found = published(what, measure, values);
    assert!(found.rows.column(3).is_valid(0), "{what}: {:?}", found.rows);
    assert_eq!(found.overflow, [], "{what}");
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
    fits("more than 128 bits that cancel out", sum(), &[wide(&[LARGEST; 9]), wide(&[-LARGEST; 9])]);
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
    fits("many large ones", average(), &[wide(&[10_i128.pow(34) - 1; 50]), wide(&[10_i128.pow(34) - 1; 50])]);
}

#[test]
fn sums_of_floats() {
    let sum = || measure(Function::Sum, &DataType::Float64, &DataType::Float64);
    let average = || measure(Function::Avg, &DataType::Float64, &DataType::Float64);
    overflows("more than the largest double", sum(), &[floats(&[f64::MAX]), floats(&[f64::MAX])]);
    overflows("half a step more", sum(), &[floats(&[f64::MIN]), floats(&[-2_f64.powi(970)])]);
    fits("less than half a step more", sum(), &[floats(&[f64::MAX]), floats(&[2_f64.powi(970).next_down()])]);
    fits("the largest double", sum(), &[floats(&[f64::MAX]), floats(&[1e280])]);
    fits("what cancels out", sum(), &[floats(&[f64::MAX, f64::MAX]), floats(&[f64::MIN])]);
    fits("an average of the largest", average(), &[floats(&[f64::MAX; 5]), floats(&[f64::MAX; 5])]);
}

#[test]
fn sums_of_floats_as_decimals() {
    let sum = || measure(Function::Sum, &DataType::Float64, &DataType::Decimal128(38, 6));
    let average = || measure(Function::Avg, &DataType::Float64, &DataType::Decimal128(38, 6));
    for huge in [2e32, -2e32, f64::MAX, f64::MIN] {
        overflows("one value", sum(), &[floats(&[huge]), floats(&[])]);
        overflows("one value next to others", average(), &[floats(&[-1.0, huge]), floats(&[huge])]);
        fits("one value that is taken back", average(), &[floats(&[-1.0, huge, 1.0]), floats(&[-huge])]);
    }
    overflows("two values", sum(), &[floats(&[9e31]), floats(&[9e31])]);
    fits("a large one", sum(), &[floats(&[9e31]), floats(&[-9e31])]);
}

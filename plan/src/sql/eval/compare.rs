//! Comparisons between any two types of one kind: exact between whole numbers and decimals, as doubles beside a double.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, Scalar};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::{cmp, zip::zip};
use arrow::compute::{and_kleene, or_kleene};
use arrow::datatypes::i256;
use arrow_schema::DataType;

use super::lanes::{Lane, ten, wide_ten};
use super::{Result, Value, lanes};
use crate::sql::node::Comparison;
use crate::types::{Kind, kind};

/// Null where an operand is, or is not a number.
pub(super) fn compare(op: Comparison, a: &Value, b: &Value, len: usize) -> Result<BooleanArray> {
    if a.is_null_scalar() || b.is_null_scalar() || a.array.data_type().is_null() || b.array.data_type().is_null() {
        return Ok(BooleanArray::new_null(len));
    }
    let (left, right) = (a.array.data_type(), b.array.data_type());
    let nulls = super::known(&[a.clone(), b.clone()]);
    let finish = |values: BooleanBuffer, nulls: Option<NullBuffer>| BooleanArray::new(values, nulls);
    match (left, right) {
        (DataType::Float32, DataType::Float32) => {
            let (a, b) = (lanes::floats(a)?, lanes::floats(b)?);
            let numbers = numbers(&a, &b, len, f32::is_nan);
            Ok(finish(ordered(op, &a, &b, len), NullBuffer::union(nulls.as_ref(), numbers.as_ref())))
        }
        (one, other) if is_floating(one) || is_floating(other) => {
            let (a, b) = (lanes::doubles(a)?, lanes::doubles(b)?);
            let numbers = numbers(&a, &b, len, f64::is_nan);
            Ok(finish(ordered(op, &a, &b, len), NullBuffer::union(nulls.as_ref(), numbers.as_ref())))
        }
        (one, other) if one == other => same_type(op, a, b, len),
        (one, other) if kind(one) == Kind::Number && kind(other) == Kind::Number => {
            Ok(finish(exact(op, a, b, len)?, nulls))
        }
        _ => {
            let (a, b) = (lanes::nanos(a)?, lanes::nanos(b)?);
            Ok(finish(ordered(op, &a, &b, len), nulls))
        }
    }
}

fn is_floating(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn ordered<T: Copy + PartialOrd>(op: Comparison, a: &Lane<'_, T>, b: &Lane<'_, T>, len: usize) -> BooleanBuffer {
    let pack = |holds: Vec<bool>| BooleanBuffer::collect_bool(len, |row| holds[row]);
    pack(match op {
        Comparison::Equal => a.zip(b, len, |a, b| a == b),
        Comparison::NotEqual => a.zip(b, len, |a, b| a != b),
        Comparison::Less => a.zip(b, len, |a, b| a < b),
        Comparison::LessOrEqual => a.zip(b, len, |a, b| a <= b),
        Comparison::Greater => a.zip(b, len, |a, b| a > b),
        Comparison::GreaterOrEqual => a.zip(b, len, |a, b| a >= b),
    })
}

/// The rows in which both are numbers; `None` means all.
fn numbers<T: Copy>(
    a: &Lane<'_, T>,
    b: &Lane<'_, T>,
    len: usize,
    is_nan: impl Fn(T) -> bool + Copy,
) -> Option<NullBuffer> {
    (a.any(is_nan) || b.any(is_nan))
        .then(|| NullBuffer::new(BooleanBuffer::collect_bool(len, |row| !is_nan(a.get(row)) && !is_nan(b.get(row)))))
}

fn same_type(op: Comparison, a: &Value, b: &Value, len: usize) -> Result<BooleanArray> {
    let datum = |value: &Value| -> Box<dyn Datum> {
        if value.scalar { Box::new(Scalar::new(Arc::clone(&value.array))) } else { Box::new(Arc::clone(&value.array)) }
    };
    // One scalar beside another would give one value.
    let (a, b) = if a.scalar && b.scalar {
        (Box::new(a.spread(len)?) as Box<dyn Datum>, datum(b))
    } else {
        (datum(a), datum(b))
    };
    let (a, b) = (a.as_ref(), b.as_ref());
    match op {
        Comparison::Equal => cmp::eq(a, b),
        Comparison::NotEqual => cmp::neq(a, b),
        Comparison::Less => cmp::lt(a, b),
        Comparison::LessOrEqual => cmp::lt_eq(a, b),
        Comparison::Greater => cmp::gt(a, b),
        Comparison::GreaterOrEqual => cmp::gt_eq(a, b),
    }
}

/// Whole numbers and decimals of different types, exactly.
fn exact(op: Comparison, a: &Value, b: &Value, len: usize) -> Result<BooleanBuffer> {
    if a.array.data_type().is_integer() && b.array.data_type().is_integer() {
        return Ok(ordered(op, &lanes::whole(a)?, &lanes::whole(b)?, len));
    }
    let pack = |holds: Vec<bool>| BooleanBuffer::collect_bool(len, |row| holds[row]);
    if let (Some((a, s)), Some((b, t))) = (lanes::decimals(a)?, lanes::decimals(b)?)
        && let (Some(up), Some(by)) = (ten(t.saturating_sub(s)), ten(s.saturating_sub(t)))
    {
        return Ok(pack(a.zip(&b, len, |a, b| op.holds(order(a, b, up, by, i128::checked_mul, 0)))));
    }
    let ((a, s), (b, t)) = (lanes::wides(a)?, lanes::wides(b)?);
    let up = wide_ten(t.saturating_sub(s)).unwrap_or(i256::MAX);
    let by = wide_ten(s.saturating_sub(t)).unwrap_or(i256::MAX);
    Ok(pack(a.zip(&b, len, |a, b| op.holds(order(a, b, up, by, i256::checked_mul, i256::ZERO)))))
}

/// The order of `a·up` and `b·by`, of which one power is 1: what does not fit is beyond all that does.
fn order<T: Ord + Copy>(a: T, b: T, up: T, by: T, times: impl Fn(T, T) -> Option<T>, zero: T) -> Ordering {
    match (times(a, up), times(b, by)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, _) => a.cmp(&zero),
        (_, None) => zero.cmp(&b),
    }
}

/// `is distinct from`: never null. Nulls are one value, and so is what is not a number.
pub(super) fn distinct(negated: bool, a: &Value, b: &Value, len: usize) -> Result<BooleanArray> {
    let equal = compare(Comparison::Equal, a, b, len)?;
    let is_null = |value: &Value| {
        let nulls = value.array.logical_nulls();
        let scalar = value.scalar;
        move |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(if scalar { 0 } else { row }))
    };
    let (a_null, b_null) = (is_null(a), is_null(b));
    let not_number = |value: &Value| -> Result<Vec<bool>> {
        match value.array.data_type() {
            DataType::Float32 | DataType::Float64 => Ok(lanes::doubles(value)?.map(len, f64::is_nan)),
            _ => Ok(vec![false; len]),
        }
    };
    let (a_nan, b_nan) = (not_number(a)?, not_number(b)?);
    let values = BooleanBuffer::collect_bool(len, |row| {
        let same = match (a_null(row), b_null(row)) {
            (false, false) if a_nan[row] || b_nan[row] => a_nan[row] && b_nan[row],
            (false, false) => equal.value(row),
            (one, other) => one == other,
        };
        same == negated
    });
    Ok(BooleanArray::new(values, None))
}

/// `low <= value and value <= high`.
pub(super) fn between(args: &[Value], len: usize) -> Result<BooleanArray> {
    let low = compare(Comparison::GreaterOrEqual, &args[0], &args[1], len)?;
    let high = compare(Comparison::LessOrEqual, &args[0], &args[2], len)?;
    and_kleene(&low, &high)
}

/// Whether the first is one of the others; unknown if it is none of them and one of them is unknown.
pub(super) fn within(args: &[Value], len: usize) -> Result<BooleanArray> {
    if let Some(found) = among_texts(args, len) {
        return Ok(found);
    }
    let mut found: Option<BooleanArray> = None;
    for one in &args[1..] {
        let equal = compare(Comparison::Equal, &args[0], one, len)?;
        found = Some(match found {
            Some(found) => or_kleene(&found, &equal)?,
            None => equal,
        });
    }
    Ok(found.unwrap_or_else(|| BooleanArray::new_null(len)))
}

/// Texts in a list of constants, which is looked up once per row however long it is.
fn among_texts(args: &[Value], len: usize) -> Option<BooleanArray> {
    const WORTH_A_TABLE: usize = 4;
    let is_constant = |arg: &Value| arg.scalar && !arg.is_null_scalar();
    let values = args[0].array.as_string_opt::<i32>().filter(|_| !args[0].scalar)?;
    if args.len() <= WORTH_A_TABLE || !args[1..].iter().all(is_constant) {
        return None;
    }
    let table: HashSet<&str> = args[1..]
        .iter()
        .map(|arg| arg.array.as_string_opt::<i32>().map(|text| text.value(0)))
        .collect::<Option<_>>()?;
    let found = BooleanBuffer::collect_bool(len, |row| table.contains(values.value(row)));
    Some(BooleanArray::new(found, values.nulls().cloned()))
}

/// The largest or smallest; nulls and what is not a number are left out.
pub(super) fn extreme(largest: bool, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let op = if largest { Comparison::Greater } else { Comparison::Less };
    let mut best: Option<ArrayRef> = None;
    for arg in args {
        let mut next = arg.spread(len)?;
        if is_floating(kind) {
            let value = Value::rows(Arc::clone(&next));
            let numbers = lanes::doubles(&value)?.map(len, f64::is_nan);
            let numbers = BooleanArray::from(numbers);
            next = arrow::compute::nullif(&next, &numbers)?;
        }
        best = Some(match best {
            None => next,
            Some(best) => {
                let better = compare(op, &Value::rows(Arc::clone(&next)), &Value::rows(Arc::clone(&best)), len)?;
                let takes = BooleanBuffer::collect_bool(len, |row| {
                    next.is_valid(row) && (best.is_null(row) || (better.is_valid(row) && better.value(row)))
                });
                zip(&BooleanArray::new(takes, None), &next, &best)?
            }
        });
    }
    best.ok_or_else(|| arrow::error::ArrowError::ComputeError("there is nothing to choose from".to_owned()))
}

/// Of a boolean column, the rows in which it is known to be true.
pub(super) fn known_true(array: &ArrayRef) -> BooleanBuffer {
    let array = array.as_boolean();
    match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    }
}

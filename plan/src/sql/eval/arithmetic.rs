//! Arithmetic of whole numbers and of doubles, and what is done with the sign of any number.

use std::sync::Arc;

use arrow::array::types::{Float32Type, Float64Type, Int64Type};
use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::i256;
use arrow_schema::DataType;

use super::{Result, Value, decimal, known, lanes, make};
use crate::sql::node::Arithmetic;

pub(super) fn arithmetic(op: Arithmetic, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    match kind {
        DataType::Float64 => doubles(op, args, len),
        DataType::Int64 => whole(op, args, len),
        DataType::Duration(_) => super::time::combine(op, args, kind, len),
        _ => decimal::arithmetic(op, args, kind, len),
    }
}

fn doubles(op: Arithmetic, args: &[Value], len: usize) -> Result<ArrayRef> {
    let (a, b) = (lanes::doubles(&args[0])?, lanes::doubles(&args[1])?);
    let values = match op {
        Arithmetic::Add => a.zip(&b, len, |a, b| a + b),
        Arithmetic::Subtract => a.zip(&b, len, |a, b| a - b),
        Arithmetic::Multiply => a.zip(&b, len, |a, b| a * b),
        Arithmetic::Divide => a.zip(&b, len, |a, b| a / b),
        Arithmetic::Modulo => a.zip(&b, len, |a, b| a % b),
    };
    let divides = matches!(op, Arithmetic::Divide | Arithmetic::Modulo);
    let divisible = (divides && b.any(|b| b == 0.0)).then(|| BooleanBuffer::collect_bool(len, |row| b.get(row) != 0.0));
    Ok(Arc::new(make::column::<Float64Type>(values, known(args), divisible)))
}

/// Wraps first and looks once whether anything did; the rows are only then gone through one by one.
fn whole(op: Arithmetic, args: &[Value], len: usize) -> Result<ArrayRef> {
    let (a, b) = (lanes::whole(&args[0])?, lanes::whole(&args[1])?);
    let fast = match op {
        Arithmetic::Add => a.zip(&b, len, i64::overflowing_add),
        Arithmetic::Subtract => a.zip(&b, len, i64::overflowing_sub),
        Arithmetic::Multiply => a.zip(&b, len, i64::overflowing_mul),
        Arithmetic::Divide => a.zip(&b, len, |a, b| match b {
            0 => (0, true),
            _ => a.overflowing_div(b),
        }),
        Arithmetic::Modulo => a.zip(&b, len, |a, b| if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) }),
    };
    let fits = fast.iter().any(|(_, over)| *over).then(|| BooleanBuffer::collect_bool(len, |row| !fast[row].1));
    Ok(Arc::new(make::column::<Int64Type>(fast.into_iter().map(|(value, _)| value).collect(), known(args), fits)))
}

pub(super) fn negate(value: &Value, kind: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    match kind {
        DataType::Float64 => {
            Ok(Arc::new(make::column::<Float64Type>(lanes::doubles(value)?.map(len, |v| -v), nulls, None)))
        }
        DataType::Float32 => {
            Ok(Arc::new(make::column::<Float32Type>(lanes::floats(value)?.map(len, |v| -v), nulls, None)))
        }
        DataType::Int64 => Ok(make::wholes(&lanes::whole(value)?.map(len, i64::checked_neg), nulls, kind)),
        DataType::Duration(_) => make::times(&lanes::nanos(value)?.map(len, i128::checked_neg), nulls, kind),
        _ => decimal::map(value, kind, len, i256::checked_neg),
    }
}

pub(super) fn absolute(value: &Value, kind: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    match kind {
        DataType::Float64 => {
            Ok(Arc::new(make::column::<Float64Type>(lanes::doubles(value)?.map(len, f64::abs), nulls, None)))
        }
        DataType::Float32 => {
            Ok(Arc::new(make::column::<Float32Type>(lanes::floats(value)?.map(len, f32::abs), nulls, None)))
        }
        DataType::Int64 => Ok(make::wholes(&lanes::whole(value)?.map(len, i64::checked_abs), nulls, kind)),
        _ => decimal::map(value, kind, len, i256::checked_abs),
    }
}

/// −1, 0 or 1; of what is not a number, that.
pub(super) fn sign(value: &Value, kind: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    if *kind == DataType::Float64 {
        let sign = |v: f64| if v == 0.0 || v.is_nan() { v } else { v.signum() };
        return Ok(Arc::new(make::column::<Float64Type>(lanes::doubles(value)?.map(len, sign), nulls, None)));
    }
    let signs = lanes::wides(value)?.0.map(len, |v| Some(v.signum_i64()));
    Ok(make::wholes(&signs, nulls, kind))
}

trait Signum {
    fn signum_i64(self) -> i64;
}

impl Signum for i256 {
    fn signum_i64(self) -> i64 {
        match self.cmp(&Self::ZERO) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }
    }
}

/// A float or double that is a finite number, or null.
pub(super) fn finite(value: &Value, len: usize) -> Result<ArrayRef> {
    let nulls = nulls(value);
    if *value.array.data_type() == DataType::Float32 {
        let values = lanes::floats(value)?;
        if values.any(|v| !v.is_finite()) {
            return Ok(make::floats(&values.map(len, |v| v.is_finite().then_some(v)), nulls));
        }
    } else {
        let values = lanes::doubles(value)?;
        if values.any(|v| !v.is_finite()) {
            return Ok(make::doubles(&values.map(len, |v| v.is_finite().then_some(v)), nulls));
        }
    }
    Ok(Arc::clone(&value.array))
}

/// The known rows of one operand.
pub(super) fn nulls(value: &Value) -> Option<NullBuffer> {
    value.array.logical_nulls()
}

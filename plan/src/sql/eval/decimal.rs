//! Decimals: exact, in 256 bits where 128 do not hold a step.

use arrow::array::ArrayRef;
use arrow::datatypes::i256;
use arrow_schema::DataType;

use super::lanes::{ten, wide_ten};
use super::{Result, Value, known, lanes, make};
use crate::sql::node::Arithmetic;

/// Digits that a quotient has more after the point than its dividend.
pub(in crate::sql) const QUOTIENT_DIGITS: u8 = 4;

/// Powers of ten that bring both operands to the form that the operation needs.
struct Steps {
    op: Arithmetic,
    /// What each operand is multiplied by first.
    up: [u8; 2],
}

impl Steps {
    fn of(op: Arithmetic, [a, b]: [u8; 2]) -> Self {
        let up = match op {
            Arithmetic::Multiply => [0, 0],
            // a·10^-s ÷ b·10^-t, in units of 10^-(s+4).
            Arithmetic::Divide => [b + QUOTIENT_DIGITS, 0],
            _ => [b.saturating_sub(a), a.saturating_sub(b)],
        };
        Self { op, up }
    }
}

/// Computes decimals, and whole numbers as such.
pub(super) fn arithmetic(op: Arithmetic, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let (wide_a, wide_b);
    let values: Vec<Option<i128>> =
        if let (Some((a, s)), Some((b, t))) = (lanes::decimals(&args[0])?, lanes::decimals(&args[1])?) {
            let steps = Steps::of(op, [s, t]);
            let tens = (ten(steps.up[0]), ten(steps.up[1]), wide_ten(steps.up[0]), wide_ten(steps.up[1]));
            let widely = |a: i128, b: i128| {
                wide(op, i256::from_i128(a), i256::from_i128(b), tens.2?, tens.3?).and_then(i256::to_i128)
            };
            match (tens.0, tens.1) {
                (Some(up), Some(by)) => a.zip(&b, len, |a, b| narrow(op, a, b, up, by).or_else(|| widely(a, b))),
                _ => a.zip(&b, len, widely),
            }
        } else {
            (wide_a, wide_b) = (lanes::wides(&args[0])?, lanes::wides(&args[1])?);
            let steps = Steps::of(op, [wide_a.1, wide_b.1]);
            match (wide_ten(steps.up[0]), wide_ten(steps.up[1])) {
                (Some(up), Some(by)) => {
                    wide_a.0.zip(&wide_b.0, len, |a, b| wide(steps.op, a, b, up, by).and_then(i256::to_i128))
                }
                _ => vec![None; len],
            }
        };
    make::decimals(&values, known(args), kind)
}

/// One row in 128 bits. `None`: they do not hold a step, or there is no result in any width.
#[inline]
fn narrow(op: Arithmetic, a: i128, b: i128, up: i128, by: i128) -> Option<i128> {
    let (a, b) = (if up == 1 { a } else { a.checked_mul(up)? }, if by == 1 { b } else { b.checked_mul(by)? });
    match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => None,
        Arithmetic::Modulo => Some(a.wrapping_rem(b)),
        Arithmetic::Divide => {
            let (quotient, rest) = (a.checked_div(b)?, a.wrapping_rem(b));
            let up = match rest.unsigned_abs().cmp(&(b.unsigned_abs() - rest.unsigned_abs())) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => quotient % 2 != 0,
                std::cmp::Ordering::Greater => true,
            };
            let step = if (a < 0) == (b < 0) { 1 } else { -1 };
            if up { quotient.checked_add(step) } else { Some(quotient) }
        }
    }
}

/// One row in 256 bits. What they do not hold has no room in 38 digits either.
fn wide(op: Arithmetic, a: i256, b: i256, up: i256, by: i256) -> Option<i256> {
    let (a, b) = (a.checked_mul(up)?, b.checked_mul(by)?);
    match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == i256::ZERO => None,
        Arithmetic::Modulo => a.checked_rem(b),
        Arithmetic::Divide => {
            let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
            let (rest, whole) = (rest.checked_abs()?, b.checked_abs()?);
            let up = match rest.cmp(&whole.checked_sub(rest)?) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => quotient.checked_rem(i256::from_i128(2))? != i256::ZERO,
                std::cmp::Ordering::Greater => true,
            };
            let same = (a < i256::ZERO) == (b < i256::ZERO);
            let step = if same { i256::ONE } else { i256::MINUS_ONE };
            if up { quotient.checked_add(step) } else { Some(quotient) }
        }
    }
}

/// Applies a function to each unscaled value.
pub(super) fn map(value: &Value, kind: &DataType, len: usize, f: impl Fn(i256) -> Option<i256>) -> Result<ArrayRef> {
    let values = lanes::wides(value)?.0.map(len, |v| f(v).and_then(i256::to_i128));
    make::decimals(&values, super::arithmetic::nulls(value), kind)
}

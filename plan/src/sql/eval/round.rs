//! Dropping digits: `round`, `trunc`, `floor`, `ceil`, with a number of digits to keep after the point (or before it).

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use arrow::datatypes::i256;
use arrow_schema::DataType;

use super::lanes::wide_ten;
use super::{Result, Value, known, lanes, make};
use crate::sql::node::Rounding;

/// The operand, and the digits to keep if they are given.
pub(super) fn round(rounding: Rounding, args: &[Value], kind: &DataType, len: usize) -> Result<ArrayRef> {
    let digits = match args.get(1) {
        Some(digits) => lanes::whole(digits)?.map(len, |digits| digits),
        None => vec![0; len],
    };
    let nulls = known(args);
    match kind {
        DataType::Float64 => {
            let values = lanes::doubles(&args[0])?;
            let values: Vec<_> = (0..len).map(|row| Some(double(rounding, values.get(row), digits[row]))).collect();
            Ok(make::doubles(&values, nulls))
        }
        DataType::Int64 => {
            let values = lanes::whole(&args[0])?;
            let one = |row: usize| {
                let value = exact(rounding, i256::from_i128(i128::from(values.get(row))), 0, digits[row])?;
                i64::try_from(value.to_i128()?).ok()
            };
            Ok(make::wholes(&(0..len).map(one).collect::<Vec<_>>(), nulls, kind))
        }
        _ => {
            let (values, scale) = lanes::wides(&args[0])?;
            // Without digits to keep there is nothing after the point.
            let drop = if args.len() == 1 { wide_ten(scale) } else { Some(i256::ONE) };
            let one = |row: usize| exact(rounding, values.get(row), scale, digits[row])?.checked_div(drop?)?.to_i128();
            make::decimals(&(0..len).map(one).collect::<Vec<_>>(), nulls, kind)
        }
    }
}

/// `unscaled` with all but `digits` digits after the point made zeros; the scale stays.
pub(super) fn exact(rounding: Rounding, unscaled: i256, scale: u8, digits: i64) -> Option<i256> {
    let dropped = i64::from(scale).saturating_sub(digits);
    let Some(unit) = u8::try_from(dropped.max(0)).ok().and_then(wide_ten) else {
        // More digits are dropped than there are.
        return match (rounding, unscaled.cmp(&i256::ZERO)) {
            (Rounding::Floor, Ordering::Less) | (Rounding::Ceil, Ordering::Greater) => None,
            _ => Some(i256::ZERO),
        };
    };
    let rest = unscaled.checked_rem(unit)?;
    let cut = unscaled.checked_sub(rest)?;
    let away = match rounding {
        Rounding::Truncate => false,
        Rounding::Floor => rest < i256::ZERO,
        Rounding::Ceil => rest > i256::ZERO,
        Rounding::Nearest => rest.checked_abs()? >= unit.checked_sub(rest.checked_abs()?)?,
    };
    match (away && rest != i256::ZERO, unscaled < i256::ZERO) {
        (false, _) => Some(cut),
        (true, false) => cut.checked_add(unit),
        (true, true) => cut.checked_sub(unit),
    }
}

/// From here on every double is a whole number.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// In steps of doubles: multiplied by the power of ten, rounded, divided by it. A double that has no digits there stays.
fn double(rounding: Rounding, value: f64, digits: i64) -> f64 {
    let whole = |value: f64| match rounding {
        Rounding::Nearest => value.round(),
        Rounding::Truncate => value.trunc(),
        Rounding::Floor => value.floor(),
        Rounding::Ceil => value.ceil(),
    };
    if digits == 0 || !value.is_finite() {
        return whole(value);
    }
    let power = |digits: u64| format!("1e{digits}").parse::<f64>().unwrap_or(f64::INFINITY);
    if digits > 0 {
        let power = power(digits.unsigned_abs());
        let scaled = value * power;
        if !scaled.is_finite() || scaled.abs() >= WHOLE { value } else { whole(scaled) / power }
    } else {
        let power = power(digits.unsigned_abs());
        let scaled = whole(value / power);
        if scaled == 0.0 { scaled } else { scaled * power }
    }
}

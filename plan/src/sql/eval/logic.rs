//! Conditions, and the choice between values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{and_kleene, or_kleene};

use super::compare::{compare, known_true};
use super::{Result, Rows, Value, run};
use crate::sql::node::{Comparison, Node, Op};

/// `and`, `or`: the second operand is not computed where the first decides every row.
pub(super) fn connect(node: &Node, rows: &Rows<'_>) -> Result<Value> {
    let is_and = matches!(node.op, Op::And);
    let left = run(&node.args[0], rows)?;
    let first = left.spread(rows.len())?;
    let first = first.as_boolean();
    let decided = first.null_count() == 0 && if is_and { first.true_count() == 0 } else { first.false_count() == 0 };
    if decided && !rows.tracks {
        return Ok(Value::rows(Arc::new(first.clone())));
    }
    let right = run(&node.args[1], rows)?;
    let second = right.spread(rows.len())?;
    let second = second.as_boolean();
    let array: ArrayRef = Arc::new(if is_and { and_kleene(first, second)? } else { or_kleene(first, second)? });
    Ok(inherit(array, &[left, right], rows))
}

/// A value with the failures of its operands, where it is null.
fn inherit(array: ArrayRef, of: &[Value], rows: &Rows<'_>) -> Value {
    let len = rows.len();
    let failed = rows.tracks.then(|| {
        let all = of.iter().fold(BooleanBuffer::new_unset(len), |all, one| &all | &one.failures(len));
        where_null(&array, &all)
    });
    Value { array, scalar: false, failed }
}

fn where_null(array: &ArrayRef, rows: &BooleanBuffer) -> BooleanBuffer {
    match array.logical_nulls() {
        Some(nulls) => rows & &!nulls.inner(),
        None => BooleanBuffer::new_unset(array.len()),
    }
}

pub(super) fn is_null(of: &Node, negated: bool, rows: &Rows<'_>) -> Result<Value> {
    let array = match &of.op {
        // As it is: fields of any type can be asked.
        Op::Column { index, .. } => Arc::clone(rows.batch.column(*index)),
        _ => run(of, rows)?.spread(rows.len())?,
    };
    let values = match array.logical_nulls() {
        Some(nulls) if negated => nulls.into_inner(),
        Some(nulls) => !nulls.inner(),
        None if negated => BooleanBuffer::new_set(array.len()),
        None => BooleanBuffer::new_unset(array.len()),
    };
    Ok(Value::rows(Arc::new(BooleanArray::new(values, None))))
}

/// `is [not] true`, `is [not] false`.
pub(super) fn is(array: &BooleanArray, value: bool, negated: bool) -> BooleanArray {
    let holds =
        BooleanBuffer::collect_bool(array.len(), |row| (array.is_valid(row) && array.value(row) == value) != negated);
    BooleanArray::new(holds, None)
}

/// The first value that is not null.
pub(super) fn coalesce(node: &Node, rows: &Rows<'_>) -> Result<Value> {
    let len = rows.len();
    let mut of = Vec::with_capacity(node.args.len());
    let mut best: Option<ArrayRef> = None;
    for arg in &node.args {
        let value = run(arg, rows)?;
        let next = value.spread(len)?;
        of.push(value);
        best = Some(match best {
            None => next,
            Some(best) => {
                let known = BooleanArray::new(
                    best.logical_nulls().map_or_else(|| BooleanBuffer::new_set(len), NullBuffer::into_inner),
                    None,
                );
                zip(&known, &best, &next)?
            }
        });
        if best.as_ref().is_some_and(|best| best.logical_null_count() == 0) {
            break;
        }
    }
    Ok(inherit(best.unwrap_or_else(|| new_null_array(&node.kind, len)), &of, rows))
}

/// Null if both are equal, else the first.
pub(super) fn null_if(node: &Node, rows: &Rows<'_>) -> Result<Value> {
    let len = rows.len();
    let (value, other) = (run(&node.args[0], rows)?, run(&node.args[1], rows)?);
    let equal = compare(Comparison::Equal, &value, &other, len)?;
    let array = value.spread(len)?;
    let kept = known_true(&(Arc::new(equal) as ArrayRef));
    let array = arrow::compute::nullif(&array, &BooleanArray::new(kept, None))?;
    // Only the first operand can be missing: the null of two that are equal is meant.
    let failed = rows.tracks.then(|| where_null(&array, &value.failures(len)));
    Ok(Value { array, scalar: false, failed })
}

/// The value behind the first condition that is true. All are computed, which is possible because none can fail.
pub(super) fn case(node: &Node, compares: bool, rows: &Rows<'_>) -> Result<Value> {
    let len = rows.len();
    let (operand, rest) =
        if compares { (Some(run(&node.args[0], rows)?), &node.args[1..]) } else { (None, &node.args[..]) };
    let (pairs, otherwise) = rest.as_chunks::<2>();
    let otherwise = otherwise.first().map(|node| run(node, rows)).transpose()?;
    let mut branches = Vec::with_capacity(pairs.len());
    let mut open = BooleanBuffer::new_set(len);
    let mut failed = operand.as_ref().map_or_else(|| BooleanBuffer::new_unset(len), |operand| operand.failures(len));
    for [condition, value] in pairs {
        let condition = run(condition, rows)?;
        let holds = match &operand {
            Some(operand) => Arc::new(compare(Comparison::Equal, operand, &condition, len)?) as ArrayRef,
            None => condition.spread(len)?,
        };
        let takes = &open & &known_true(&holds);
        let value = run(value, rows)?;
        if rows.tracks {
            failed = &failed | &(&(&open & &condition.failures(len)) | &(&takes & &value.failures(len)));
        }
        open = &open & &!&takes;
        branches.push((takes, value.spread(len)?));
    }
    let mut chosen = match &otherwise {
        Some(otherwise) => otherwise.spread(len)?,
        None => new_null_array(&node.kind, len),
    };
    for (takes, value) in branches {
        chosen = zip(&BooleanArray::new(takes, None), &value, &chosen)?;
    }
    let failed = rows.tracks.then(|| {
        let last = otherwise.map_or_else(|| BooleanBuffer::new_unset(len), |otherwise| otherwise.failures(len));
        where_null(&chosen, &(&failed | &(&open & &last)))
    });
    Ok(Value { array: chosen, scalar: false, failed })
}

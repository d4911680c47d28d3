//! Computing typed expressions over the rows of a batch.
//!
//! Keeps true: nothing wraps and nothing fails because of a value. Where an operation has no value it gives null; when
//! failures are tracked, it also says which nulls are its own and not those of its operands.

mod arithmetic;
mod cast;
mod compare;
mod decimal;
mod lanes;
mod logic;
mod make;
mod round;
mod text;
mod time;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::error::ArrowError;
use arrow_schema::DataType;

use super::node::{Node, Op, TextFunction};

pub(super) use decimal::QUOTIENT_DIGITS;

type Result<T> = std::result::Result<T, ArrowError>;

/// The longest text that a function gives, in bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The values of an expression: one per row, or one for all rows.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) array: ArrayRef,
    pub(super) scalar: bool,
    /// The rows that are null because something could not be computed; kept only where failures are tracked.
    failed: Option<BooleanBuffer>,
}

impl Value {
    fn rows(array: ArrayRef) -> Self {
        Self { array, scalar: false, failed: None }
    }

    /// One value per row.
    pub(super) fn spread(&self, rows: usize) -> Result<ArrayRef> {
        if self.scalar { repeat(&self.array, rows) } else { Ok(Arc::clone(&self.array)) }
    }

    /// The rows that could not be computed.
    pub(super) fn failures(&self, rows: usize) -> BooleanBuffer {
        self.failed.clone().unwrap_or_else(|| BooleanBuffer::new_unset(rows))
    }

    fn is_null_scalar(&self) -> bool {
        self.scalar && self.array.logical_null_count() > 0
    }
}

fn repeat(array: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if array.data_type().is_null() || array.logical_null_count() > 0 {
        return Ok(new_null_array(array.data_type(), rows));
    }
    take(array, &UInt32Array::from(vec![0; rows]), None)
}

/// What is computed over.
pub(super) struct Rows<'a> {
    pub(super) batch: &'a RecordBatch,
    /// Whether it is kept which nulls could not be computed.
    pub(super) tracks: bool,
}

impl Rows<'_> {
    fn len(&self) -> usize {
        self.batch.num_rows()
    }
}

/// Computes an expression.
pub(super) fn run(node: &Node, rows: &Rows<'_>) -> Result<Value> {
    match &node.op {
        Op::Column { index, .. } => column(rows.batch.column(*index)).map(Value::rows),
        Op::Literal(array) if rows.tracks => repeat(array, rows.len()).map(Value::rows),
        Op::Literal(array) => Ok(Value { array: Arc::clone(array), scalar: true, failed: None }),
        Op::Number(number) => Err(ArrowError::ComputeError(format!("the number {} has no type", number.text()))),
        Op::Case { compares } => logic::case(node, *compares, rows),
        Op::Coalesce => logic::coalesce(node, rows),
        Op::NullIf => logic::null_if(node, rows),
        Op::And | Op::Or => logic::connect(node, rows),
        Op::IsNull { negated } => logic::is_null(&node.args[0], *negated, rows),
        _ => {
            let args = node.args.iter().map(|arg| run(arg, rows)).collect::<Result<Vec<_>>>()?;
            operate(node, &args, rows)
        }
    }
}

/// The values of a field; symbols of enums are texts.
fn column(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, values) => arrow::compute::cast(array, values),
        _ => Ok(Arc::clone(array)),
    }
}

/// Computes an operation over its operands, and which of its nulls are failures.
fn operate(node: &Node, args: &[Value], rows: &Rows<'_>) -> Result<Value> {
    let scalar = !args.is_empty() && args.iter().all(|arg| arg.scalar);
    let len = if scalar { 1 } else { rows.len() };
    // Only these give something for null.
    let strict = match &node.op {
        Op::Text(function) => !function.takes_null(),
        Op::Distinct { .. } | Op::Extreme { .. } | Op::In | Op::Between | Op::Is { .. } => false,
        _ => true,
    };
    let array = if strict && args.iter().any(Value::is_null_scalar) {
        new_null_array(&node.kind, len)
    } else {
        kernel(node, args, len)?
    };
    let failed = rows.tracks.then(|| failures(node, args, &array, strict, len));
    Ok(Value { array, scalar, failed })
}

fn failures(node: &Node, args: &[Value], array: &ArrayRef, strict: bool, len: usize) -> BooleanBuffer {
    let Some(nulls) = array.logical_nulls() else { return BooleanBuffer::new_unset(len) };
    let missing = !nulls.inner();
    let inherits = if matches!(node.op, Op::Text(TextFunction::ConcatWith)) { &args[..1] } else { args };
    let inherited = inherits
        .iter()
        .filter_map(|arg| arg.failed.as_ref())
        .fold(BooleanBuffer::new_unset(len), |all, one| &all | one);
    let known = |all: BooleanBuffer, arg: &Value| {
        arg.array.logical_nulls().map_or_else(|| all.clone(), |nulls| &all & nulls.inner())
    };
    let own = match &node.op {
        Op::Finite => BooleanBuffer::new_unset(len),
        // Without a separator there is nothing to give.
        Op::Text(TextFunction::ConcatWith) => known(BooleanBuffer::new_set(len), &args[0]),
        // Null among the operands is left out, so the rest had a value to give.
        Op::Extreme { .. } | Op::Text(_) if !strict => {
            args.iter().fold(BooleanBuffer::new_unset(len), |some, arg| match arg.array.logical_nulls() {
                Some(nulls) => &some | nulls.inner(),
                None => BooleanBuffer::new_set(len),
            })
        }
        _ => args.iter().fold(BooleanBuffer::new_set(len), known),
    };
    &missing & &(&inherited | &own)
}

/// The rows in which all operands are known; `None` means all rows.
fn known(args: &[Value]) -> Option<NullBuffer> {
    args.iter()
        .filter(|arg| !arg.scalar)
        .fold(None, |all, arg| NullBuffer::union(all.as_ref(), arg.array.logical_nulls().as_ref()))
}

fn kernel(node: &Node, args: &[Value], len: usize) -> Result<ArrayRef> {
    let boolean = |array: BooleanArray| Arc::new(array) as ArrayRef;
    match &node.op {
        Op::Arithmetic(op) => arithmetic::arithmetic(*op, args, &node.kind, len),
        Op::Negate => arithmetic::negate(&args[0], &node.kind, len),
        Op::Absolute => arithmetic::absolute(&args[0], &node.kind, len),
        Op::Sign => arithmetic::sign(&args[0], &node.kind, len),
        Op::Round(rounding) => round::round(*rounding, args, &node.kind, len),
        Op::Finite => arithmetic::finite(&args[0], len),
        Op::Known => time::in_calendar(&args[0], &node.kind, len),
        Op::Compare(op) => compare::compare(*op, &args[0], &args[1], len).map(boolean),
        Op::Distinct { negated } => compare::distinct(*negated, &args[0], &args[1], len).map(boolean),
        Op::Between => compare::between(args, len).map(boolean),
        Op::In => compare::within(args, len).map(boolean),
        Op::Extreme { largest } => compare::extreme(*largest, args, &node.kind, len),
        Op::Not => Ok(boolean(arrow::compute::not(args[0].array.as_boolean())?)),
        Op::Is { value, negated } => Ok(boolean(logic::is(args[0].array.as_boolean(), *value, *negated))),
        Op::Cast => cast::cast(&args[0], &node.kind, len),
        Op::Text(function) => text::apply(*function, args, len),
        Op::Matches { matcher, negated } => Ok(text::matches(matcher, *negated, &args[0], len)),
        Op::RegexCount { matcher } => text::count(matcher, args, len),
        Op::RegexReplace { matcher, global, template } => {
            Ok(text::replace_matches(matcher, *global, template.as_deref(), args, len))
        }
        Op::Part(field) => time::part(*field, &args[0], len),
        Op::Truncate(truncation) => time::truncate(*truncation, &args[0], &node.kind, len),
        Op::Shift { back } => time::shift(*back, args, &node.kind, len),
        Op::Elapsed => time::elapsed(args, &node.kind, len),
        other => Err(ArrowError::ComputeError(format!("{other:?} has no kernel"))),
    }
}

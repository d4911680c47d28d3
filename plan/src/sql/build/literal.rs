//! Constants, and numbers that take the kind of what stands beside them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::Expr;

use super::{Misfit, Result};
use crate::sql::eval::{Rows, run};
use crate::sql::node::{Node, Op};
use crate::sql::number::Number;
use crate::sql::numbers_as_written::NUMBER;

/// A constant of the parser, or of a rule.
pub(super) fn constant(value: &ScalarValue) -> Result<Node> {
    let array = value.to_array().map_err(|error| Misfit::new(error.to_string()))?;
    let kind = array.data_type().clone();
    Ok(Node::new(Op::Literal(array), vec![], kind))
}

/// Null, as a value of a type.
pub(super) fn null(kind: &DataType) -> Node {
    Node::new(Op::Literal(new_null_array(kind, 1)), vec![], kind.clone())
}

/// A number that was written, of the type that it has beside nothing.
pub(super) fn number(number: Number) -> Node {
    let kind = number.natural();
    Node::new(Op::Number(number), vec![], kind)
}

/// The number that a call of the internal function stands for.
pub(super) fn number_of(expr: &Expr) -> Option<Number> {
    let Expr::ScalarFunction(function) = expr else { return None };
    match (function.name(), function.args.as_slice()) {
        (NUMBER, [Expr::Literal(ScalarValue::Utf8(Some(text)), _)]) => Number::read(text),
        _ => None,
    }
}

/// An expression as a person reads it: numbers as they were written.
pub(super) fn readable(expr: &Expr) -> String {
    let mut shown = expr.to_string();
    let (start, end) = (format!("{NUMBER}(Utf8(\""), "\"))");
    while let Some(at) = shown.find(&start) {
        let Some(len) = shown[at..].find(end) else { break };
        let number = shown[at + start.len()..at + len].to_owned();
        shown.replace_range(at..at + len + end.len(), &number);
    }
    shown
}

/// A number beside nothing.
pub(super) fn alone(node: Node) -> Node {
    match &node.op {
        Op::Number(number) => typed(number, &number.natural()),
        _ => node,
    }
}

/// A node with its number, if it is one, in the kind of what it is compared with.
pub(super) fn beside(node: &Node, other: &Node) -> Node {
    let Op::Number(number) = &node.op else { return node.clone() };
    if matches!(other.op, Op::Number(_)) {
        return typed(number, &number.exact_type());
    }
    let fits = number.value(&other.kind).is_some();
    match &other.kind {
        // A float that stands for another number would decide wrongly.
        DataType::Float32 if !fits => typed(number, &DataType::Float64),
        kind if fits => typed(number, kind),
        _ => typed(number, &number.exact_type()),
    }
}

/// A node with its number, if it is one, exactly, or as a double beside one.
pub(super) fn operand(node: Node, other: &DataType) -> Node {
    match &node.op {
        Op::Number(number) if matches!(other, DataType::Float32 | DataType::Float64) => {
            typed(number, &DataType::Float64)
        }
        Op::Number(number) if other.is_decimal() => typed(number, &number.decimal_type()),
        Op::Number(number) => typed(number, &number.exact_type()),
        _ => node,
    }
}

/// A number as a constant of a type that holds it.
pub(super) fn typed(number: &Number, kind: &DataType) -> Node {
    match number.value(kind) {
        Some(array) => Node::new(Op::Literal(array), vec![], kind.clone()),
        None => null(kind),
    }
}

/// The text of a literal.
pub(super) fn text_of(node: &Node) -> Option<String> {
    match &node.op {
        Op::Literal(array) => {
            array.as_string_opt::<i32>().filter(|texts| texts.is_valid(0)).map(|texts| texts.value(0).to_owned())
        }
        _ => None,
    }
}

/// An operation over constants, computed if it has a value; a null that was made is told of at each record.
pub(super) fn folded_if_known(node: Node) -> Result<Node> {
    let folded = folded(node.clone())?;
    Ok(if matches!(&folded.op, Op::Literal(array) if array.is_null(0)) { node } else { folded })
}

/// An operation over constants, computed.
pub(super) fn folded(node: Node) -> Result<Node> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let computed = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)
        .and_then(|batch| run(&node, &Rows { batch: &batch, tracks: false })?.spread(1));
    let array = computed.map_err(|error| Misfit::new(error.to_string()))?;
    Ok(Node::new(Op::Literal(array), vec![], node.kind))
}

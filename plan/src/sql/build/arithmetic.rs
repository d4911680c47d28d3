//! The types of calculations.

use std::sync::Arc;

use arrow::array::types::IntervalMonthDayNanoType;
use arrow::array::{Array, AsArray, DurationMillisecondArray, DurationNanosecondArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion_expr::Expr;

use super::{Builder, Result, literal};
use crate::sql::eval::QUOTIENT_DIGITS;
use crate::sql::node::{Arithmetic, Node, Op};
use crate::sql::number::DIGITS;
use crate::types::{Kind, kind};

impl Builder<'_> {
    pub(super) fn arithmetic(&self, op: Arithmetic, left: &Expr, right: &Expr) -> Result<Node> {
        let (a, b) = (self.node(left)?, self.node(right)?);
        let refused = || self.refuse("calculate with", (left, &a), (right, &b));
        let additive = matches!(op, Arithmetic::Add | Arithmetic::Subtract);
        let back = op == Arithmetic::Subtract;
        match (kind(&a.kind), kind(&b.kind)) {
            (Kind::Null, Kind::Null) => Ok(a),
            (Kind::Null, Kind::Number) => {
                let null = literal::null(&literal::alone(b.clone()).kind);
                self.numbers(op, null, b, left)
            }
            (Kind::Number, Kind::Null) => {
                let null = literal::null(&literal::alone(a.clone()).kind);
                self.numbers(op, a, null, left)
            }
            (Kind::Number, Kind::Number) => self.numbers(op, a, b, left),
            (Kind::Null, Kind::Time | Kind::Interval) => Ok(literal::null(&b.kind)),
            (Kind::Time | Kind::Interval, Kind::Null) => Ok(literal::null(&a.kind)),
            (Kind::Time, Kind::Time) if back && !is_clock(&a.kind) && !is_clock(&b.kind) => {
                let unit = finer(&a.kind, &b.kind);
                Ok(Node::new(Op::Elapsed, vec![a, b], DataType::Duration(unit)))
            }
            (Kind::Time, Kind::Interval) if additive && !is_clock(&a.kind) => self.shift(back, a, b, left),
            (Kind::Interval, Kind::Time) if op == Arithmetic::Add && !is_clock(&b.kind) => {
                self.shift(false, b, a, right)
            }
            (Kind::Interval, Kind::Interval) if additive => {
                let (a, b) = (self.span(a, left)?, self.span(b, right)?);
                let unit = finer(&a.kind, &b.kind);
                Ok(Node::new(Op::Arithmetic(op), vec![a, b], DataType::Duration(unit)))
            }
            _ => Err(refused()),
        }
    }

    /// A time moved by an interval. A date moves by whole days.
    fn shift(&self, back: bool, time: Node, by: Node, place: &Expr) -> Result<Node> {
        let has_clock = match &by.op {
            Op::Literal(array) => array
                .as_primitive_opt::<IntervalMonthDayNanoType>()
                .is_none_or(|interval| interval.is_valid(0) && interval.value(0).nanoseconds != 0),
            _ => true,
        };
        if time.kind == DataType::Date32 && has_clock {
            return Err(self
                .at(place, "a date moves by whole days only")
                .help("allowed are intervals of days, months and years; convert with cast(… as timestamp)"));
        }
        let kind = time.kind.clone();
        Ok(Node::new(Op::Shift { back }, vec![time, by], kind))
    }

    /// An interval as the time that it lasts; months and years have no length.
    pub(super) fn span(&self, node: Node, place: &Expr) -> Result<Node> {
        let Op::Literal(array) = &node.op else { return Ok(node) };
        let Some(interval) = array.as_primitive_opt::<IntervalMonthDayNanoType>().filter(|array| array.is_valid(0))
        else {
            return Ok(node);
        };
        let interval = interval.value(0);
        let nanos = i128::from(interval.days) * 86_400_000_000_000 + i128::from(interval.nanoseconds);
        let millis = i64::try_from(nanos / 1_000_000).ok().filter(|_| nanos % 1_000_000 == 0);
        let array: arrow::array::ArrayRef = match (interval.months, millis, i64::try_from(nanos)) {
            (0, Some(millis), _) => Arc::new(DurationMillisecondArray::from(vec![millis])),
            (0, None, Ok(nanos)) => Arc::new(DurationNanosecondArray::from(vec![nanos])),
            (0, _, _) => return Err(self.at(place, "the interval is too long")),
            _ => {
                return Err(self
                    .at(place, "an interval with months has no length")
                    .help("allowed to compare with are weeks, days, hours, minutes and seconds"));
            }
        };
        let kind = array.data_type().clone();
        Ok(Node::new(Op::Literal(array), vec![], kind))
    }

    pub(super) fn negative(&self, inner: &Expr) -> Result<Node> {
        let node = self.node(inner)?;
        if let Op::Number(number) = &node.op {
            return Ok(literal::number(number.negated()));
        }
        let kind = match (&node.kind, kind(&node.kind)) {
            (DataType::Int32, _) => DataType::Int64,
            (DataType::Decimal256(_, scale), _) => DataType::Decimal128(DIGITS, *scale),
            (DataType::Interval(_), _) => {
                let span = self.span(node, inner)?;
                let kind = span.kind.clone();
                return literal::folded(Node::new(Op::Negate, vec![span], kind));
            }
            (_, Kind::Number | Kind::Interval | Kind::Null) => node.kind.clone(),
            _ => {
                return Err(self.at(inner, format!("{} has no sign", super::shown(inner))).help("allowed are numbers"));
            }
        };
        Ok(if kind == DataType::Null { node } else { Node::new(Op::Negate, vec![node], kind) })
    }

    fn numbers(&self, op: Arithmetic, a: Node, b: Node, place: &Expr) -> Result<Node> {
        let both = matches!((&a.op, &b.op), (Op::Number(_), Op::Number(_)));
        let (a, b) = if both {
            (literal::alone(a), literal::alone(b))
        } else {
            let kinds = (a.kind.clone(), b.kind.clone());
            (literal::operand(a, &kinds.1), literal::operand(b, &kinds.0))
        };
        let kind = self.result(op, &a.kind, &b.kind, place)?;
        Ok(Node::new(Op::Arithmetic(op), vec![a, b], kind))
    }

    /// The type of a calculation with two numbers.
    fn result(&self, op: Arithmetic, a: &DataType, b: &DataType, place: &Expr) -> Result<DataType> {
        let is_float = |kind: &DataType| matches!(kind, DataType::Float32 | DataType::Float64);
        if is_float(a) || is_float(b) {
            return Ok(DataType::Float64);
        }
        if a.is_integer() && b.is_integer() {
            return Ok(DataType::Int64);
        }
        let ((whole_a, scale_a), (whole_b, scale_b)) = (places(a), places(b));
        let (before, behind) = match op {
            Arithmetic::Add | Arithmetic::Subtract => (whole_a.max(whole_b) + 1, scale_a.max(scale_b)),
            Arithmetic::Multiply => (whole_a + whole_b, scale_a + scale_b),
            Arithmetic::Divide => (whole_a + scale_b, scale_a + QUOTIENT_DIGITS),
            Arithmetic::Modulo => (whole_a.min(whole_b), scale_a.max(scale_b)),
        };
        if behind > DIGITS {
            return Err(self
                .at(place, format!("the result has {behind} digits after the point"))
                .help("allowed are at most 38; give the operands fewer with cast(… as decimal(38, …))"));
        }
        Ok(DataType::Decimal128((before + behind).clamp(1, DIGITS), behind as i8))
    }
}

/// Digits in all and after the point of an exact number.
pub(super) fn digits(kind: &DataType) -> (u8, u8) {
    match kind {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (*precision, scale.unsigned_abs())
        }
        DataType::Int32 => (10, 0),
        _ => (19, 0),
    }
}

/// Digits before and after the point of an exact number.
pub(super) fn places(kind: &DataType) -> (u8, u8) {
    let (precision, scale) = digits(kind);
    (precision.saturating_sub(scale), scale)
}

/// A time of day.
pub(super) fn is_clock(kind: &DataType) -> bool {
    matches!(kind, DataType::Time32(_) | DataType::Time64(_))
}

/// The finer unit of two types of times; days count as milliseconds.
pub(super) fn finer(a: &DataType, b: &DataType) -> TimeUnit {
    let unit = |kind: &DataType| match kind {
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => *unit,
        _ => TimeUnit::Millisecond,
    };
    unit(a).max(unit(b))
}

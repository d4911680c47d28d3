//! Casts, texts made of values, and texts that are read as times once.

use arrow::array::Array;
use arrow_schema::{DataType, TimeUnit};
use datafusion_expr::Expr;

use super::{Builder, Result, literal, shown};
use crate::sql::node::{Node, Op};
use crate::sql::number::DIGITS;
use crate::types::{self, Kind, kind};

const ALLOWED: &str = "allowed are int, bigint, float, double, decimal(p, s) of at most 38 digits, varchar, boolean, date, time and timestamp";

impl Builder<'_> {
    pub(super) fn cast(&self, inner: &Expr, to: &DataType) -> Result<Node> {
        let to = target(to).ok_or_else(|| self.at(inner, format!("cannot cast to {to}")).help(ALLOWED))?;
        let node = self.node(inner)?;
        if node.kind == DataType::Null {
            return Ok(literal::null(&to));
        }
        if let (Op::Number(number), DataType::Utf8) = (&node.op, &to) {
            return literal::constant(&number.text().into());
        }
        if let Op::Number(number) = &node.op
            && let Some(array) = number.value(&to)
        {
            return Ok(Node::new(Op::Literal(array), vec![], to));
        }
        if kind(&node.kind) == Kind::Text && kind(&to) == Kind::Time && node.is_literal() {
            return self.time_literal(&node, &to, inner);
        }
        // What a number says exactly is converted, not the double nearest to it.
        let node = match &node.op {
            Op::Number(number) => literal::typed(number, &number.exact_type()),
            _ => node,
        };
        if !castable(&node.kind, &to) {
            let message = format!("cannot cast {} ({}) to {}", shown(inner), types::name(&node.kind), types::name(&to));
            return Err(self.at(inner, message).help(
                "allowed are numbers and texts to each other, times and texts, and int or bigint to times and back",
            ));
        }
        let is_literal = node.is_literal();
        let cast = super::converted(node, &to);
        if is_literal { literal::folded_if_known(cast) } else { Ok(cast) }
    }

    /// A value as text; what is a text stays one.
    pub(super) fn printed(&self, expr: &Expr) -> Result<Node> {
        let node = self.node(expr)?;
        match &node.op {
            Op::Number(number) => return literal::constant(&number.text().into()),
            _ if node.kind == DataType::Null => return Ok(literal::null(&DataType::Utf8)),
            _ => {}
        }
        if !castable(&node.kind, &DataType::Utf8) {
            let message = format!("{} is {}, not a string", shown(expr), types::a(&node.kind));
            return Err(self.at(expr, message).help("allowed are strings, numbers, booleans and times"));
        }
        let is_literal = node.is_literal() && node.kind != DataType::Utf8;
        let text = super::converted(node, &DataType::Utf8);
        if is_literal { literal::folded(text) } else { Ok(text) }
    }

    /// A text literal as a time.
    pub(super) fn time_literal(&self, node: &Node, to: &DataType, place: &Expr) -> Result<Node> {
        let time = literal::folded(Node::new(Op::Cast, vec![node.clone()], to.clone()))?;
        match &time.op {
            Op::Literal(array) if array.null_count() > 0 && literal::text_of(node).is_some() => {
                let text = literal::text_of(node).unwrap_or_default();
                let (what, example) = match to {
                    DataType::Date32 => ("a date", "2026-11-23"),
                    DataType::Time32(_) | DataType::Time64(_) => ("a time of day", "10:15:00"),
                    _ => ("a time", "2026-11-23T10:15:00Z"),
                };
                Err(self
                    .at(place, format!("'{text}' is not {what}"))
                    .help(format!("allowed is, for example, '{example}'")))
            }
            _ => Ok(time),
        }
    }
}

/// The type that a cast gives. Times are in UTC, in microseconds unless milliseconds are asked for.
fn target(to: &DataType) -> Option<DataType> {
    Some(match to {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => {
            DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()))
        }
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        DataType::Decimal128(precision, scale) if *precision <= DIGITS && *scale >= 0 => to.clone(),
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Date32
        | DataType::Time64(_) => to.clone(),
        _ => return None,
    })
}

/// Whether values of a type can be values of another one.
fn castable(from: &DataType, to: &DataType) -> bool {
    let whole = matches!(to, DataType::Int32 | DataType::Int64);
    match (from, kind(from), kind(to)) {
        (_, Kind::Text, _) | (_, Kind::Boolean | Kind::Number, Kind::Number | Kind::Text | Kind::Boolean) => true,
        (DataType::Int32 | DataType::Int64, _, Kind::Time) => !matches!(to, DataType::Time32(_) | DataType::Time64(_)),
        (DataType::Time32(_) | DataType::Time64(_), _, _) => {
            kind(to) == Kind::Text || matches!(to, DataType::Time64(_))
        }
        (_, Kind::Time, to) => matches!(to, Kind::Text | Kind::Time) || (to == Kind::Number && whole),
        _ => false,
    }
}

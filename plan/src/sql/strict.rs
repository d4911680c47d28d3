//! Types that meet in an expression must be of one kind: numbers with numbers, text with text.
//!
//! SQL engines would convert the column to the literal's type, row by row, and `'10' < 9` would be decided as text. Here
//! such a meeting is a mistake, placed at the column. Text literals may meet times: they are read once, as times.

use std::ops::Range;

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, ExprSchemable, Operator};

use super::text::{Text, byte_at};
use crate::avro::Fields;
use crate::types::{Kind, a, kind};
use crate::{Problem, codes};

/// Refuses operators whose sides are of different kinds.
pub(super) fn check(expr: &Expr, source: &Text<'_>, fields: &Fields) -> Result<(), Problem> {
    let mut found = None;
    let visited = expr.apply(|node| {
        found = misfit(node, source, fields);
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    debug_assert!(visited.is_ok(), "the visitor returns no errors");
    found.map_or(Ok(()), Err)
}

fn misfit(node: &Expr, source: &Text<'_>, fields: &Fields) -> Option<Problem> {
    match node {
        Expr::BinaryExpr(binary) => {
            let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
            match binary.op {
                Operator::And | Operator::Or => {
                    [left, right].into_iter().find_map(|side| not_boolean(side, source, fields))
                }
                Operator::StringConcat => None,
                Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom => meet(left, right, source, fields),
                Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                    arithmetic(left, right, source, fields)
                }
                _ => [left, right].into_iter().find_map(|side| not_text(side, source, fields)),
            }
        }
        Expr::Like(like) => [&*like.expr, &*like.pattern].into_iter().find_map(|side| not_text(side, source, fields)),
        Expr::InList(list) => list.list.iter().find_map(|item| meet(&list.expr, item, source, fields)),
        Expr::Between(between) => {
            [&*between.low, &*between.high].into_iter().find_map(|bound| meet(&between.expr, bound, source, fields))
        }
        Expr::Not(inner) => not_boolean(inner, source, fields),
        _ => None,
    }
}

/// Both sides are of one kind, or one of them is null, or one is a time and the other a text literal.
fn meet(left: &Expr, right: &Expr, source: &Text<'_>, fields: &Fields) -> Option<Problem> {
    let (left_type, right_type) = (type_of(left, fields)?, type_of(right, fields)?);
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let fits = match (kind(&left_type), kind(&right_type)) {
        (Kind::Null, _) | (_, Kind::Null) => true,
        (Kind::Time, Kind::Text) => is_literal(right),
        (Kind::Text, Kind::Time) => is_literal(left),
        (one, other) => one == other,
    };
    (!fits).then(|| refuse("compare", left, right, &left_type, &right_type, source))
}

fn arithmetic(left: &Expr, right: &Expr, source: &Text<'_>, fields: &Fields) -> Option<Problem> {
    let (left_type, right_type) = (type_of(left, fields)?, type_of(right, fields)?);
    let is_fit = |kind| matches!(kind, Kind::Null | Kind::Number | Kind::Time | Kind::Interval);
    let (left_kind, right_kind) = (kind(&left_type), kind(&right_type));
    let mixed = (left_kind == Kind::Number) != (right_kind == Kind::Number)
        && left_kind != Kind::Null
        && right_kind != Kind::Null;
    let fits = is_fit(left_kind) && is_fit(right_kind) && !mixed;
    (!fits).then(|| refuse("calculate with", left, right, &left_type, &right_type, source))
}

fn refuse(
    verb: &str,
    left: &Expr,
    right: &Expr,
    left_type: &DataType,
    right_type: &DataType,
    source: &Text<'_>,
) -> Problem {
    let message = format!(
        "cannot {verb} {} ({}) and {} ({})",
        shown(left),
        crate::types::name(left_type),
        shown(right),
        crate::types::name(right_type)
    );
    let place = place(left, source).or_else(|| place(right, source));
    source.problem(codes::SQL_TYPE, place, message).help("allowed are types of one kind; convert with cast(… as …)")
}

fn not_boolean(expr: &Expr, source: &Text<'_>, fields: &Fields) -> Option<Problem> {
    let data_type = type_of(expr, fields)?;
    (!matches!(kind(&data_type), Kind::Boolean | Kind::Null)).then(|| {
        let message = format!("{} is {}, not a condition", shown(expr), a(&data_type));
        source
            .problem(codes::SQL_TYPE, place(expr, source), message)
            .help("allowed between 'and', 'or' and 'not' are conditions")
    })
}

fn not_text(expr: &Expr, source: &Text<'_>, fields: &Fields) -> Option<Problem> {
    let data_type = type_of(expr, fields)?;
    (!matches!(kind(&data_type), Kind::Text | Kind::Null)).then(|| {
        let message = format!("{} is {}, not a string", shown(expr), a(&data_type));
        source.problem(codes::SQL_TYPE, place(expr, source), message).help("patterns are matched against strings")
    })
}

/// The type of an expression, if it has one; what has none is refused later, by the planner.
fn type_of(expr: &Expr, fields: &Fields) -> Option<DataType> {
    expr.get_type(fields.logical()).ok()
}

/// The place of the first column in an expression.
fn place(expr: &Expr, source: &Text<'_>) -> Option<Range<usize>> {
    let spans = expr.column_refs().into_iter().filter_map(|column| column.spans().first());
    let spans = spans.filter_map(|span| {
        let at =
            |line: u64, column: u64| byte_at(source.sql, usize::try_from(line).ok()?, usize::try_from(column).ok()?);
        Some(at(span.start.line, span.start.column)?..at(span.end.line, span.end.column)?)
    });
    spans.min_by_key(|range| range.start)
}

/// An expression in a message.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => format!("'{}'", column.name),
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => format!("'{text}'"),
        Expr::Literal(value, _) => value.to_string(),
        other => format!("'{other}'"),
    }
}

//! What an expression may contain, judged on its syntax tree, where every word still has its place in the text.
//!
//! All unknown fields and functions of an expression are reported at once.

use std::ops::{ControlFlow, Range};

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator, Value,
    Visit, Visitor,
};

use super::functions::{AGGREGATES, ALLOWED, is_volatile, must_be_literal};
use super::text::{Text, bytes_of, span};
use crate::avro::Fields;
use crate::names::suggest;
use crate::{Problem, codes, pattern};

/// Reports what is not allowed.
pub(super) fn check(parsed: &Expr, source: &Text<'_>, fields: Option<&Fields>, problems: &mut Vec<Problem>) {
    let _ = parsed.visit(&mut Checker { source, fields, problems });
}

struct Checker<'a> {
    source: &'a Text<'a>,
    fields: Option<&'a Fields>,
    problems: &'a mut Vec<Problem>,
}

impl Visitor for Checker<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.field(ident),
            Expr::Function(function) => return self.function(function),
            Expr::BinaryOp { left, op, right } => return self.operator(left, op, right),
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                return self.unsupported(expr, "a parameter");
            }
            Expr::UnaryOp { op: UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not, .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::Cast { .. }
            | Expr::TypedString(_)
            | Expr::Case { .. }
            | Expr::Interval(_) => {}
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                return self.unsupported(expr, "a subquery");
            }
            Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => {
                return self.unsupported(expr, "a nested field");
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => return self.unsupported(expr, "'*'"),
            other => return self.unsupported(expr, &format!("'{other}'")),
        }
        ControlFlow::Continue(())
    }
}

impl Checker<'_> {
    fn field(&mut self, ident: &Ident) {
        let Some(fields) = self.fields else { return };
        if fields.get(&ident.value).is_none() {
            let place = bytes_of(self.source.sql, ident.span);
            if let Some(why) = fields.why_not(&ident.value) {
                self.push(codes::SCHEMA_UNSUPPORTED, place, why, fields.readable());
            } else {
                let message = format!("the schema has no field '{}'", ident.value);
                self.push(codes::SQL_FIELD, place, message, fields.instead(&ident.value));
            }
        }
    }

    fn function(&mut self, function: &Function) -> ControlFlow<()> {
        let written = function.name.to_string();
        let name = written.to_ascii_lowercase();
        let part = function.name.0.first().and_then(|part| part.as_ident());
        let place = part.and_then(|ident| bytes_of(self.source.sql, ident.span));
        if is_volatile(&name) {
            let message = format!("function '{name}' gives another value each time it is called");
            self.push(codes::SQL_VOLATILE, place, message, "allowed are functions of the record's fields only");
        } else if AGGREGATES.contains(&name.as_str()) {
            let message = format!("aggregate '{name}' cannot stand inside the {}", self.source.what);
            self.push(codes::SQL_AGGREGATE, place, message, "allowed are aggregates as a whole measure only");
            return ControlFlow::Break(());
        } else if !ALLOWED.contains(&name.as_str()) {
            let message = format!("there is no function '{name}'");
            self.push(codes::SQL_FUNCTION, place, message, suggest(&name, ALLOWED));
        } else if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
            let message = format!("function '{name}' is called with a clause that only aggregates have");
            self.push(codes::SQL_UNSUPPORTED, place, message, "allowed are plain arguments");
        } else {
            self.literal_arguments(&name, function);
        }
        ControlFlow::Continue(())
    }

    fn literal_arguments(&mut self, name: &str, function: &Function) {
        let FunctionArguments::List(list) = &function.args else { return };
        for (position, argument) in list.args.iter().enumerate() {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else { continue };
            if must_be_literal(name, position) {
                self.literal(argument, &format!("argument {} of '{name}'", position + 1));
            }
            if name.starts_with("regexp_") && position == 1 {
                self.pattern(argument);
            }
        }
    }

    fn literal(&mut self, expr: &Expr, what: &str) {
        let negative =
            matches!(expr, Expr::UnaryOp { op: UnaryOperator::Minus, expr } if matches!(**expr, Expr::Value(_)));
        if !matches!(expr, Expr::Value(_)) && !negative {
            let place = span(self.source, expr);
            self.push(codes::SQL_UNSUPPORTED, place, format!("{what} is not a literal"), "allowed is a literal");
        }
    }

    fn pattern(&mut self, expr: &Expr) {
        if let Expr::Value(value) = expr
            && let Value::SingleQuotedString(regex) = &value.value
            && let Some((reason, _)) = pattern::refuse(regex)
        {
            let place = span(self.source, expr);
            self.push(codes::PATTERN, place, reason, pattern::ALLOWED);
        }
    }

    fn operator(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> ControlFlow<()> {
        use BinaryOperator as Op;
        match op {
            Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::StringConcat
            | Op::Gt
            | Op::Lt
            | Op::GtEq
            | Op::LtEq
            | Op::Eq
            | Op::NotEq
            | Op::And
            | Op::Or => {}
            Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => {
                self.literal(right, &format!("the pattern of '{op}'"));
                self.pattern(right);
            }
            other => return self.unsupported(left, &format!("the operator '{other}'")),
        }
        ControlFlow::Continue(())
    }

    fn unsupported(&mut self, expr: &Expr, what: &str) -> ControlFlow<()> {
        let place = span(self.source, expr);
        let message = format!("{what} cannot be used in the {}", self.source.what);
        self.push(
            codes::SQL_UNSUPPORTED,
            place,
            message,
            "allowed are the schema's fields, literals, operators and functions",
        );
        ControlFlow::Break(())
    }

    fn push(&mut self, code: &'static str, place: Option<Range<usize>>, message: String, help: impl Into<String>) {
        self.problems.push(self.source.problem(code, place, message).help(help));
    }
}

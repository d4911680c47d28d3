//! SQL over the fields of a record: parsed, checked for what a stream can promise, typed, and made executable.
//!
//! Keeps true: an expression that passes is deterministic, never fails on a record because of the record's values
//! (division by zero and impossible casts give null), and converts no text to numbers or back unless it says so.

mod allowed;
mod depth;
mod functions;
mod lower;
mod strict;
pub(crate) mod text;

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion_common::DataFusionError;
use datafusion_expr::Expr;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast;

use crate::avro::Fields;
use crate::{Path, Problem, codes};

pub(crate) use functions::AGGREGATES;
pub(crate) use lower::{Lowered, lower, physical};
pub(crate) use text::Text;

/// Parses and types a scalar expression. Without fields, only what does not need them is checked.
pub(crate) fn scalar(source: &Text<'_>, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> Option<Lowered> {
    match text::parse(source) {
        Ok(parsed) => typed(&parsed, source, fields, problems),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Types a parsed scalar expression.
pub(crate) fn typed(
    parsed: &ast::Expr,
    source: &Text<'_>,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    let before = problems.len();
    let explicit_casts = allowed::check(parsed, source, fields, problems);
    let fields = fields.filter(|_| problems.len() == before)?;
    match convert(parsed, source, fields, explicit_casts) {
        Ok(lowered) => Some(lowered),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn convert(parsed: &ast::Expr, source: &Text<'_>, fields: &Fields, explicit_casts: bool) -> Result<Lowered, Problem> {
    let misfit = |error: DataFusionError| source.problem(codes::SQL_TYPE, text::span(source, parsed), reason(&error));
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(false)
        .with_map_string_types_to_utf8view(false)
        .with_collect_spans(true);
    let expr = SqlToRel::new_with_options(functions::provider(), options)
        .sql_to_expr(parsed.clone(), fields.logical(), &mut PlannerContext::new())
        .map_err(misfit)?;
    strict::check(&expr, source, fields)?;
    lower(expr, fields, explicit_casts).map_err(misfit)
}

/// What `DataFusion` says, as messages are: its root cause, one line, lower case.
pub(crate) fn reason(error: &DataFusionError) -> String {
    let message = error.find_root().message().into_owned();
    text::lower_first(message.lines().next().unwrap_or_default())
}

/// Parses and types a condition: an expression that gives a boolean.
pub(crate) fn condition(source: &Text<'_>, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> Option<Lowered> {
    let lowered = scalar(source, fields, problems)?;
    boolean(lowered, source, None, problems)
}

/// Refuses what does not give a boolean.
pub(crate) fn boolean(
    lowered: Lowered,
    source: &Text<'_>,
    span: Option<std::ops::Range<usize>>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    if lowered.data_type == DataType::Boolean {
        return Some(lowered);
    }
    let message = format!("the {} is {}, not a condition", source.what, crate::types::a(&lowered.data_type));
    let span = span.or(Some(0..source.sql.len()));
    problems.push(
        source
            .problem(codes::SQL_NOT_BOOLEAN, span, message)
            .help("allowed is an expression that is true or false, for example a comparison"),
    );
    None
}

/// Names of the columns that an expression reads.
pub(crate) fn columns(expr: &Expr) -> BTreeSet<String> {
    expr.column_refs().into_iter().map(|column| column.name.clone()).collect()
}

/// The text of an expression in the manifest.
impl<'a> Text<'a> {
    /// `what` is the expression's name in messages, for example `filter`.
    pub(crate) fn new(sql: &'a str, path: Path, what: &'static str) -> Self {
        Self { sql, path, what }
    }
}

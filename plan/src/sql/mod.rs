//! SQL over the fields of a record: parsed, checked for what a stream can promise, typed, and made executable.
//!
//! Keeps true: an expression that passes is deterministic, never fails on a record because of the record's values
//! (what cannot be computed is null), and converts no text to numbers or back unless it says so. What each operation
//! means is in `docs/concepts/values.md`; none of it is left to a library's coercion.

mod allowed;
mod build;
mod calendar;
mod depth;
mod eval;
mod functions;
mod lower;
mod node;
mod number;
mod numbers_as_written;
mod patterns;
mod physical;
pub(crate) mod text;
mod words;

use arrow_schema::DataType;
use datafusion_common::DataFusionError;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast;

use crate::avro::Fields;
use crate::{Path, Problem, codes};

pub(crate) use build::{Misfit, read_time};
pub(crate) use functions::AGGREGATES;
pub(crate) use lower::{Lowered, about_field, lower};
pub(crate) use text::Text;

impl Misfit {
    /// As a problem of what stands at a path of the manifest.
    pub(crate) fn at_path(self, path: &Path) -> Problem {
        let problem = Problem::new(codes::SQL_TYPE, path.clone(), self.message);
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    /// As a problem of a text; where it has no place of its own, of the whole expression.
    fn in_text(self, source: &Text<'_>, parsed: &ast::Expr) -> Problem {
        let place = self.place.clone().or_else(|| text::span(source, parsed));
        self.at_path(&source.path).at(place)
    }
}

/// Parses and types a scalar expression. Without fields, only what does not need them is checked.
pub(crate) fn scalar(source: &Text<'_>, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> Option<Lowered> {
    match text::parse(source, fields) {
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
    allowed::check(parsed, source, fields, problems);
    let fields = fields.filter(|_| problems.len() == before)?;
    match convert(parsed, source, fields) {
        Ok(lowered) => Some(lowered),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn convert(parsed: &ast::Expr, source: &Text<'_>, fields: &Fields) -> Result<Lowered, Problem> {
    let misfit = |error: DataFusionError| source.problem(codes::SQL_TYPE, text::span(source, parsed), reason(&error));
    let options = ParserOptions::new()
        .with_enable_ident_normalization(false)
        .with_map_string_types_to_utf8view(false)
        .with_collect_spans(true);
    let mut written = parsed.clone();
    numbers_as_written::keep(&mut written).map_err(|number| {
        let message = format!("the number {number} is too large or too near to zero");
        source
            .problem(codes::SQL_TYPE, text::span(source, parsed), message)
            .help("allowed is what a double can be near to, up to 1.8e308 and down to 5e-324")
    })?;
    let expr = SqlToRel::new_with_options(functions::provider(), options)
        .sql_to_expr(written, fields.logical(), &mut PlannerContext::new())
        .map_err(misfit)?;
    lower::typed(&expr, fields, source.sql).map_err(|misfit| misfit.in_text(source, parsed))
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

/// The text of an expression in the manifest.
impl<'a> Text<'a> {
    /// `what` is the expression's name in messages, for example `filter`.
    pub(crate) fn new(sql: &'a str, path: Path, what: &'static str) -> Self {
        Self { sql, path, what }
    }
}

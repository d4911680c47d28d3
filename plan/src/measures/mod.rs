//! Measures: each is one aggregate over an expression, with an optional filter of its own.

mod accumulate;
mod call;

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion_sql::sqlparser::ast;
use schemas::spec::{AnalyticsPipelineSpec, Measure};

use crate::avro::Fields;
use crate::groups::reserved;
use crate::names::is_column;
use crate::sql::{self, Lowered, Text};
use crate::{Aggregate, Path, Problem, codes};

/// An aggregate that is typed, but not yet bound.
#[derive(Debug)]
pub(crate) struct TypedMeasure {
    pub(crate) name: String,
    pub(crate) function: Aggregate,
    pub(crate) argument: Option<Lowered>,
    pub(crate) predicate: Option<Lowered>,
    pub(crate) output_type: DataType,
    pub(crate) path: Path,
}

/// Compiles `measures`.
pub(crate) fn compile(
    spec: &AnalyticsPipelineSpec,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Vec<TypedMeasure> {
    let list = Path::of("spec.measures");
    if spec.measures.is_empty() {
        problems.push(
            Problem::new(codes::EMPTY, list.clone(), "there is no measure")
                .help("allowed is at least one, for example 'count(*)'"),
        );
    }
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::with_capacity(spec.measures.len());
    for (index, measure) in spec.measures.iter().enumerate() {
        let path = list.index(index);
        check_name(measure, spec, &path.key("name"), &mut seen, problems);
        compiled.extend(compile_one(measure, &path, fields, problems));
    }
    compiled
}

fn check_name(
    measure: &Measure,
    spec: &AnalyticsPipelineSpec,
    path: &Path,
    seen: &mut BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let name = &measure.name;
    if !is_column(name) {
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path.clone(), format!("'{name}' is not a column name"))
                .help("allowed are letters, digits and '_', not starting with a digit, at most 63"),
        );
    } else if let Some(problem) = reserved(name, "measure", spec, path) {
        problems.push(problem);
    } else if spec.group_by.iter().any(|group| group.eq_ignore_ascii_case(name)) {
        let message = format!("measure '{name}' has the name of a grouping column");
        problems.push(Problem::new(codes::NAME_DUPLICATE, path.clone(), message).help("choose another name"));
    } else if !seen.insert(name.to_lowercase()) {
        let message = format!("there are two measures named '{name}'");
        problems.push(
            Problem::new(codes::NAME_DUPLICATE, path.clone(), message).help("upper and lower case are not told apart"),
        );
    }
}

fn compile_one(
    measure: &Measure,
    path: &Path,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<TypedMeasure> {
    let source = Text::new(&measure.expression, path.key("expression"), "measure");
    let parsed = sql::text::parse(&source, fields).map_err(|problem| problems.push(problem)).ok()?;
    let call = call::read(&parsed, &source).map_err(|problem| problems.push(problem)).ok()?;
    let before = problems.len();
    let argument = call.argument.and_then(|expr| argument(call.function, expr, &source, fields, problems));
    let predicate = call.predicate.and_then(|expr| predicate(expr, &source, fields, problems));
    if problems.len() > before || fields.is_none() {
        return None;
    }
    let scale = accumulate::scale(measure, call.function, argument.as_ref(), path, problems).ok()?;
    let output_type = accumulate::output_type(call.function, argument.as_ref(), scale);
    Some(TypedMeasure {
        name: measure.name.clone(),
        function: call.function,
        argument,
        predicate,
        output_type,
        path: path.key("expression"),
    })
}

fn argument(
    function: Aggregate,
    expr: &ast::Expr,
    source: &Text<'_>,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    let lowered = sql::typed(expr, source, fields, problems)?;
    let place = sql::text::span(source, expr);
    accumulate::argument(function, lowered, source, place).map_err(|problem| problems.push(problem)).ok()
}

fn predicate(
    expr: &ast::Expr,
    source: &Text<'_>,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    let source = Text { what: "measure's filter", ..source.clone() };
    let lowered = sql::typed(expr, &source, fields, problems)?;
    sql::boolean(lowered, &source, sql::text::span(&source, expr), problems)
}

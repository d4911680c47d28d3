//! A measure's syntax: one aggregate call, taken apart.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, visit_expressions,
};

use crate::names::{quoted, suggest};
use crate::sql::{AGGREGATES, Text};
use crate::{Aggregate, Problem, codes};

/// The parts of `function(argument) filter (where predicate)`.
pub(super) struct Call<'a> {
    pub(super) function: Aggregate,
    /// Absent for `count(*)`.
    pub(super) argument: Option<&'a Expr>,
    pub(super) predicate: Option<&'a Expr>,
}

const ALLOWED: &str = "allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), \
                       with an optional filter (where …)";

/// Takes an aggregate call apart.
pub(super) fn read<'a>(parsed: &'a Expr, source: &Text<'_>) -> Result<Call<'a>, Problem> {
    let refuse =
        |message: &str, help: &str| source.problem(codes::SQL_AGGREGATE, Some(0..source.sql.len()), message).help(help);
    let parsed = match parsed {
        Expr::Nested(inner) => inner,
        other => other,
    };
    let inner = aggregates(parsed);
    let apart = || {
        let each = quoted(inner.iter().map(String::as_str));
        refuse(
            "the measure is made of aggregates, not one",
            &format!(
                "publish {each} as a measure of its own (each, if there are several), and compute '{parsed}' in the query"
            ),
        )
    };
    let Expr::Function(function) = parsed else {
        return Err(if inner.is_empty() { refuse("the measure is not an aggregate", ALLOWED) } else { apart() });
    };
    let name = function.name.to_string().to_ascii_lowercase();
    if !AGGREGATES.contains(&name.as_str()) {
        if !inner.is_empty() {
            return Err(apart());
        }
        let help = if name.len() > 2 { suggest(&name, AGGREGATES) } else { ALLOWED.to_owned() };
        return Err(refuse(&format!("'{name}' is not an aggregate"), &help));
    }
    let argument = argument(function, &name).map_err(|message| refuse(&message, ALLOWED))?;
    let aggregate = match (name.as_str(), argument) {
        ("count", None) => Aggregate::CountAll,
        ("count", Some(_)) => Aggregate::Count,
        ("sum", _) => Aggregate::Sum,
        ("min", _) => Aggregate::Min,
        ("max", _) => Aggregate::Max,
        _ => Aggregate::Avg,
    };
    Ok(Call { function: aggregate, argument, predicate: function.filter.as_deref() })
}

/// The aggregates inside an expression, as written.
fn aggregates(parsed: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    let _ = visit_expressions(parsed, |expr| {
        if let Expr::Function(function) = expr
            && AGGREGATES.contains(&function.name.to_string().to_ascii_lowercase().as_str())
            && !found.contains(&expr.to_string())
        {
            found.push(expr.to_string());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The argument of the call, none for `count(*)`.
fn argument<'a>(function: &'a Function, name: &str) -> Result<Option<&'a Expr>, String> {
    let clause = || Err("the aggregate has a clause that is not supported".to_owned());
    if function.over.is_some() || function.null_treatment.is_some() || !function.within_group.is_empty() {
        return clause();
    }
    let FunctionArguments::List(list) = &function.args else {
        return Err(format!("'{name}' lacks its argument"));
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err("'distinct' is not supported".to_owned());
    }
    match list.args.as_slice() {
        _ if !list.clauses.is_empty() => clause(),
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "count" => Ok(None),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Ok(Some(argument)),
        _ => Err(format!("'{name}' needs one argument")),
    }
}

//! What is right, and likely not what was meant: told by `sluice validate`, refused nowhere.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, Value, Visit, Visitor};
use schemas::spec::AnalyticsPipeline;

use crate::sql::Text;
use crate::sql::text::{parse, span};
use crate::{Path, Plan, Problem, codes};

impl Plan {
    /// The hints for a manifest that compiles, in its order.
    pub fn hints(pipeline: &AnalyticsPipeline) -> Vec<Problem> {
        let spec = &pipeline.spec;
        let filter = spec.filter.iter().map(|sql| (sql, Path::of("spec.filter"), "filter"));
        let rules = spec.quality.rules.iter().enumerate().filter_map(|(index, rule)| {
            let path = Path::of("spec.quality.rules").index(index).key("expression");
            Some((rule.expression.as_ref()?, path, "rule"))
        });
        let measures = spec.measures.iter().enumerate().map(|(index, measure)| {
            (&measure.expression, Path::of("spec.measures").index(index).key("expression"), "measure")
        });
        let mut found = Vec::new();
        for (sql, path, what) in filter.chain(rules).chain(measures) {
            let source = Text::new(sql, path, what);
            if let Ok(parsed) = parse(&source, None) {
                let _ = parsed.visit(&mut Nulls { source: &source, found: &mut found });
            }
        }
        found
    }
}

/// Finds comparisons with a literal null.
struct Nulls<'a> {
    source: &'a Text<'a>,
    found: &'a mut Vec<Problem>,
}

impl Visitor for Nulls<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { left, op, right } = expr {
            let is_null = |side: &Expr| matches!(side, Expr::Value(value) if value.value == Value::Null);
            let instead = match op {
                BinaryOperator::Eq => "is null",
                BinaryOperator::NotEq => "is not null",
                _ => return ControlFlow::Continue(()),
            };
            let other = if is_null(right) { Some(left) } else { is_null(left).then_some(right) };
            if let Some(other) = other {
                let message = format!("'{expr}' is never true and never false: nothing equals null");
                let problem = self.source.problem(codes::SQL_NULL, span(self.source, expr), message);
                self.found.push(problem.help(format!("likely meant is '{other} {instead}'")));
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_with_null_is_hinted_at_wherever_it_stands() {
        let manifest = include_str!("../../examples/revenue-5m.yaml");
        let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(manifest).expect("reads");
        assert_eq!(Plan::hints(&pipeline), []);
        pipeline.spec.filter = Some("region <> null and amount > 0".to_owned());
        pipeline.spec.measures[0].expression = "sum(amount) filter (where null = region)".to_owned();
        let hints: Vec<String> = Plan::hints(&pipeline).iter().map(ToString::to_string).collect();
        assert_eq!(
            hints,
            [
                "SL0309 spec.filter: 'region <> NULL' is never true and never false: nothing equals null (likely meant is \
                 'region is not null')",
                "SL0309 spec.measures[0].expression: 'NULL = region' is never true and never false: nothing equals null (likely \
                 meant is 'region is null')",
            ]
        );
        assert!(Plan::compile(&pipeline).is_ok(), "it is SQL, and stays allowed");
    }
}

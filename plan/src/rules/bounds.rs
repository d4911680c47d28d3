//! Bounds: a field between two literals, each inclusive or exclusive.

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator, ident, lit};
use schemas::spec::Scalar;

use super::meaning::{Meaning, Scope};
use crate::avro::Fields;
use crate::types::{self, Kind};
use crate::{Problem, codes};

impl Scope<'_> {
    /// The field is at least, more than, at most, less than.
    pub(super) fn bounds(&self, field: &str, fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let data_type = self.field(field, fields, problems)?;
        if !matches!(types::kind(data_type), Kind::Number | Kind::Time) {
            problems.push(self.misfit(field, data_type, "a bound", "a number, date or timestamp"));
            return None;
        }
        let before = problems.len();
        let low = self.bound(
            self.rule.min.as_ref(),
            self.rule.exclusive_min.as_ref(),
            ["min", "exclusiveMin"],
            data_type,
            problems,
        );
        let high = self.bound(
            self.rule.max.as_ref(),
            self.rule.exclusive_max.as_ref(),
            ["max", "exclusiveMax"],
            data_type,
            problems,
        );
        if problems.len() > before {
            return None;
        }
        if let (Some(low), Some(high)) = (&low, &high)
            && (low.value > high.value || (low.value == high.value && (low.exclusive || high.exclusive)))
        {
            let message = format!("no value is both {} and {}", low.words(true), high.words(false));
            problems.push(Problem::new(codes::RULE_BOUNDS, self.path.key(high.key), message).help("raise it"));
            return None;
        }
        let low = low.map(|bound| (bound.words(true), bound.compare(field, Operator::GtEq, Operator::Gt)));
        let high = high.map(|bound| (bound.words(false), bound.compare(field, Operator::LtEq, Operator::Lt)));
        let (words, parts): (Vec<_>, Vec<_>) = low.into_iter().chain(high).unzip();
        let expected = words.join(" and ");
        Some(Meaning {
            expr: parts.into_iter().reduce(Expr::and)?,
            canonical: format!("bounds '{field}' {expected}"),
            expected,
        })
    }

    fn bound(
        &self,
        inclusive: Option<&Scalar>,
        exclusive: Option<&Scalar>,
        keys: [&'static str; 2],
        data_type: &DataType,
        problems: &mut Vec<Problem>,
    ) -> Option<Bound> {
        let (text, exclusive) = match (inclusive, exclusive) {
            (Some(_), Some(_)) => {
                let message = format!("the rule has both '{}' and '{}'", keys[0], keys[1]);
                problems.push(
                    Problem::new(codes::RULE_KIND, self.path.key(keys[1]), message).help("allowed is one of them"),
                );
                return None;
            }
            (Some(text), None) => (text, false),
            (None, Some(text)) => (text, true),
            (None, None) => return None,
        };
        let key = keys[usize::from(exclusive)];
        let value = self.literal(self.path.key(key), text, data_type, problems)?;
        Some(Bound { key, text: text.to_string(), value, exclusive })
    }
}

/// One side of a range.
struct Bound {
    key: &'static str,
    text: String,
    value: ScalarValue,
    exclusive: bool,
}

impl Bound {
    fn words(&self, low: bool) -> String {
        let words = match (low, self.exclusive) {
            (true, false) => "at least",
            (true, true) => "more than",
            (false, false) => "at most",
            (false, true) => "less than",
        };
        format!("{words} {}", self.text)
    }

    fn compare(self, field: &str, inclusive: Operator, exclusive: Operator) -> Expr {
        let op = if self.exclusive { exclusive } else { inclusive };
        Expr::BinaryExpr(BinaryExpr::new(Box::new(ident(field)), op, Box::new(lit(self.value))))
    }
}

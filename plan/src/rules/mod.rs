//! Data-quality rules: each becomes one nullable boolean expression. True passes, false is a violation, null is skipped.

mod bounds;
mod kind;
mod meaning;
mod volume;

use std::collections::BTreeSet;

use schemas::spec::{OnViolation, Quality, Rule};

use crate::avro::Fields;
use crate::names::is_kebab;
use crate::sql::Lowered;
use crate::times::Times;
use crate::{Path, Problem, ThresholdPlan, VolumePlan, codes, thresholds};

/// A rule that is typed, but not yet bound to the columns that will be decoded.
#[derive(Debug)]
pub(crate) struct TypedRule {
    pub(crate) name: String,
    pub(crate) on_violation: OnViolation,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
    pub(crate) fingerprint: String,
    pub(crate) check: TypedCheck,
    /// Fields that it reads.
    pub(crate) columns: BTreeSet<String>,
    pub(crate) nulls_alone: bool,
    pub(crate) threshold: ThresholdPlan,
    pub(crate) path: Path,
}

/// What a typed rule looks at.
#[derive(Debug)]
pub(crate) enum TypedCheck {
    /// Each record by itself.
    Rows(Lowered),
    /// How much later than the event it was received at the most, in milliseconds.
    Latency(i64),
    /// The event ids.
    Unique,
    /// The records of a batch.
    Volume(VolumePlan),
}

impl TypedCheck {
    /// The expression over a record, if the rule is one.
    pub(crate) fn rows(&self) -> Option<&Lowered> {
        match self {
            Self::Rows(check) => Some(check),
            Self::Latency(_) | Self::Unique | Self::Volume(_) => None,
        }
    }
}

/// The fields with a meaning of their own, as far as they exist.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) id: &'a str,
    pub(crate) event: &'a str,
    pub(crate) ingest: Option<&'a str>,
    /// How the times are written, as far as they are times.
    pub(crate) times: Times,
}

/// Compiles all rules, in order.
pub(crate) fn compile(
    quality: &Quality,
    fields: Option<&Fields>,
    own: Own<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<TypedRule> {
    let rules = Path::of("spec.quality.rules");
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::with_capacity(quality.rules.len());
    for (index, rule) in quality.rules.iter().enumerate() {
        let path = rules.index(index);
        check_name(rule, &path, &mut seen, problems);
        let threshold = thresholds::of_rule(rule, &path, problems);
        if let Some(check) = kind::kind(rule, &path, problems) {
            let scope = meaning::Scope { rule, path: &path, own, threshold };
            compiled.extend(scope.compile(&check, fields, problems));
        }
    }
    compiled
}

fn check_name<'a>(rule: &'a Rule, path: &Path, seen: &mut BTreeSet<&'a str>, problems: &mut Vec<Problem>) {
    let name = rule.name.as_str();
    let path = path.key("name");
    if !is_kebab(name, 63) {
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path, format!("'{name}' is not a rule name"))
                .help("allowed are lower case letters, digits and '-', at most 63"),
        );
    } else if name.starts_with("event-time-") || name.starts_with("event-id-") {
        problems.push(
            Problem::new(codes::NAME_RESERVED, path, format!("the rule name '{name}' is reserved"))
                .help("allowed are names that do not start with 'event-time-' or 'event-id-'"),
        );
    } else if !seen.insert(name) {
        problems.push(
            Problem::new(codes::NAME_DUPLICATE, path, format!("there are two rules named '{name}'"))
                .help("allowed is one rule per name"),
        );
    }
}

/// The fields that a dead-lettering or stopping `required` rule keeps from being null.
pub(crate) fn never_null(quality: &Quality) -> impl Iterator<Item = &str> {
    let enforced = quality.rules.iter().filter(|rule| rule.on_violation != OnViolation::Report);
    enforced.flat_map(|rule| rule.required.iter().flatten()).map(String::as_str)
}

//! Which check a rule is: exactly one, with a field where it needs one.

use schemas::spec::{Duration, Rule, Scalar, Volume};

use crate::{Path, Problem, codes};

/// What a rule checks: exactly one of these.
pub(super) enum Check<'a> {
    Required(&'a [String]),
    OneOf(&'a [Scalar]),
    Bounds,
    Matches(&'a str),
    MaxLatency(&'a Duration),
    Expression(&'a str),
    Unique(&'a str),
    Volume(&'a Volume),
}

const KINDS: &str = "allowed is exactly one of 'required', 'oneOf', bounds ('min', 'max', 'exclusiveMin', \
                     'exclusiveMax'), 'matches', 'maxLatency', 'expression', 'unique' and 'volume'";

/// The kind of a rule, or the problem that it has none or several.
pub(super) fn kind<'a>(rule: &'a Rule, path: &Path, problems: &mut Vec<Problem>) -> Option<Check<'a>> {
    let bound = [
        ("min", &rule.min),
        ("max", &rule.max),
        ("exclusiveMin", &rule.exclusive_min),
        ("exclusiveMax", &rule.exclusive_max),
    ]
    .into_iter()
    .find_map(|(key, bound)| bound.as_ref().map(|_| key));
    let mut kinds: Vec<(&str, Check<'a>)> = Vec::new();
    kinds.extend(rule.required.as_deref().map(|names| ("required", Check::Required(names))));
    kinds.extend(rule.one_of.as_deref().map(|values| ("oneOf", Check::OneOf(values))));
    kinds.extend(bound.map(|key| (key, Check::Bounds)));
    kinds.extend(rule.matches.as_deref().map(|pattern| ("matches", Check::Matches(pattern))));
    kinds.extend(rule.max_latency.as_ref().map(|latency| ("maxLatency", Check::MaxLatency(latency))));
    kinds.extend(rule.expression.as_deref().map(|sql| ("expression", Check::Expression(sql))));
    kinds.extend(rule.unique.as_deref().map(|field| ("unique", Check::Unique(field))));
    kinds.extend(rule.volume.as_ref().map(|volume| ("volume", Check::Volume(volume))));
    if kinds.len() > 1 {
        let (first, second) = (kinds[0].0, kinds[1].0);
        let message = format!("the rule has both '{first}' and '{second}'");
        problems.push(Problem::new(codes::RULE_KIND, path.key(second), message).help(KINDS));
        return None;
    }
    let Some((key, check)) = kinds.pop() else {
        problems.push(Problem::new(codes::RULE_KIND, path.clone(), "the rule checks nothing").help(KINDS));
        return None;
    };
    field_fits(rule, key, &check, path, problems).then_some(check)
}

/// `field` stands where it is needed, and only there.
fn field_fits(rule: &Rule, key: &str, check: &Check<'_>, path: &Path, problems: &mut Vec<Problem>) -> bool {
    let needed = matches!(check, Check::OneOf(_) | Check::Bounds | Check::Matches(_));
    if needed == rule.field.is_some() {
        return true;
    }
    problems.push(if needed {
        Problem::new(codes::RULE_FIELD, path.clone(), format!("a rule with '{key}' needs a 'field'"))
            .help("allowed is one field of the schema")
    } else {
        Problem::new(codes::RULE_FIELD, path.key("field"), format!("a rule with '{key}' has no 'field'"))
            .help("remove it")
    });
    false
}

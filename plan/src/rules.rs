//! Data-quality rules: each becomes one nullable boolean expression. True passes, false is a violation, null is skipped.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator, cast, ident, lit};
use schemas::spec::{Duration, OnViolation, Quality, Rule, Scalar};
use xxhash_rust::xxh3::xxh3_128;

use crate::avro::Fields;
use crate::names::{is_kebab, quoted};
use crate::sql::{self, Lowered, Text, reason};
use crate::types::{self, Kind};
use crate::{Path, Problem, codes, pattern};

/// A rule that is typed, but not yet bound to the columns that will be decoded.
#[derive(Debug)]
pub(crate) struct TypedRule {
    pub(crate) name: String,
    pub(crate) on_violation: OnViolation,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
    pub(crate) fingerprint: String,
    pub(crate) check: Lowered,
    pub(crate) path: Path,
}

/// What a rule checks: exactly one of these.
enum Check<'a> {
    Required(&'a [String]),
    OneOf(&'a [Scalar]),
    Bounds,
    Matches(&'a str),
    MaxLatency(&'a Duration),
    Expression(&'a str),
}

/// The fields with a meaning of their own, as far as they exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times<'a> {
    pub(crate) event: &'a str,
    pub(crate) ingest: Option<&'a str>,
}

/// Compiles all rules, in order.
pub(crate) fn compile(
    quality: &Quality,
    fields: Option<&Fields>,
    times: Times<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<TypedRule> {
    let rules = Path::of("spec.quality.rules");
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::with_capacity(quality.rules.len());
    for (index, rule) in quality.rules.iter().enumerate() {
        let path = rules.index(index);
        check_name(rule, &path, &mut seen, problems);
        if let Some(kind) = kind(rule, &path, problems) {
            let scope = Scope { rule, path: &path, times };
            compiled.extend(scope.compile(&kind, fields, problems));
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
    } else if name.starts_with("event-time-") {
        problems.push(
            Problem::new(codes::NAME_RESERVED, path, format!("the rule name '{name}' is reserved"))
                .help("allowed are names that do not start with 'event-time-'"),
        );
    } else if !seen.insert(name) {
        problems.push(
            Problem::new(codes::NAME_DUPLICATE, path, format!("there are two rules named '{name}'"))
                .help("allowed is one rule per name"),
        );
    }
}

const KINDS: &str = "allowed is exactly one of 'required', 'oneOf', bounds ('min', 'max', 'exclusiveMin', \
                     'exclusiveMax'), 'matches', 'maxLatency' and 'expression'";

fn kind<'a>(rule: &'a Rule, path: &Path, problems: &mut Vec<Problem>) -> Option<Check<'a>> {
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

/// One rule and where it stands.
struct Scope<'a> {
    rule: &'a Rule,
    path: &'a Path,
    times: Times<'a>,
}

/// What a check means: an expression, its words for people, its canonical text.
struct Meaning {
    expr: Expr,
    expected: String,
    canonical: String,
}

impl Scope<'_> {
    fn compile(&self, check: &Check<'_>, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> Option<TypedRule> {
        if let Check::Expression(sql) = check {
            let source = Text::new(sql, self.path.key("expression"), "rule");
            let lowered = sql::condition(&source, fields, problems)?;
            let canonical = format!("expression {}", sql::text::parse(&source).ok()?);
            return Some(self.typed(lowered, (*sql).to_owned(), &canonical));
        }
        let fields = fields?;
        let field = self.rule.field.as_deref().unwrap_or_default();
        let meaning = match check {
            Check::Required(names) => self.required(names, fields, problems)?,
            Check::OneOf(values) => self.one_of(field, values, fields, problems)?,
            Check::Bounds => self.bounds(field, fields, problems)?,
            Check::Matches(pattern) => self.matches(field, pattern, fields, problems)?,
            Check::MaxLatency(latency) => self.max_latency(latency, fields, problems)?,
            Check::Expression(_) => return None,
        };
        match sql::lower(meaning.expr, fields, false) {
            Ok(lowered) => Some(self.typed(lowered, meaning.expected, &meaning.canonical)),
            Err(error) => {
                problems.push(Problem::new(codes::SQL_TYPE, self.path.clone(), reason(&error)));
                None
            }
        }
    }

    fn typed(&self, check: Lowered, expected: String, canonical: &str) -> TypedRule {
        TypedRule {
            name: self.rule.name.clone(),
            on_violation: self.rule.on_violation,
            field: self.rule.field.clone(),
            expected,
            fingerprint: format!("{:032x}", xxh3_128(canonical.as_bytes())),
            check,
            path: self.path.clone(),
        }
    }

    fn required(&self, names: &[String], fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let path = self.path.key("required");
        let before = problems.len();
        if names.is_empty() {
            problems.push(empty(&path, "required", "a field of the schema"));
        }
        for (index, name) in names.iter().enumerate() {
            problems.extend(fields.find(name, &path.index(index)).err());
        }
        let all = names.iter().map(|name| ident(name).is_not_null()).reduce(Expr::and)?;
        let list = quoted(names.iter().map(String::as_str));
        (problems.len() == before).then(|| Meaning {
            expr: all,
            expected: format!("not null: {list}"),
            canonical: format!("required {list}"),
        })
    }

    /// The type of the rule's field.
    fn field<'f>(&self, field: &str, fields: &'f Fields, problems: &mut Vec<Problem>) -> Option<&'f DataType> {
        match fields.find(field, &self.path.key("field")) {
            Ok((data_type, _)) => Some(data_type),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    fn literal(
        &self,
        key: Path,
        literal: &Scalar,
        data_type: &DataType,
        problems: &mut Vec<Problem>,
    ) -> Option<ScalarValue> {
        match crate::literal::read(literal.as_str(), data_type) {
            Ok(value) => Some(value),
            Err(allowed) => {
                let field = self.rule.field.as_deref().unwrap_or_default();
                let message = format!("'{literal}' does not fit field '{field}', {}", types::a(data_type));
                problems.push(Problem::new(codes::RULE_LITERAL, key, message).help(allowed));
                None
            }
        }
    }

    fn one_of(&self, field: &str, values: &[Scalar], fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let path = self.path.key("oneOf");
        let data_type = self.field(field, fields, problems)?;
        if values.is_empty() {
            problems.push(empty(&path, "oneOf", "a value"));
        }
        if matches!(types::kind(data_type), Kind::Nested | Kind::Binary) {
            problems.push(self.misfit(field, data_type, "'oneOf'", "a string, number, boolean, date or timestamp"));
            return None;
        }
        let literals: Vec<Option<Expr>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| self.literal(path.index(index), value, data_type, problems).map(lit))
            .collect();
        let literals: Vec<Expr> = literals.into_iter().collect::<Option<_>>()?;
        let list = quoted(values.iter().map(Scalar::as_str));
        (!literals.is_empty()).then(|| Meaning {
            expr: ident(field).in_list(literals, false),
            expected: format!("one of {list}"),
            canonical: format!("oneOf '{field}' {list}"),
        })
    }

    fn bounds(&self, field: &str, fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let data_type = self.field(field, fields, problems)?;
        if !matches!(types::kind(data_type), Kind::Number | Kind::Time) {
            problems.push(self.misfit(field, data_type, "a bound", "a number, date or timestamp"));
            return None;
        }
        let before = problems.len();
        let low = self.bound(&self.rule.min, &self.rule.exclusive_min, ["min", "exclusiveMin"], data_type, problems);
        let high = self.bound(&self.rule.max, &self.rule.exclusive_max, ["max", "exclusiveMax"], data_type, problems);
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
        inclusive: &Option<Scalar>,
        exclusive: &Option<Scalar>,
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

    fn matches(&self, field: &str, regex: &str, fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let data_type = self.field(field, fields, problems)?;
        if *data_type != DataType::Utf8 {
            problems.push(self.misfit(field, data_type, "'matches'", "a string"));
            return None;
        }
        if let Some((reason, span)) = pattern::refuse(regex) {
            problems
                .push(Problem::new(codes::PATTERN, self.path.key("matches"), reason).at(span).help(pattern::ALLOWED));
            return None;
        }
        let expr = BinaryExpr::new(Box::new(ident(field)), Operator::RegexMatch, Box::new(lit(regex)));
        Some(Meaning {
            expr: Expr::BinaryExpr(expr),
            expected: format!("matches '{regex}'"),
            canonical: format!("matches '{field}' {regex}"),
        })
    }

    /// Ingest time minus event time, in milliseconds.
    fn max_latency(&self, latency: &Duration, fields: &Fields, problems: &mut Vec<Problem>) -> Option<Meaning> {
        let Some(ingest) = self.times.ingest else {
            problems.push(
                Problem::new(
                    codes::RULE_FIELD,
                    self.path.key("maxLatency"),
                    "the source has no 'ingestTime' to compare with",
                )
                .help("name the field that holds it in 'spec.source.ingestTime'"),
            );
            return None;
        };
        let event = self.times.event;
        // Fields that are missing or no times are problems of the source, reported there.
        if [ingest, event].iter().any(|name| fields.get(name).is_none_or(|(t, _)| !is_millis(t))) {
            return None;
        }
        let millis = |name| cast(ident(name), DataType::Int64);
        Some(Meaning {
            expr: (millis(ingest) - millis(event)).lt_eq(lit(latency.millis())),
            expected: format!("ingested within {latency} of the event"),
            canonical: format!("maxLatency '{ingest}' '{event}' {}", latency.millis()),
        })
    }

    fn misfit(&self, field: &str, data_type: &DataType, kind: &str, allowed: &str) -> Problem {
        let message = format!("{kind} does not fit field '{field}', {}", types::a(data_type));
        Problem::new(codes::FIELD_TYPE, self.path.key("field"), message).help(format!("allowed is {allowed}"))
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

/// Whether a column holds UTC milliseconds: a timestamp with zone, or a long.
pub(crate) fn is_millis(data_type: &DataType) -> bool {
    use arrow_schema::TimeUnit::Millisecond;
    matches!(data_type, DataType::Int64 | DataType::Timestamp(Millisecond, Some(_)))
}

fn empty(path: &Path, key: &str, what: &str) -> Problem {
    Problem::new(codes::EMPTY, path.clone(), format!("'{key}' is empty")).help(format!("allowed is at least {what}"))
}

/// The fields that a dead-lettering or stopping `required` rule keeps from being null.
pub(crate) fn never_null(quality: &Quality) -> impl Iterator<Item = &str> {
    let enforced = quality.rules.iter().filter(|rule| rule.on_violation != OnViolation::Report);
    enforced.flat_map(|rule| rule.required.iter().flatten()).map(String::as_str)
}

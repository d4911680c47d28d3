//! What each kind of rule means: an expression, what it expects in words, and the text that identifies it.

use arrow_schema::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator, ident, lit};
use schemas::spec::{Duration, OnViolation, Rule, Scalar};
use xxhash_rust::xxh3::xxh3_128;

use super::kind::Check;
use super::{Own, TypedCheck, TypedRule};
use crate::avro::Fields;
use crate::names::{quoted, suggest};
use crate::sql::{self, Text};
use crate::types::{self, Kind};
use crate::{Path, Problem, ThresholdPlan, TimePlan, codes, pattern};

/// One rule and where it stands.
pub(super) struct Scope<'a> {
    pub(super) rule: &'a Rule,
    pub(super) path: &'a Path,
    pub(super) own: Own<'a>,
    pub(super) threshold: ThresholdPlan,
}

/// What a check means: an expression, its words for people, its canonical text.
pub(super) struct Meaning {
    pub(super) expr: Expr,
    pub(super) expected: String,
    pub(super) canonical: String,
}

impl Scope<'_> {
    /// Types the rule over all fields of the schema.
    pub(super) fn compile(
        &self,
        check: &Check<'_>,
        fields: Option<&Fields>,
        problems: &mut Vec<Problem>,
    ) -> Option<TypedRule> {
        if let Check::Expression(sql) = check {
            let source = Text::new(sql, self.path.key("expression"), "rule");
            let lowered = sql::condition(&source, fields, problems)?;
            let canonical = format!("expression {}", sql::text::parse(&source, fields).ok()?);
            return Some(self.typed(TypedCheck::Rows(lowered), (*sql).to_owned(), &canonical));
        }
        if let Check::Unique(field) = check {
            return self.unique(field, problems);
        }
        if let Check::Volume(volume) = check {
            return self.volume(volume, problems);
        }
        if let Check::MaxLatency(latency) = check {
            return self.max_latency(latency, problems);
        }
        let fields = fields?;
        let field = self.rule.field.as_deref().unwrap_or_default();
        let meaning = match check {
            Check::Required(names) => self.required(names, fields, problems)?,
            Check::OneOf(values) => self.one_of(field, values, fields, problems)?,
            Check::Bounds => self.bounds(field, fields, problems)?,
            Check::Matches(pattern) => self.matches(field, pattern, fields, problems)?,
            Check::Expression(_) | Check::Unique(_) | Check::Volume(_) | Check::MaxLatency(_) => return None,
        };
        match sql::about_field(&meaning.expr, fields) {
            Ok(lowered) => Some(self.typed(TypedCheck::Rows(lowered), meaning.expected, &meaning.canonical)),
            Err(misfit) => {
                problems.push(misfit.at_path(self.path));
                None
            }
        }
    }

    pub(super) fn typed(&self, check: TypedCheck, expected: String, canonical: &str) -> TypedRule {
        let columns = check.rows().into_iter().flat_map(|check| check.columns.iter().cloned()).collect();
        TypedRule {
            name: self.rule.name.clone(),
            on_violation: self.rule.on_violation,
            field: self.rule.field.clone(),
            expected,
            fingerprint: format!("{:032x}", xxh3_128(canonical.as_bytes())),
            columns,
            check,
            nulls_alone: self.rule.required.is_some(),
            threshold: self.threshold,
            path: self.path.clone(),
        }
    }

    /// Every id once. Ids are what duplicates are known by, so it can be about no other field.
    fn unique(&self, field: &str, problems: &mut Vec<Problem>) -> Option<TypedRule> {
        let id = self.own.id;
        if field != id {
            let message = format!("'{field}' is not the source's 'eventId'");
            let help = format!("allowed is '{id}': ids are what duplicates are known by");
            problems.push(Problem::new(codes::RULE_FIELD, self.path.key("unique"), message).help(help));
            return None;
        }
        if self.rule.on_violation != OnViolation::Report {
            let message = "a duplicate is not counted and is no dead letter";
            let path = self.path.key("onViolation");
            problems.push(Problem::new(codes::RULE_FIELD, path, message).help("allowed is 'Report'"));
            return None;
        }
        let typed =
            self.typed(TypedCheck::Unique, "once while its window is open".to_owned(), &format!("unique '{field}'"));
        Some(TypedRule { field: Some(field.to_owned()), columns: [field.to_owned()].into(), ..typed })
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
    pub(super) fn field<'f>(
        &self,
        field: &str,
        fields: &'f Fields,
        problems: &mut Vec<Problem>,
    ) -> Option<&'f DataType> {
        match fields.find(field, &self.path.key("field")) {
            Ok((data_type, _)) => Some(data_type),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    /// A literal of the rule as a value of the field's type.
    pub(super) fn literal(
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
        if let Some(symbols) = fields.symbols(field) {
            let unknown = values.iter().enumerate().filter(|(_, value)| !symbols.contains(&value.as_str()));
            let unknown: Vec<Problem> = unknown
                .map(|(index, value)| {
                    let message = format!("'{value}' is no symbol of the enum of field '{field}'");
                    Problem::new(codes::RULE_LITERAL, path.index(index), message)
                        .help(suggest(value.as_str(), &symbols))
                })
                .collect();
            if !unknown.is_empty() {
                problems.extend(unknown);
                return None;
            }
        }
        let literals: Vec<Expr> = literals.into_iter().collect::<Option<_>>()?;
        let list = quoted(values.iter().map(Scalar::as_str));
        (!literals.is_empty()).then(|| Meaning {
            expr: ident(field).in_list(literals, false),
            expected: format!("one of {list}"),
            canonical: format!("oneOf '{field}' {list}"),
        })
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

    /// Ingest time minus event time.
    fn max_latency(&self, latency: &Duration, problems: &mut Vec<Problem>) -> Option<TypedRule> {
        let Some(ingest) = self.own.ingest else {
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
        // Fields that are missing or no times are problems of the source, reported there.
        let (event, times) = (self.own.event, self.own.times);
        let written = |name: &str, written: TimePlan| match written {
            TimePlan::Plain(TimeUnit::Millisecond) | TimePlan::Timestamp(_) => format!("'{name}'"),
            written => format!("'{name}' {written:?}"),
        };
        let (ingested, happened) = (written(ingest, times.ingest?), written(event, times.event?));
        let canonical = format!("maxLatency {ingested} {happened} {}", latency.millis());
        let expected = format!("ingested within {latency} of the event");
        let typed = self.typed(TypedCheck::Latency(latency.millis()), expected, &canonical);
        Some(TypedRule { columns: [ingest, event].map(str::to_owned).into(), ..typed })
    }

    /// The problem that a check is not for fields of this type.
    pub(super) fn misfit(&self, field: &str, data_type: &DataType, kind: &str, allowed: &str) -> Problem {
        let message = format!("{kind} does not fit field '{field}', {}", types::a(data_type));
        Problem::new(codes::FIELD_TYPE, self.path.key("field"), message).help(format!("allowed is {allowed}"))
    }
}

fn empty(path: &Path, key: &str, what: &str) -> Problem {
    Problem::new(codes::EMPTY, path.clone(), format!("'{key}' is empty")).help(format!("allowed is at least {what}"))
}

//! One valid baseline, one mutation, one exact answer. The list of cases is the list of what is refused.

mod addresses;
mod expressions;
mod measures;
mod names;
mod numbers;
mod rules;
mod schemas;

use serde_json::{Value, json};

use super::{compile, set, with};
use crate::Problem;

/// A pointer into the baseline, the value to put there, and the problems that it causes.
type Case<'a> = (&'a str, Value, &'a [&'a str]);

/// Checks all cases, and shows every difference.
fn refused(cases: &[Case<'_>]) {
    let mut wrong = Vec::new();
    for (pointer, value, expected) in cases {
        let manifest = with(pointer, value.clone());
        let problems = compile(manifest.clone()).map_or_else(|problems| problems.0, |_| Vec::new());
        let found: Vec<String> = problems.iter().map(|problem| shown(problem, &manifest)).collect();
        if found != *expected {
            wrong.push(format!("{pointer} {value}\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A problem in one line, with the part of the text that it points at.
fn shown(problem: &Problem, manifest: &Value) -> String {
    let Some(span) = problem.span.clone() else { return problem.to_string() };
    let pointer = problem.path.0.iter().map(|segment| match segment {
        crate::Segment::Key(key) => format!("/{key}"),
        crate::Segment::Index(index) => format!("/{index}"),
    });
    let text = manifest.pointer(&pointer.collect::<String>()).and_then(Value::as_str).expect("a span is in a text");
    format!("{problem} at «{}»", &text[span])
}

#[test]
fn all_problems_are_found_at_once_in_the_order_of_the_manifest() {
    let mut manifest = with("/metadata/name", json!("X"));
    for (pointer, value) in [
        ("/spec/source/eventTime", json!("even_time")),
        ("/spec/filter", json!("amount")),
        ("/spec/quality/rules/0/required/3", json!("amont")),
        ("/spec/quality/rules/6/expression", json!("plan_tier <>")),
        ("/spec/window/size", json!("7m")),
        ("/spec/measures/0/expression", json!("sum(region)")),
        ("/spec/workers/replicas", json!(9)),
    ] {
        set(&mut manifest, pointer, value);
    }
    let problems = compile(manifest).expect_err("eight mistakes").0;
    let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(
        paths,
        [
            "metadata.name",
            "spec.source.eventTime",
            "spec.filter",
            "spec.quality.rules[0].required[3]",
            "spec.quality.rules[6].expression",
            "spec.window.size",
            "spec.measures[0].expression",
            "spec.workers.replicas",
        ]
    );
}

#[test]
fn without_a_schema_the_rest_is_still_judged() {
    let mut manifest = with("/spec/source/schema/avro", json!("{"));
    set(&mut manifest, "/spec/filter", json!("region ="));
    set(&mut manifest, "/spec/measures/0/expression", json!("revenue"));
    let problems = compile(manifest).expect_err("three mistakes").0;
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["SL0201", "SL0301", "SL0306"]);
}

#[test]
fn places_are_bytes_on_any_line() {
    let expression = "region = 'é'\n  and regoin = 'ü'";
    let problems = compile(with("/spec/filter", json!(expression))).expect_err("a typing error").0;
    assert_eq!(problems[0].span.clone().map(|span| &expression[span]), Some("regoin"));
    let expression = "'é' = region + 'é'\n or 'é' =+* 1";
    let problems = compile(with("/spec/filter", json!(expression))).expect_err("no operand").0;
    assert_eq!(problems[0].code, "SL0301");
    assert_eq!(problems[0].span.clone().map(|span| &expression[span]), Some("*"));
}

#[test]
fn deep_expressions_are_refused_before_they_exhaust_the_stack() {
    let judge = |filter: String| compile(with("/spec/filter", json!(filter)));
    let chain = |terms: usize| format!("{} > 0", vec!["schema_version"; terms].join(" + "));
    let nested = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert!(judge(chain(60)).is_ok() && judge(nested(20)).is_ok());
    for deep in [chain(100), chain(190), chain(100_000), nested(1_000), nested(100_000)] {
        let problems = judge(deep).expect_err("too deep").0;
        let found: Vec<_> = problems.iter().map(|problem| (problem.code, problem.message.as_str())).collect();
        assert_eq!(found, [("SL0308", "the filter is nested too deeply")]);
    }
    assert!(judge("not ".repeat(190) + "true").is_err());
    let list: Vec<String> = (0..1_000).map(|value| value.to_string()).collect();
    assert!(judge(format!("schema_version in ({})", list.join(", "))).is_ok());
}

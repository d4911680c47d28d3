//! Compiled rules on records: true passes, false is a violation, null passes and counts as skipped.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, RecordBatch, StringArray, TimestampMillisecondArray};
use serde_json::{Value, json};

use super::{compile, with};
use crate::Plan;

/// Four records: a good one, one of mostly nulls, two with odd values.
fn records(plan: &Plan) -> RecordBatch {
    let text = |values: [Option<&str>; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let time = |values: [i64; 4]| {
        Arc::new(TimestampMillisecondArray::from(values.to_vec()).with_timezone("+00:00")) as ArrayRef
    };
    let columns = plan.arrow_schema.fields().iter().map(|field| match field.name().as_str() {
        "event_id" | "account_id" => text([Some("a"), Some("b"), Some("c"), Some("d")]),
        "event_time" => time([0, 0, 0, 1_000]),
        "ingest_time" => time([300_000, 300_001, 0, 0]),
        "plan_tier" => text([Some("free"), None, Some("gold"), Some("free")]),
        "region" => text([Some("us"), None, Some("moon"), Some("eu")]),
        "currency" => text([Some("USD"), None, Some("usd"), Some("EUR")]),
        "amount" => {
            let values = Decimal128Array::from(vec![Some(0), None, Some(-1), Some(1_250)]);
            Arc::new(values.with_precision_and_scale(12, 2).expect("fits")) as ArrayRef
        }
        other => panic!("no values for '{other}'"),
    });
    RecordBatch::try_new(Arc::clone(&plan.arrow_schema), columns.collect()).expect("columns fit the schema")
}

/// What a condition says about each record: passes, fails, skipped.
fn outcomes(plan: &Plan, expr: &dyn datafusion_physical_expr::PhysicalExpr) -> String {
    let batch = records(plan);
    let values = expr.evaluate(&batch).and_then(|v| v.into_array(batch.num_rows())).expect("expressions are total");
    let word = |value| match value {
        Some(true) => 'p',
        Some(false) => 'F',
        None => '-',
    };
    values.as_boolean().iter().map(word).collect()
}

fn judge(rule: Value) -> String {
    let shown = rule.to_string();
    let plan = compile(with("/spec/quality/rules/1", rule)).unwrap_or_else(|problems| panic!("{shown}: {problems}"));
    outcomes(&plan, plan.rules[1].check.rows().expect("it is about records").value.as_ref())
}

#[test]
fn the_quickstart_rules() {
    let plan = compile(super::manifest()).unwrap_or_else(|problems| panic!("{problems}"));
    let outcomes: Vec<(String, String)> = plan
        .rules
        .iter()
        .filter_map(|rule| Some((rule.name.clone(), outcomes(&plan, rule.check.rows()?.value.as_ref()))))
        .collect();
    let expected = [
        ("required", "pFpp"),
        ("plan-tier", "p-Fp"),
        ("region", "p-Fp"),
        ("currency", "p-Fp"),
        ("amount", "p-Fp"),
        ("free-is-free", "p-pF"),
    ];
    assert_eq!(outcomes, expected.map(|(name, outcome)| (name.to_owned(), outcome.to_owned())));
}

#[test]
fn every_kind_of_rule() {
    let cases = [
        (json!({"required": ["plan_tier", "region"]}), "pFpp"),
        (json!({"field": "amount", "oneOf": ["0.00", "12.5"]}), "p-Fp"),
        (json!({"field": "region", "oneOf": ["us"]}), "p-FF"),
        (json!({"field": "amount", "min": "-0.01", "max": 0}), "p-pF"),
        (json!({"field": "amount", "exclusiveMin": 0, "exclusiveMax": "12.51"}), "F-Fp"),
        (json!({"field": "event_time", "min": "1970-01-01T00:00:01Z"}), "FFFp"),
        (json!({"field": "region", "matches": "^[a-z]{2}$"}), "p-Fp"),
    ];
    for (mut rule, expected) in cases {
        rule["name"] = "r".into();
        assert_eq!(judge(rule.clone()), expected, "{rule}");
    }
}

#[test]
fn expressions_are_total_and_exact() {
    let cases = [
        ("amount = 12.5", "F-Fp"),
        ("amount > 12.499999", "F-Fp"),
        ("amount / 0 > 1", "----"),
        ("1 / amount < 1", "--pp"),
        ("10 % cast(amount as int) = 10", "---p"),
        ("cast(region as int) is null", "pppp"),
        ("cast(amount as double) = 12.5", "F-Fp"),
        ("cast(amount as double) > 12.49", "F-Fp"),
        ("cast(amount as double) / 0 is null", "pppp"),
        ("cast(amount as int) = 12", "F-Fp"),
        ("plan_tier in ('free', 'gold')", "p-pp"),
        ("region like '%s'", "p-FF"),
        ("region ~ '^m'", "F-pF"),
        ("coalesce(region, 'us') = 'us'", "ppFF"),
        ("region is not distinct from null", "FpFF"),
        ("amount between -0.01 and 0", "p-pF"),
        ("case when amount < 0 then false else true end", "ppFp"),
        ("event_time < '1970-01-01T00:00:01Z'", "pppF"),
        ("event_time < timestamp '1970-01-01 00:00:01'", "pppF"),
        ("ingest_time - event_time <= interval '5 minutes'", "pFpp"),
        ("date_trunc('minute', event_time) = event_time", "pppF"),
        ("extract(second from event_time) = 1", "FFFp"),
        ("length(region) + 1 > 3", "F-pF"),
        ("Upper(region) = 'US'", "p-FF"),
        ("not (plan_tier = 'gold')", "p-Fp"),
        ("split_part(region, 'o', 2) = ''", "p-pp"),
        ("round(amount) = 13", "F-Fp"),
    ];
    let mut wrong = Vec::new();
    for (expression, expected) in cases {
        let outcome = judge(json!({"name": "r", "expression": expression}));
        if outcome != expected {
            wrong.push(format!("{expression}: {outcome}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_filter_is_bound_to_the_decoded_columns() {
    let plan = compile(with("/spec/filter", "amount > 0 and region = 'eu'".into())).unwrap_or_else(|p| panic!("{p}"));
    let filter = plan.filter.as_ref().expect("the manifest has one");
    assert_eq!(outcomes(&plan, filter.value.as_ref()), "F-Fp");
}

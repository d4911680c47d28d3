//! Random manifests through the process that compiles them: each is answered, whatever it says.
//!
//! `PROPTEST_CASES` chooses how many.
#![allow(clippy::unwrap_used)]

use operator::compile::{Compiler, Limits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use schemas::spec::AnalyticsPipeline;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluice-operator");
const AVRO: &str = "/spec/source/schema/avro";

/// What is done to one value of a document.
#[derive(Debug, Clone)]
enum Edit {
    Put(Value),
    Remove,
    /// The value so many times, in a list or in its object under other names.
    Repeat(usize),
    /// The value inside of itself, so deep.
    Nest(usize),
}

fn example() -> Value {
    serde_saphyr::from_str(include_str!("../../examples/revenue-5m.yaml")).unwrap()
}

/// Expressions: well formed mostly, of any kind, small and large.
fn expression() -> impl Strategy<Value = String> {
    let fields = select(vec!["amount", "region", "event_time", "schema_version", "user_id", "nothing", "\"a b\""]);
    let literals =
        select(vec!["1", "-9223372036854775808", "1e308", "0.1", "'x'", "''", "null", "true", "interval '1' day"]);
    let leaf = prop_oneof![fields.prop_map(str::to_owned), literals.prop_map(str::to_owned)];
    let deeper = |inner: BoxedStrategy<String>| {
        let pair = (inner.clone(), inner.clone());
        let operator =
            select(vec!["+", "-", "*", "/", "%", "=", "<>", "<", "and", "or", "like", "||", "is distinct from"]);
        let function = select(vec![
            "abs",
            "replace",
            "repeat",
            "lpad",
            "upper",
            "coalesce",
            "nullif",
            "greatest",
            "date_trunc",
            "sum",
            "count",
            "avg",
            "substr",
            "concat",
            "regexp_like",
            "round",
            "power",
            "random",
            "now",
            "sqrt",
            "to_timestamp",
            "length",
        ]);
        prop_oneof![
            (pair.clone(), operator).prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (function, vec(inner.clone(), 0..4)).prop_map(|(name, of)| format!("{name}({})", of.join(", "))),
            (
                inner.clone(),
                select(vec!["bigint", "double", "decimal(38, 10)", "varchar", "timestamp", "date", "blob"])
            )
                .prop_map(|(of, kind)| format!("cast({of} as {kind})")),
            pair.prop_map(|(left, right)| format!("case when {left} then {right} end")),
            (inner.clone(), 1usize..64).prop_map(|(of, times)| format!(
                "{}{of}{}",
                "(".repeat(times),
                ")".repeat(times)
            )),
            (inner, 2usize..200).prop_map(|(of, times)| vec![of; times].join(" + ")),
        ]
        .boxed()
    };
    leaf.boxed().prop_recursive(4, 40, 4, deeper)
}

fn value() -> impl Strategy<Value = Value> {
    let texts =
        vec!["", "0", "-1", "1e999", "5m", "P1D", "\u{0}", "\u{202e}", "name", "long", "bytes", "array", "fixed", "R"];
    let schemas = vec![
        json!([]),
        json!(["null"]),
        json!([["null"]]),
        json!({"type": "array", "items": []}),
        json!({"type": "fixed", "name": "F", "size": 2_147_483_647}),
        json!({"type": "bytes", "logicalType": "decimal", "precision": 1_000, "scale": 999}),
        json!({"type": "enum", "name": "E", "symbols": []}),
        json!({"type": "record", "name": "SalesEvent", "fields": []}),
        json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}),
        json!({"type": "map", "values": "SalesEvent"}),
    ];
    prop_oneof![
        3 => expression().prop_map(Value::from),
        1 => select(texts).prop_map(Value::from),
        1 => select(vec![json!(0), json!(-1), json!(i64::MAX), json!(1e300), json!(null), json!(true), json!({}), json!([])]),
        2 => select(schemas),
        1 => (0usize..20_000).prop_map(|length| Value::from("x".repeat(length))),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => value().prop_map(Edit::Put),
        1 => Just(Edit::Remove),
        1 => (2usize..300).prop_map(Edit::Repeat),
        1 => (1usize..200).prop_map(Edit::Nest),
    ]
}

/// The pointers of all values below `value`.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in below {
        let at = format!("{at}/{key}");
        pointers(value, &at, all);
        all.push(at);
    }
}

fn apply(document: &mut Value, place: Index, edit: &Edit) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    if all.is_empty() {
        return;
    }
    let pointer = place.get(&all).clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let here = document.pointer(&pointer).unwrap().clone();
    let parent = document.pointer_mut(parent).unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (edit, parent) {
        (Edit::Put(value), parent) => {
            *parent.pointer_mut(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))).unwrap() = value.clone();
        }
        (Edit::Remove, Value::Object(fields)) => drop(fields.remove(&key)),
        (Edit::Remove, Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
        (Edit::Repeat(times), Value::Array(items)) => {
            let named = |number: usize| {
                let mut copy = here.clone();
                if let Some(name) = copy.get_mut("name") {
                    *name = json!(format!("n{number}"));
                }
                copy
            };
            items.extend((0..*times).map(named));
        }
        (Edit::Repeat(times), Value::Object(fields)) => drop(fields.insert(key, Value::Array(vec![here; *times]))),
        (Edit::Nest(times), parent) => {
            let nested = (0..*times).fold(here, |inner, level| match level % 2 {
                0 => json!({"type": "array", "items": inner}),
                _ => json!({"type": "map", "values": inner}),
            });
            *parent.pointer_mut(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))).unwrap() = nested;
        }
        _ => {}
    }
}

/// The example after edits of its schema, its expressions and all the rest.
fn manifest() -> impl Strategy<Value = Value> {
    let measures = vec((expression(), "[a-z]{1,3}"), 0..2);
    let rules = vec(expression(), 0..2);
    let edits = || prop_oneof![3 => Just(Vec::new()), 1 => vec((any::<Index>(), edit()), 1..4)];
    (measures, rules, edits(), edits()).prop_map(|(measures, rules, in_schema, anywhere)| {
        let mut manifest = example();
        let measures = measures.into_iter().map(|(expression, name)| json!({"name": name, "expression": expression}));
        manifest["spec"]["measures"].as_array_mut().unwrap().extend(measures);
        let rules =
            rules.iter().enumerate().map(|(n, expression)| json!({"name": format!("r{n}"), "expression": expression}));
        manifest["spec"]["quality"]["rules"].as_array_mut().unwrap().extend(rules);
        let mut schema: Value = serde_json::from_str(manifest.pointer(AVRO).unwrap().as_str().unwrap()).unwrap();
        for (place, edit) in &in_schema {
            apply(&mut schema, *place, edit);
        }
        *manifest.pointer_mut(AVRO).unwrap() = Value::from(schema.to_string());
        for (place, edit) in &anywhere {
            apply(&mut manifest, *place, edit);
        }
        manifest
    })
}

#[test]
fn every_manifest_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let compiler = Compiler::apart(PROGRAM.into(), Limits::default());
    let config = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { 100 };
    let tally = std::cell::RefCell::new([0; 4]);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..config });
    let ran = runner.run(&manifest(), |manifest| {
        let Ok(manifest) = serde_json::from_value::<AnalyticsPipeline>(manifest) else {
            tally.borrow_mut()[0] += 1;
            return Ok(());
        };
        let answer = runtime.block_on(compiler.compile(&manifest));
        let kind = match &answer {
            Ok(Ok(_)) => 1,
            Ok(Err(words)) if words.starts_with("compiling this manifest takes more") => 3,
            Ok(Err(words)) => {
                prop_assert!(!words.contains("a fault of its own"), "{}", words);
                2
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        tally.borrow_mut()[kind] += 1;
        Ok(())
    });
    let [shapeless, taken, refused, too_much] = *tally.borrow();
    println!(
        "{cases} manifests: {shapeless} of another shape, {taken} taken, {refused} refused, {too_much} took too much"
    );
    ran.unwrap();
    assert!(taken > 0 && refused > 0, "the manifests are too much alike");
}

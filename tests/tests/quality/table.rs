//! Every kind of rule against a record that passes, one that violates, one that is null, and a field of the wrong type.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use plan::Plan;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use tests::pipeline::{Way, rows, run_bounded};
use worker::registry::RegistryClient;

use crate::world::{PATIENCE, START, World};

const SCHEMA: &str = r#"{"type":"record","name":"SalesEvent","namespace":"sluice.sales","fields":[
  {"name":"event_id","type":"string"},
  {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"ingest_time","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null},
  {"name":"account","type":["null","string"],"default":null},
  {"name":"tier","type":["null","string"],"default":null},
  {"name":"code","type":["null","string"],"default":null},
  {"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null}]}"#;

/// Rule, the same with a field whose type does not fit, and the problem that follows.
fn cases() -> Vec<(Value, Value, &'static str)> {
    let rule = |name: &str, check: Value| {
        let mut rule = json!({"name": name, "onViolation": "Report"});
        if let (Some(rule), Value::Object(check)) = (rule.as_object_mut(), check) {
            rule.extend(check);
        }
        rule
    };
    let case = |name: &str, good: Value, wrong: Value, code| (rule(name, good), rule(name, wrong), code);
    vec![
        case("required", json!({"required": ["account"]}), json!({"required": ["acount"]}), "SL0203"),
        case(
            "one-of",
            json!({"field": "tier", "oneOf": ["free", "pro"]}),
            json!({"field": "amount", "oneOf": ["free"]}),
            "SL0403",
        ),
        case(
            "range",
            json!({"field": "amount", "min": "0.01", "exclusiveMax": "100"}),
            json!({"field": "tier", "min": "0"}),
            "SL0204",
        ),
        case(
            "matches",
            json!({"field": "code", "matches": "^[A-Z]{3}$"}),
            json!({"field": "amount", "matches": "^[A-Z]{3}$"}),
            "SL0204",
        ),
        case("max-latency", json!({"maxLatency": "5m"}), json!({"maxLatency": "5m", "field": "tier"}), "SL0402"),
        case(
            "expression",
            json!({"expression": "amount < 50 or tier = 'pro'"}),
            json!({"expression": "amount < tier"}),
            "SL0304",
        ),
        case("unique", json!({"unique": "event_id"}), json!({"unique": "tier"}), "SL0402"),
        case("volume", json!({"volume": {"minPercent": 50}}), json!({"volume": {"minPercent": 150}}), "SL0502"),
    ]
}

/// Id, latency, account, tier, code, cents.
type Row = (&'static str, Option<i64>, Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<i64>);

/// One that passes all, one that breaks all, one that is null where it may be, and the first again.
const ROWS: [Row; 4] = [
    ("a", Some(1_000), Some("x"), Some("pro"), Some("ABC"), Some(9_999)),
    ("b", Some(600_000), None, Some("gold"), Some("abc"), Some(10_000)),
    ("c", None, None, None, None, None),
    ("a", Some(1_000), Some("x"), Some("pro"), Some("ABC"), Some(9_999)),
];

fn framed(schema: &Schema, id: u32, row: Row) -> Result<Vec<u8>> {
    let (event, latency, account, tier, code, cents) = row;
    let union = |value: Option<Avro>| match value {
        None => Avro::Union(0, Box::new(Avro::Null)),
        Some(value) => Avro::Union(1, Box::new(value)),
    };
    let text = |text: Option<&str>| union(text.map(|text| Avro::String(text.to_owned())));
    let money = cents.map(|cents| Avro::Decimal(Decimal::from(cents.to_be_bytes())));
    let record = Avro::Record(vec![
        ("event_id".to_owned(), Avro::String(event.to_owned())),
        ("event_time".to_owned(), Avro::TimestampMillis(START)),
        ("ingest_time".to_owned(), union(latency.map(|latency| Avro::TimestampMillis(START + latency)))),
        ("account".to_owned(), text(account)),
        ("tier".to_owned(), text(tier)),
        ("code".to_owned(), text(code)),
        ("amount".to_owned(), union(money)),
    ]);
    let mut framed = vec![0];
    framed.extend(id.to_be_bytes());
    framed.extend(GenericDatumWriter::builder(schema).build()?.write_value_to_vec(record)?);
    Ok(framed)
}

fn changes(rules: Vec<Value>) -> Vec<(&'static str, Value)> {
    vec![
        ("/spec/source/schema/avro", SCHEMA.into()),
        ("/spec/source/schema/subject", "table-value".into()),
        (
            "/spec/source/topic",
            json!({"name": "table", "partitions": 1, "config": {"message.timestamp.type": "CreateTime"}}),
        ),
        ("/spec/quality/rules", rules.into()),
        ("/spec/quality/samples", json!({"redact": ["code"]})),
        ("/spec/groupBy", json!([])),
    ]
}

/// Per rule: evaluated, violations, skipped.
pub fn counts(metrics: &[arrow::array::RecordBatch]) -> BTreeMap<String, [i64; 3]> {
    let mut found = BTreeMap::new();
    for batch in metrics {
        let column = |name: &str| batch.column_by_name(name).expect("a report has the documented columns");
        let names = column("rule").as_string::<i32>();
        let numbers = ["evaluated", "violations", "skipped"].map(|name| column(name).as_primitive::<Int64Type>());
        for row in (0..batch.num_rows()).filter(|row| names.is_valid(*row)) {
            let counts: &mut [i64; 3] = found.entry(names.value(row).to_owned()).or_default();
            counts.iter_mut().zip(&numbers).for_each(|(sum, number)| *sum += number.value(row));
        }
    }
    found
}

/// Per rule, offset, field and value of its samples.
fn samples(batches: &[arrow::array::RecordBatch]) -> Vec<String> {
    let mut found = Vec::new();
    for batch in batches {
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).expect("samples have the documented columns").as_string::<i32>();
            if column.is_valid(row) { column.value(row).to_owned() } else { "null".to_owned() }
        };
        let offsets = batch.column_by_name("offset").expect("samples have an offset").as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let [rule, id, field, value] = ["rule", "event_id", "field", "value"].map(|name| text(name, row));
            found.push(format!("{rule} {} {id}: {field} is {value}", offsets.value(row)));
        }
    }
    found
}

#[test]
fn every_kind_of_rule_passes_violates_skips_and_refuses_what_does_not_fit() -> Result<()> {
    let world = World::start()?;
    let data = world.path("data");
    let cases = cases();
    let plan = world.plan(&data, &changes(cases.iter().map(|(rule, ..)| rule.clone()).collect()))?;
    let id = RegistryClient::new(&plan.registry_url).ensure_subject(&plan.source.subject, SCHEMA)?;
    let schema = Schema::parse_str(SCHEMA)?;
    let mut client = rdkafka::ClientConfig::new();
    let producer: BaseProducer = client.set("bootstrap.servers", &plan.kafka.bootstrap).create()?;
    for row in ROWS {
        let value = framed(&schema, id, row)?;
        let record = BaseRecord::<[u8], [u8]>::to("table").payload(&value).partition(0).timestamp(START + 60_000);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    let way = Way { group: "table".to_owned(), workers: 1, lanes: 1, fetch_records: 100 };
    run_bounded(&plan, &way, PATIENCE)?;

    let found = counts(&rows(&data.join("dq/revenue-5m/metrics"))?);
    eprintln!("{:12} {:>9} {:>10} {:>7}  wrong type", "rule", "evaluated", "violations", "skipped");
    for (rule, wrong, code) in &cases {
        let name = rule["name"].as_str().context("a rule has a name")?;
        let [evaluated, violations, skipped] = found[name];
        let expected = match name {
            "required" => [4, 2, 0],
            "unique" => [4, 1, 0],
            // The only batch has none before it; see `volume.rs` for those that have.
            "volume" => [0, 0, 1],
            _ => [3, 1, 1],
        };
        let manifest = world.manifest(&data, &changes(vec![wrong.clone()]))?;
        let problems = Plan::compile(&manifest).map(drop).expect_err("the wrong type is refused");
        eprintln!("{name:12} {evaluated:9} {violations:10} {skipped:7}  {problems}");
        assert_eq!([evaluated, violations, skipped], expected, "{name}");
        assert!(problems.0.iter().any(|problem| problem.code == *code), "{name}: {problems}");
    }
    let mut found = samples(&rows(&data.join("dq/revenue-5m/samples"))?);
    found.sort();
    let expected = [
        "expression 1 b: tier, amount is tier=gold, amount=100.00",
        "matches 1 b: code is (redacted)",
        "max-latency 1 b: event_time, ingest_time is event_time=2026-11-23T06:00:00Z, ingest_time=2026-11-23T06:10:00Z",
        "one-of 1 b: tier is gold",
        "range 1 b: amount is 100.00",
        "required 1 b: account is null",
        "required 2 c: account is null",
        "unique 3 a: event_id is a",
    ];
    assert_eq!(found, expected);
    Ok(())
}

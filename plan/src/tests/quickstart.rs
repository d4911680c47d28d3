//! What the quickstart manifest compiles to.

use arrow_schema::{DataType, TimeUnit};

use super::{compile, quickstart, with};
use crate::{Aggregate, PartitionKey, Plan, RuleCheck, TimePlan};

fn plan() -> Plan {
    Plan::compile(&quickstart()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn names_and_numbers() {
    let plan = plan();
    assert_eq!((plan.name.as_str(), plan.revision, plan.suspend), ("revenue-5m", 1, false));
    assert_eq!((plan.source.topic.as_str(), plan.source.partitions), ("sales.events.v1", 3));
    assert_eq!(plan.dead_letter_topic, "sales.events.dlq.v1");
    assert_eq!((plan.partials_topic.as_str(), plan.partials_partitions), ("revenue-5m.partials.v1", 1));
    assert_eq!((plan.delay_ms, plan.idle_after_ms, plan.max_future_skew_ms), (600_000, 60_000, 300_000));
    assert_eq!((plan.window.size_ms, plan.window.offset_ms), (300_000, 0));
    assert_eq!((plan.batch.interval_ms, plan.batch.max_records, plan.batch.samples_per_rule), (60_000, 1_000_000, 10));
    let thresholds = plan.thresholds;
    assert_eq!((thresholds.span_ms, thresholds.min_records, thresholds.ignore_before_ms), (900_000, 1000, None));
    assert_eq!((thresholds.overall.warning, thresholds.overall.critical), (Some(10_000), Some(100_000)));
    assert_eq!((plan.rules[2].threshold.warning, plan.rules[2].threshold.critical), (Some(10_000), Some(50_000)));
    assert_eq!(plan.sink.folder, "/data");
    assert_eq!(plan.sink.partition_by, [PartitionKey::Date]);
    let log_append = ("message.timestamp.type".to_owned(), "LogAppendTime".to_owned());
    assert!(plan.topics.iter().all(|topic| topic.managed && topic.config == [log_append.clone()]));
}

#[test]
fn only_used_fields_are_decoded() {
    let plan = plan();
    let names: Vec<&str> = plan.arrow_schema.fields().iter().map(|field| field.name().as_str()).collect();
    let used = ["event_id", "event_time", "ingest_time", "account_id", "plan_tier", "region", "currency", "amount"];
    assert_eq!(names, used);
    let millis = TimePlan::Timestamp(TimeUnit::Millisecond);
    assert_eq!((plan.event_id, plan.event_time, plan.ingest_time), (0, (1, millis), Some((2, millis))));
    assert_eq!(plan.earliest_ms, 315_532_800_000);
    let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    assert_eq!(*plan.arrow_schema.field(1).data_type(), millis);
    assert_eq!(*plan.arrow_schema.field(7).data_type(), DataType::Decimal128(12, 2));
    assert!(!plan.reader_schema.contains("user_id") && plan.full_schema.contains("user_id"));
}

#[test]
fn a_type_that_an_unused_field_defines_is_kept_where_it_is_used() {
    let color = r#"{"type":"record","name":"R","fields":[
        {"name":"event_id","type":"string"},
        {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"first","type":{"type":"enum","name":"Color","symbols":["red","blue"]}},
        {"name":"second","type":["null","Color"],"default":null},
        {"name":"third","type":"string"}]}"#;
    let mut manifest = with("/spec/source/schema/avro", color.into());
    for (pointer, value) in [
        ("/spec/source/ingestTime", serde_json::Value::Null),
        ("/spec/quality/rules", serde_json::json!([{"name": "blue", "field": "second", "oneOf": ["blue"]}])),
        ("/spec/groupBy", serde_json::json!(["second"])),
        ("/spec/measures", serde_json::json!([{"name": "n", "expression": "count(*)"}])),
    ] {
        super::set(&mut manifest, pointer, value);
    }
    let plan = compile(manifest).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<&str> = plan.arrow_schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["event_id", "event_time", "second"]);
    assert_eq!((plan.groups[0].column, &plan.groups[0].data_type), (2, &DataType::Utf8));
    assert!(plan.reader_schema.contains(r#""symbols":["red","blue"]"#), "{}", plan.reader_schema);
}

#[test]
fn fields_of_every_shape_can_be_spoken_of() {
    let shapes = r#"{"type":"record","name":"R","fields":[
        {"name":"event_id","type":"string"},
        {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"tags","type":{"type":"array","items":"string"}},
        {"name":"counts","type":{"type":"map","values":["null","double"]}},
        {"name":"mac","type":{"type":"fixed","name":"Mac","size":6}},
        {"name":"place","type":["null",{"type":"record","name":"Place","fields":[{"name":"x","type":"float"}]}]}]}"#;
    let mut manifest = with("/spec/source/schema/avro", shapes.into());
    let there = "tags is not null and counts is not null and mac is not null and place is not null";
    for (pointer, value) in [
        ("/spec/source/ingestTime", serde_json::Value::Null),
        ("/spec/quality/rules", serde_json::json!([{"name": "there", "expression": there}])),
        ("/spec/groupBy", serde_json::json!([])),
        ("/spec/measures", serde_json::json!([{"name": "n", "expression": "count(*)"}])),
    ] {
        super::set(&mut manifest, pointer, value);
    }
    let plan = compile(manifest).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<&str> = plan.arrow_schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["event_id", "event_time", "tags", "counts", "mac", "place"]);
}

#[test]
fn groups_and_measures_are_typed() {
    let plan = plan();
    let groups: Vec<_> =
        plan.groups.iter().map(|group| (group.name.as_str(), group.column, &group.data_type)).collect();
    assert_eq!(groups, [("region", 5, &DataType::Utf8), ("plan_tier", 4, &DataType::Utf8)]);
    let revenue = &plan.measures[0];
    assert_eq!(revenue.function, Aggregate::Sum);
    assert_eq!(revenue.argument_type, Some(DataType::Decimal128(12, 2)));
    assert_eq!(revenue.output_type, DataType::Decimal128(38, 2));
    let count = &plan.measures[1];
    assert_eq!(
        (count.function, &count.output_type, count.argument.is_none()),
        (Aggregate::CountAll, &DataType::Int64, true)
    );
}

#[test]
fn output_types_of_measures() {
    let double = || Some(DataType::Float64);
    let cases = [
        ("sum(schema_version)", None, Some(DataType::Int64), DataType::Int64),
        ("sum(cast(amount as double))", None, double(), DataType::Float64),
        ("avg(cast(amount as float))", None, double(), DataType::Float64),
        ("sum(cast(amount as double))", Some(2), double(), DataType::Decimal128(38, 2)),
        ("avg(cast(amount as double))", Some(0), double(), DataType::Decimal128(38, 0)),
        ("avg(amount)", None, Some(DataType::Decimal128(12, 2)), DataType::Decimal128(38, 6)),
        ("avg(schema_version)", None, Some(DataType::Int64), DataType::Decimal128(38, 4)),
        ("count(user_id)", None, Some(DataType::Utf8), DataType::Int64),
        ("min(schema_version)", None, Some(DataType::Int32), DataType::Int32),
        ("MAX(upper(region)) filter (where amount > 10)", None, Some(DataType::Utf8), DataType::Utf8),
        ("sum(amount * 1.2)", None, Some(DataType::Decimal128(14, 3)), DataType::Decimal128(38, 3)),
    ];
    for (expression, scale, argument_type, output_type) in cases {
        let mut manifest = with("/spec/measures/0/expression", expression.into());
        if let Some(scale) = scale {
            super::set(&mut manifest, "/spec/measures/0/scale", scale.into());
        }
        let plan = compile(manifest).unwrap_or_else(|problems| panic!("{expression}: {problems}"));
        let measure = &plan.measures[0];
        assert_eq!((&measure.argument_type, &measure.output_type), (&argument_type, &output_type), "{expression}");
    }
}

/// Literals take the column's type at compile time: no cast of a column is left for run time.
#[test]
fn the_checks_that_run() {
    let plan = plan();
    let checks: Vec<String> =
        plan.rules.iter().filter_map(|rule| rule.check.rows()).map(|check| check.value.to_string()).collect();
    assert_eq!(
        checks,
        [
            "And(And(And(IsNull { negated: true }(event_id@0), IsNull { negated: true }(event_time@1)), IsNull { negated: true }(account_id@3)), IsNull { negated: true }(amount@7))",
            "In(plan_tier@4, \"free\":Utf8, \"starter\":Utf8, \"pro\":Utf8, \"enterprise\":Utf8)",
            "In(region@5, \"us\":Utf8, \"eu\":Utf8, \"apac\":Utf8, \"latam\":Utf8)",
            "In(currency@6, \"USD\":Utf8, \"EUR\":Utf8, \"GBP\":Utf8)",
            "Compare(GreaterOrEqual)(amount@7, \"0.00\":Decimal128(12, 2))",
            "Or(Compare(NotEqual)(plan_tier@4, \"free\":Utf8), Compare(Equal)(amount@7, \"0.00\":Decimal128(12, 2)))",
        ]
    );
    assert!(matches!(plan.rules[5].check, RuleCheck::Latency(300_000)));
}

#[test]
fn rules_explain_themselves() {
    let plan = plan();
    let expected: Vec<&str> = plan.rules.iter().map(|rule| rule.expected.as_str()).collect();
    assert_eq!(
        expected,
        [
            "not null: 'event_id', 'event_time', 'account_id', 'amount'",
            "one of 'free', 'starter', 'pro', 'enterprise'",
            "one of 'us', 'eu', 'apac', 'latam'",
            "one of 'USD', 'EUR', 'GBP'",
            "at least 0",
            "ingested within 5m of the event",
            "plan_tier <> 'free' or amount = 0",
        ]
    );
    assert_eq!(plan.rules[0].columns, [0, 1, 3, 7]);
    assert_eq!((plan.rules[1].field.as_deref(), plan.rules[6].field.as_deref()), (Some("plan_tier"), None));
}

#[test]
fn a_fingerprint_is_the_meaning_of_a_rule() {
    let of = |pointer: &str, value: serde_json::Value| {
        let plan = compile(with(pointer, value)).unwrap_or_else(|problems| panic!("{problems}"));
        plan.rules[6].fingerprint.clone()
    };
    let baseline = plan().rules[6].fingerprint.clone();
    assert_eq!(baseline.len(), 32);
    assert_eq!(of("/spec/quality/rules/6/name", "renamed".into()), baseline);
    assert_eq!(of("/spec/quality/rules/6/expression", "plan_tier <> 'free'  OR amount = 0".into()), baseline);
    assert_ne!(of("/spec/quality/rules/6/expression", "plan_tier <> 'free' or amount = 1".into()), baseline);
}

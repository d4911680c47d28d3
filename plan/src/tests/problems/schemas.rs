//! The Avro schema, and the fields with a meaning of their own.

use serde_json::{Value, json};

use super::super::{compile, set, with};
use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn schemas() {
    refused(&[
        (
            "/spec/source/schema/avro",
            Value::Null,
            &[
                "SL0105 spec.source.schema: the schema is missing (allowed is exactly one of 'avro' and 'configMapKeyRef')",
            ],
        ),
        (
            "/spec/source/schema/configMapKeyRef",
            json!({"name": "c", "key": "k"}),
            &[
                "SL0105 spec.source.schema.configMapKeyRef: the schema is given twice (allowed is exactly one of 'avro' and 'configMapKeyRef')",
            ],
        ),
        (
            "/spec/source/schema",
            json!({"subject": "s", "configMapKeyRef": {"name": "c", "key": "k"}}),
            &[
                "SL0105 spec.source.schema.configMapKeyRef: the schema is in the ConfigMap 'c', which cannot be read here (allowed outside a cluster is 'avro')",
            ],
        ),
        (
            "/spec/source/schema/subject",
            json!(" "),
            &[
                "SL0102 spec.source.schema.subject: the subject is empty (allowed is a subject of the registry, for example '<topic>-value')",
            ],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record","#),
            &["SL0201 spec.source.schema.avro: the Avro schema is not JSON: EOF while parsing a value at «,»"],
        ),
        (
            "/spec/source/schema/avro",
            json!("{\n  \"type\" \"record\"}"),
            &["SL0201 spec.source.schema.avro: the Avro schema is not JSON: expected `:` at «\"»"],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#""string""#),
            &[
                "SL0201 spec.source.schema.avro: the Avro schema is not a record (allowed is a record, one field per value, or a list of types whose last record it is)",
            ],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type":"record","name":"R"}"#),
            &["SL0201 spec.source.schema.avro: the Avro schema cannot be read: record 'R' lacks 'fields'"],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record", "name": "R", "fields": [{"name": "event_id", "type": "strng"}]}"#),
            &[
                "SL0201 spec.source.schema.avro: the Avro schema uses type 'strng', which is not defined before its use (did you mean 'string'?)",
            ],
        ),
        (
            "/spec/source/schema/avro",
            json!(
                r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#
            ),
            &["SL0201 spec.source.schema.avro: the Avro schema cannot be read: record 'R' has two fields 'a'"],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record", "name": "R", "fields": [{"name": "item", "type": "example.model.Item"}]}"#),
            &[
                "SL0201 spec.source.schema.avro: the Avro schema uses type 'example.model.Item', which is not defined before its use (allowed is one text with everything in it: put the definition where the type is used first, or make the schema a list, with the definition before the record)",
            ],
        ),
        (
            "/spec/source/eventId",
            json!("id"),
            &[
                "SL0203 spec.source.eventId: the schema has no field 'id' (allowed are 'event_id', 'event_type', 'event_time', 'ingest_time', 'schema_version', 'account_id', 'user_id', 'plan_tier', 'region', 'currency', 'amount')",
            ],
        ),
        (
            "/spec/source/eventId",
            json!("event_idd"),
            &["SL0203 spec.source.eventId: the schema has no field 'event_idd' (did you mean 'event_id'?)"],
        ),
        (
            "/spec/source/eventId",
            json!("user_id"),
            &[
                "SL0205 spec.source.eventId: field 'user_id' may be null, and then identifies nothing (allowed with a rule that dead-letters, for example '{name: required, required: [user_id]}')",
            ],
        ),
        (
            "/spec/source/eventId",
            json!("amount"),
            &[
                "SL0204 spec.source.eventId: field 'amount', a decimal(12, 2), cannot identify an event (allowed are string, bytes, fixed, uuid, int and long)",
            ],
        ),
        (
            "/spec/source/eventTime",
            json!("amount"),
            &[
                "SL0204 spec.source.eventTime: field 'amount', a decimal(12, 2), cannot be the event time (allowed are timestamp-millis, -micros and -nanos, a long or int with its unit, and a string in ISO 8601)",
            ],
        ),
        (
            "/spec/source/eventTime",
            json!("cast(event_time as timestamp)"),
            &[
                "SL0203 spec.source.eventTime: the schema has no field 'cast(event_time as timestamp)' (allowed is the name of a field; a string is read as a UTC time, for example '2026-11-23T10:15:00Z')",
            ],
        ),
        (
            "/spec/source/eventTimeUnit",
            json!("s"),
            &[
                "SL0204 spec.source.eventTimeUnit: field 'event_time', a timestamp in milliseconds, says its unit itself (allowed is no 'eventTimeUnit')",
            ],
        ),
        (
            "/spec/source/earliestEventTime",
            json!("2026-02-30"),
            &[
                "SL0502 spec.source.earliestEventTime: '2026-02-30' is not a time from which on events can be counted (allowed is a date from 1600-01-01 on, or a UTC time such as '2026-11-23T10:15:00Z')",
            ],
        ),
        (
            "/spec/source/earliestEventTime",
            json!("0001-01-01"),
            &[
                "SL0502 spec.source.earliestEventTime: '0001-01-01' is not a time from which on events can be counted (allowed is a date from 1600-01-01 on, or a UTC time such as '2026-11-23T10:15:00Z')",
            ],
        ),
        (
            "/spec/source/eventTime",
            json!("evnt_time"),
            &["SL0203 spec.source.eventTime: the schema has no field 'evnt_time' (did you mean 'event_time'?)"],
        ),
        (
            "/spec/source/ingestTime",
            json!("schema_version"),
            &[
                "SL0204 spec.source.ingestTime: field 'schema_version', an int, is too small for the ingest time in anything but seconds (allowed with 'ingestTimeUnit: s')",
            ],
        ),
        (
            "/spec/source/ingestTime",
            Value::Null,
            &[
                "SL0402 spec.quality.rules[5].maxLatency: the source has no 'ingestTime' to compare with (name the field that holds it in 'spec.source.ingestTime')",
            ],
        ),
        (
            "/spec/groupBy/0",
            json!("country"),
            &[
                "SL0203 spec.groupBy[0]: the schema has no field 'country' (allowed are 'event_id', 'event_type', 'event_time', 'ingest_time', 'schema_version', 'account_id', 'user_id', 'plan_tier', 'region', 'currency', 'amount')",
            ],
        ),
        (
            "/spec/groupBy/0",
            json!("plan_teir"),
            &["SL0203 spec.groupBy[0]: the schema has no field 'plan_teir' (did you mean 'plan_tier'?)"],
        ),
    ]);
}

/// The problems of the example with one more field in its schema, which a rule uses or not.
fn with_field(field: &str, used: bool) -> String {
    let mut manifest = with("/spec/quality/rules/0/required/-", json!(if used { "f" } else { "amount" }));
    let schema = manifest["spec"]["source"]["schema"]["avro"].as_str().expect("a schema");
    let schema = schema.trim_end().strip_suffix("]\n}").or_else(|| schema.trim_end().strip_suffix("]}"));
    let schema = format!("{}, {field}]}}", schema.expect("its fields come last").trim_end());
    set(&mut manifest, "/spec/source/schema/avro", json!(schema));
    compile(manifest).map_or_else(|problems| problems.to_string(), |_| String::new())
}

/// Such a field matters only where it is used.
#[test]
fn fields_that_cannot_be_read() {
    let itself = "type 'sluice.sales.N' contains itself, which no column can hold";
    let doubling = (1..20).fold(r#"{"type": "record", "name": "T0", "fields": []}"#.to_owned(), |kind, level| {
        format!(r#"{{"type": "record", "name": "T{level}", "fields": [{{"name": "a", "type": {kind}}}, {{"name": "b", "type": "T{}"}}]}}"#, level - 1)
    });
    for (field, why) in [
        (
            r#"{"name": "f", "type": {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}}"#,
            itself,
        ),
        (r#"{"name": "f", "type": []}"#, "it has a union without branches"),
        (
            r#"{"name": "f", "type": {"type": "fixed", "name": "F", "size": 2147483647}}"#,
            "it has a fixed of 2147483647 bytes, allowed are 1048576",
        ),
        (&format!(r#"{{"name": "f", "type": {doubling}}}"#), "it has more than 4096 types when it is written out"),
    ] {
        let found = with_field(field, true);
        assert!(found.starts_with("SL0202 spec.quality.rules[0].required"), "{found}");
        assert!(found.contains(&format!("field 'f' cannot be read: {why} (allowed are 'event_id', ")), "{found}");
        assert_eq!(with_field(field, false), "");
    }
    let wrong = r#"{"name": "f", "type": "int", "default": "x"}"#;
    assert_eq!(with_field(wrong, false), "");
    let found = with_field(wrong, true);
    assert!(
        found.starts_with(
            "SL0202 spec.source.schema.avro: the Avro schema cannot be decoded: `default`'s value type of field `f`"
        ),
        "{found}"
    );
}

/// As other programs write schemas: with comments, and as a list of types of which the last record is meant.
#[test]
fn schemas_with_comments_and_lists_of_types() {
    let manifest = with("/spec/source/schema/subject", json!("s"));
    let schema = manifest["spec"]["source"]["schema"]["avro"].as_str().expect("a schema");
    let plain = compile(manifest.clone()).expect("the example is sound");
    for written in [
        format!("// sales\n{schema} /* and no more */"),
        format!(r#"[{{"type": "enum", "name": "Tier", "symbols": ["free"]}}, {schema}]"#),
    ] {
        let found = compile(with("/spec/source/schema/avro", json!(written))).expect("it is taken");
        assert_eq!(found.reader_schema, plain.reader_schema);
        assert!(serde_json::from_str::<Value>(&found.full_schema).is_ok_and(|json| json["type"] == "record"));
    }
}

/// arrow-avro takes such a schema and then decodes no record of it (tried with 58.4).
#[test]
fn nothing_but_null_inside_a_value_that_is_used() {
    let mut wrong = Vec::new();
    for (kind, place) in [
        (
            r#"{"type": "record", "name": "I", "fields": [{"name": "n", "type": "null"}, {"name": "x", "type": "int"}]}"#,
            Some("f.n"),
        ),
        (r#"["null", {"type": "record", "name": "I", "fields": [{"name": "n", "type": "null"}]}]"#, Some("f.n")),
        (r#"{"type": "array", "items": "null"}"#, Some("f[]")),
        (r#"{"type": "map", "values": {"type": "array", "items": "null"}}"#, Some("f{}[]")),
        (r#"["int", {"type": "array", "items": "null"}]"#, Some("f[]")),
        (r#"{"type": "map", "values": "null"}"#, Some("f{}")),
        (r#"{"type": "array", "items": ["null", "int"]}"#, None),
        (r#"{"type": "record", "name": "I", "fields": [{"name": "n", "type": ["null", "int", "string"]}]}"#, None),
    ] {
        let mut manifest = with("/spec/quality/rules/0/required/-", json!("f"));
        let schema = manifest["spec"]["source"]["schema"]["avro"].as_str().expect("a schema");
        let schema = schema.trim_end().strip_suffix("]\n}").or_else(|| schema.trim_end().strip_suffix("]}"));
        let schema =
            format!("{}, {{\"name\": \"f\", \"type\": {kind}}}]}}", schema.expect("its fields come last").trim_end());
        set(&mut manifest, "/spec/source/schema/avro", json!(schema));
        let found = compile(manifest.clone()).map_or_else(|problems| problems.to_string(), |_| String::new());
        let expected = place.map_or(String::new(), |place| {
            format!(
                "SL0202 spec.source.schema.avro: the Avro schema cannot be decoded: '{place}' can be nothing but null; \
                 allowed is null beside another type, for example [\"null\", \"string\"]"
            )
        });
        // What is not used is not decoded.
        set(&mut manifest, "/spec/quality/rules/0/required", json!(["amount"]));
        let unused = compile(manifest).map_or_else(|problems| problems.to_string(), |_| String::new());
        if (found.trim_end(), unused.as_str()) != (expected.as_str(), "") {
            wrong.push(format!("{kind}\n  found    {found}\n  expected {expected}\n  unused   {unused}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

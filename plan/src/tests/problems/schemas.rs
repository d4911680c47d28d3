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
                "SL0201 spec.source.schema.avro: the Avro schema is not a record (allowed is a record, one field per value)",
            ],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type":"record","name":"R"}"#),
            &["SL0201 spec.source.schema.avro: the Avro schema cannot be read: no `fields` in record"],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record", "name": "R", "fields": [{"name": "event_id", "type": "strng"}]}"#),
            &["SL0201 spec.source.schema.avro: the Avro schema cannot be read: unknown primitive type: strng"],
        ),
        (
            "/spec/source/schema/avro",
            json!(
                r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#
            ),
            &["SL0201 spec.source.schema.avro: the Avro schema cannot be read: duplicate field name a"],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]}"#),
            &[
                "SL0201 spec.source.schema.avro: the Avro schema cannot be read: `default`'s value type of field `a` in `R` must be a `\"int\"`. Got: String(\"x\")",
            ],
        ),
        (
            "/spec/source/schema/avro",
            json!(r#"{"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}"#),
            &["SL0202 spec.source.schema.avro: the Avro schema cannot be decoded: Parser error: Failed to resolve .R"],
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
            json!("region"),
            &[
                "SL0204 spec.source.eventTime: field 'region', a string, cannot be the event time (allowed are timestamp-millis and long (milliseconds since 1970 UTC))",
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
                "SL0204 spec.source.ingestTime: field 'schema_version', an int, cannot be the ingest time (allowed are timestamp-millis and long (milliseconds since 1970 UTC))",
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

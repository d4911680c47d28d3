//! Which fields can be times, in which unit, and from when on.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::Schema;
use arrow_schema::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
use datafusion_physical_expr::PhysicalExpr;
use serde_json::{Value, json};

use super::{compile, manifest, set};
use crate::TimePlan::{self, Plain, Text, Timestamp};

/// The smallest manifest over an event with an id and `time`, which is of this type and counts `unit`.
fn timed(time: &Value, unit: &Value) -> Value {
    let avro = json!({"type": "record", "name": "Event", "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_time", "type": time},
    ]});
    let mut manifest = manifest();
    set(&mut manifest, "/spec/source/schema/avro", json!(avro.to_string()));
    set(&mut manifest, "/spec/source/ingestTime", Value::Null);
    set(&mut manifest, "/spec/source/eventTimeUnit", unit.clone());
    set(&mut manifest, "/spec/quality", Value::Null);
    set(&mut manifest, "/spec/groupBy", Value::Null);
    set(&mut manifest, "/spec/measures", json!([{"name": "n", "expression": "count(*)"}]));
    manifest
}

fn logical(of: &str, name: &str) -> Value {
    json!({"type": of, "logicalType": name})
}

#[test]
fn a_time_is_a_timestamp_a_number_with_its_unit_or_text() {
    let cases: [(Value, Value, TimePlan); 12] = [
        (logical("long", "timestamp-millis"), Value::Null, Timestamp(Millisecond)),
        (logical("long", "timestamp-micros"), Value::Null, Timestamp(Microsecond)),
        (logical("long", "timestamp-nanos"), Value::Null, Timestamp(Nanosecond)),
        (json!(["null", logical("long", "timestamp-micros")]), Value::Null, Timestamp(Microsecond)),
        (json!("long"), Value::Null, Plain(Millisecond)),
        (json!("long"), json!("s"), Plain(Second)),
        (json!("long"), json!("us"), Plain(Microsecond)),
        (json!(["null", "long"]), json!("ns"), Plain(Nanosecond)),
        (json!("int"), json!("s"), Plain(Second)),
        (json!("string"), Value::Null, Text),
        (json!(["null", "string"]), Value::Null, Text),
        (logical("string", "timestamp-micros"), Value::Null, Text),
    ];
    for (time, unit, written) in cases {
        let plan = compile(timed(&time, &unit)).unwrap_or_else(|problems| panic!("{time} {unit}: {problems}"));
        assert_eq!(plan.event_time, (1, written), "{time} {unit}");
    }
}

/// A reader shows years 1 to 9999; what lies outside would make its whole file unreadable.
#[test]
fn times_that_no_calendar_has_are_no_value_in_tables() {
    let first = -62_135_596_800_000_000;
    let end = 253_402_300_800_000_000;
    let mut manifest = timed(&logical("long", "timestamp-millis"), &Value::Null);
    let avro = json!({"type": "record", "name": "Event", "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_time", "type": logical("long", "timestamp-millis")},
        {"name": "us", "type": logical("long", "timestamp-micros")},
    ]});
    set(&mut manifest, "/spec/source/schema/avro", json!(avro.to_string()));
    set(&mut manifest, "/spec/groupBy", json!(["us"]));
    set(&mut manifest, "/spec/measures", json!([{"name": "late", "expression": "max(us)"}]));
    let plan = compile(manifest).unwrap_or_else(|problems| panic!("{problems}"));
    let us = TimestampMicrosecondArray::from(vec![i64::MIN, first - 1, first, end - 1, end, i64::MAX]);
    let columns = plan.arrow_schema.fields().iter().map(|field| match field.name().as_str() {
        "us" => Arc::new(us.clone().with_data_type(field.data_type().clone())) as ArrayRef,
        _ => arrow::array::new_null_array(field.data_type(), 6),
    });
    let nullable = plan.arrow_schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let nullable = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
    let rows = RecordBatch::try_new(nullable, columns.collect()).expect("columns of the schema");
    let group = &plan.groups[0].expr;
    let argument = plan.measures[0].argument.as_ref().expect("max has one");
    for computed in [group, argument] {
        let of = |expr: &dyn PhysicalExpr| expr.evaluate(&rows).and_then(|v| v.into_array(6)).expect("it is total");
        let known: Vec<bool> = (0..6).map(|row| of(computed.value.as_ref()).is_valid(row)).collect();
        assert_eq!(known, [false, false, true, true, false, false]);
        let told = of(computed.no_value.as_ref().expect("it can have no value").as_ref());
        let told: Vec<bool> = told.as_boolean().iter().map(|row| row == Some(true)).collect();
        assert_eq!(told, [true, true, false, false, true, true]);
    }
}

#[test]
fn what_is_no_instant_is_refused_with_what_to_do() {
    let allowed =
        "allowed are timestamp-millis, -micros and -nanos, a long or int with its unit, and a string in ISO 8601";
    let cases = [
        (
            logical("long", "local-timestamp-millis"),
            Value::Null,
            format!("spec.source.eventTime: field 'event_time' is a local time, which says no instant without a zone ({allowed})"),
        ),
        (
            logical("int", "date"),
            Value::Null,
            format!("spec.source.eventTime: field 'event_time', a date, cannot be the event time ({allowed})"),
        ),
        (
            json!("double"),
            Value::Null,
            format!("spec.source.eventTime: field 'event_time', a double, cannot be the event time ({allowed})"),
        ),
        (
            json!("int"),
            Value::Null,
            "spec.source.eventTime: field 'event_time', an int, is too small for the event time in anything but seconds \
             (allowed with 'eventTimeUnit: s')"
                .to_owned(),
        ),
        (
            json!("string"),
            json!("ms"),
            "spec.source.eventTimeUnit: field 'event_time', a string, counts nothing (a string is read as a UTC time, for \
             example '2026-11-23T10:15:00Z')"
                .to_owned(),
        ),
    ];
    for (time, unit, says) in cases {
        let problems = compile(timed(&time, &unit)).expect_err("it is no instant");
        let said: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        assert_eq!(said, [format!("SL0204 {says}")], "{time} {unit}");
    }
}

#[test]
fn the_earliest_time_is_a_date_or_a_time() {
    for (text, millis) in [
        ("1980-01-01", 315_532_800_000),
        ("1600-01-01", -11_676_096_000_000),
        ("2026-11-23T10:15:00Z", 1_795_428_900_000),
    ] {
        let mut manifest = manifest();
        set(&mut manifest, "/spec/source/earliestEventTime", json!(text));
        let plan = compile(manifest).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        assert_eq!(plan.earliest_ms, millis, "{text}");
    }
}

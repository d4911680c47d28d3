//! Schemas as strangers write them.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn record(fields: &Value) -> String {
    json!({"type": "record", "name": "R", "namespace": "n", "fields": fields}).to_string()
}

fn field_types(text: &str) -> Vec<Type> {
    let schema = Schema::parse(text).unwrap();
    schema.record().unwrap().iter().map(|field| schema.get(field.of).clone()).collect()
}

#[test]
fn a_type_that_contains_itself_is_read_and_shared() {
    let text = record(&json!([
        {"name": "id", "type": "string"},
        {"name": "next", "type": ["null", "R"]},
        {"name": "tree", "type": {"type": "record", "name": "T", "fields": [{"name": "of", "type": {"type": "map", "values": "n.T"}}]}},
        {"name": "again", "type": "T"},
    ]));
    let schema = Schema::parse(&text).unwrap();
    let fields = schema.record().unwrap();
    assert_eq!(fields[2].of, fields[3].of);
    let whole = schema.expand(schema.root(), &mut Expansion::default());
    assert_eq!(whole.unwrap_err().to_string(), "type 'n.R' contains itself, which no column can hold");
    assert!(schema.expand(fields[0].of, &mut Expansion::default()).is_ok());
    // The text is a schema again, and the same.
    let again = schema.text(|_| true).unwrap();
    assert_eq!(Schema::parse(&again).unwrap().text(|_| true).unwrap(), again);
}

#[test]
fn logical_types_that_make_no_sense_are_left_out() {
    let types = field_types(&record(&json!([
        {"name": "a", "type": {"type": "bytes", "logicalType": "decimal", "precision": 0}},
        {"name": "b", "type": {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 4}},
        {"name": "c", "type": {"type": "fixed", "name": "D", "size": 8, "logicalType": "duration"}},
        {"name": "d", "type": {"type": "long", "logicalType": "time-millis"}},
        {"name": "e", "type": {"type": "string", "logicalType": "timestamp-micros"}},
        {"name": "f", "type": {"type": "fixed", "name": "M", "size": 2, "logicalType": "decimal", "precision": 5}},
        {"name": "g", "type": {"type": "bytes", "logicalType": "decimal", "precision": 100}},
        {"name": "h", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ])));
    let found: Vec<_> = types.iter().map(|of| of.logical).collect();
    let valid = [Some(Logical::Decimal { precision: 100, scale: 0 }), Some(Logical::Time("timestamp-micros"))];
    assert_eq!(found, [[None; 6].as_slice(), &valid].concat());
}

/// Each level holds the one before twice: ten lines that would be a thousand types, and forty that would be a million million.
fn doubling(levels: usize) -> String {
    let mut fields =
        vec![json!({"name": "f0", "type": {"type": "record", "name": "T0", "fields": [{"name": "x", "type": "int"}]}})];
    for level in 1..levels {
        let below = format!("T{}", level - 1);
        let two = [json!({"name": "a", "type": below}), json!({"name": "b", "type": below})];
        fields.push(json!({"name": format!("f{level}"), "type": {"type": "record", "name": format!("T{level}"), "fields": two}}));
    }
    record(&Value::Array(fields))
}

#[test]
fn a_small_schema_that_would_be_huge_is_kept_small_and_refused_where_it_is_read() {
    let text = doubling(40);
    assert!(text.len() < 8_000);
    let schema = Schema::parse(&text).unwrap();
    assert!(schema.types().len() < 100);
    let last = schema.record().unwrap().last().unwrap().of;
    assert_eq!(schema.expand(last, &mut Expansion::default()).unwrap_err(), Unreadable::TooMany);
    let short = Schema::parse(&doubling(10)).unwrap();
    let last = short.record().unwrap().last().unwrap().of;
    assert!(short.expand(last, &mut Expansion::default()).is_ok());
}

#[test]
fn a_long_type_that_many_places_name_is_refused_where_it_is_read() {
    let symbols: Vec<_> = (0..10_000).map(|n| format!("S{n}")).collect();
    let long = json!({"type": "enum", "name": "E", "symbols": symbols});
    for (places, why) in [(2, None), (60, Some(Unreadable::TooLong))] {
        let branches: Vec<_> = std::iter::once(long.clone()).chain((1..places).map(|_| json!("E"))).collect();
        let schema = Schema::parse(&record(&json!([{"name": "f", "type": branches}]))).unwrap();
        assert_eq!(schema.expand(schema.root(), &mut Expansion::default()).err(), why);
    }
}

#[test]
fn a_chain_of_four_thousand_types_needs_no_deep_stack() {
    let mut fields = vec![json!({"name": "f0", "type": {"type": "record", "name": "T0", "fields": []}})];
    for level in 1..4_000 {
        let below = json!([{"name": "a", "type": format!("T{}", level - 1)}]);
        fields.push(json!({"name": format!("f{level}"), "type": {"type": "record", "name": format!("T{level}"), "fields": below}}));
    }
    let schema = Schema::parse(&record(&Value::Array(fields))).unwrap();
    let last = schema.record().unwrap().last().unwrap().of;
    assert_eq!(schema.expand(last, &mut Expansion::default()).unwrap_err(), Unreadable::TooDeep);
}

#[test]
fn what_is_beyond_the_bounds_is_refused_before_it_is_built() {
    let deep = format!("{}\"int\"{}", "[".repeat(5_000), "]".repeat(5_000));
    let refused = Schema::parse(&deep).unwrap_err().to_string();
    assert_eq!(refused, "the schema nests 5000 objects and lists, allowed are 256");
    let long = format!("\"int\"{}", " ".repeat(MAX_BYTES));
    assert!(Schema::parse(&long).unwrap_err().to_string().contains("allowed are 1048576"));
    let many: Vec<_> = (0..=MAX_PARTS).map(|n| format!("S{n}")).collect();
    let many = json!({"type": "enum", "name": "E", "symbols": many}).to_string();
    assert!(matches!(Schema::parse(&many), Err(SchemaError::TooLarge { .. })));
    for (kind, why) in [
        (json!([]), Unreadable::NoBranches),
        (json!({"type": "fixed", "name": "F", "size": 2_147_483_647}), Unreadable::TooWide(2_147_483_647)),
    ] {
        let schema = Schema::parse(&record(&json!([{"name": "f", "type": kind}]))).unwrap();
        assert_eq!(schema.expand(schema.root(), &mut Expansion::default()).unwrap_err(), why);
    }
}

#[test]
fn fifty_records_inside_each_other_are_read() {
    let mut deep = json!("int");
    for level in 0..50 {
        deep = json!({"type": "record", "name": format!("L{level}"), "fields": [{"name": "n", "type": deep}]});
    }
    let schema = Schema::parse(&record(&json!([{"name": "deep", "type": deep}]))).unwrap();
    assert_eq!(schema.types().len(), 52);
}

#[test]
fn comments_are_blank_and_texts_are_not() {
    let text = "// one \"\n{\"type\": /* two // */ \"record\", \"name\": \"R\", \"doc\": \"// \\\" /* kept\", \"fields\": [] }";
    assert_eq!(field_types(text).len(), 0);
    assert!(Schema::parse(text).unwrap().text(|_| true).unwrap().contains(r#""doc":"// \" /* kept""#));
    assert!(matches!(Schema::parse("/* never ends {"), Err(SchemaError::ReadJson { .. })));
}

#[test]
fn types_of_other_schemas_and_of_a_list_are_found_by_name() {
    let item = r#"{"type": "record", "name": "m.Item", "fields": [{"name": "of", "type": ["null", "Item"]}]}"#;
    let order = r#"{"type": "record", "name": "m.Order", "fields": [{"name": "item", "type": "Item"}]}"#;
    assert!(matches!(Schema::parse(order), Err(SchemaError::Undefined { name }) if name == "m.Item"));
    let text = Schema::parse_all(&[item], order).unwrap().text(|_| true).unwrap();
    assert!(Schema::parse(&text).unwrap().record().unwrap()[0].name.as_ref() == "item");
    let list = Schema::parse(&format!("[{item}, {order}]")).unwrap().last_record();
    assert_eq!(list.text(|_| true).unwrap(), text);
    assert!(Schema::parse_all(&[item, item], order).unwrap_err().to_string().contains("defined twice"));
}

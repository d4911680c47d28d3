//! Writers with fields of every kind that the reader does not take.
#![allow(clippy::unwrap_used)]

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::{Value, json};

use crate::decode::samples::{arrow_of, raw};
use crate::decode::{Decoded, Decoder, LogClock, WriterSchema};

/// Types that no column can hold, that the specification says to take as something else, or that are only unusual; each with a value.
fn odd() -> Vec<(&'static str, Value, Vec<u8>)> {
    let node = json!({"type": "record", "name": "Node", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]});
    let tree = json!({"type": "record", "name": "Tree", "fields": [{"name": "of", "type": {"type": "map", "values": {"type": "array", "items": "Tree"}}}]});
    let decimal = |precision: u32, scale: u32| json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale});
    let fixed = |size: u64, logical: &str| json!({"type": "fixed", "name": "F", "size": size, "logicalType": logical});
    vec![
        ("recursive", json!(["null", node]), vec![2, 2, 2, 4, 0]),
        ("recursive through lists", tree, vec![2, 2, b'k', 2, 0, 0, 0]),
        ("decimal of 100 digits", decimal(100, 0), [&[84][..], &[1; 42]].concat()),
        ("decimal of no digits", decimal(0, 0), vec![2, 1]),
        ("decimal with more behind the point than at all", decimal(2, 4), vec![2, 1]),
        ("duration of another size", fixed(8, "duration"), vec![0; 8]),
        ("uuid of another size", fixed(3, "uuid"), vec![0; 3]),
        (
            "fixed decimal that does not fit",
            json!({"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 9}),
            vec![7],
        ),
        ("a text that is no uuid", json!({"type": "string", "logicalType": "uuid"}), vec![2, b'x']),
        ("a time of another type", json!({"type": "long", "logicalType": "time-millis"}), vec![2]),
        ("nothing", json!("null"), vec![]),
        ("list of nothing", json!({"type": "array", "items": "null"}), vec![4, 0]),
        ("no fields", json!({"type": "record", "name": "E", "fields": []}), vec![]),
        ("no bytes", json!({"type": "fixed", "name": "Z", "size": 0}), vec![]),
        ("list of a union without branches", json!({"type": "array", "items": []}), vec![0]),
        (
            "list of a huge fixed",
            json!({"type": "array", "items": {"type": "fixed", "name": "H", "size": 2_147_483_648_u64}}),
            vec![0],
        ),
        (
            "union of two records",
            json!([{"type": "record", "name": "A", "fields": []}, {"type": "record", "name": "B", "fields": [{"name": "x", "type": "int"}]}]),
            vec![2, 6],
        ),
        ("default of another type", json!({"type": "enum", "name": "En", "symbols": ["A"], "default": "Q"}), vec![0]),
        ("error", json!({"type": "error", "name": "Er", "fields": [{"name": "m", "type": "string"}]}), vec![2, b'x']),
        (
            "attributes that are no texts",
            json!({"type": "int", "doc": 5, "aliases": {"a": 1}, "logicalType": 7}),
            vec![2],
        ),
    ]
}

fn decode(writer: &Value, reader: &Value, bodies: &[Vec<u8>]) -> Decoded {
    let (writer, reader) = (writer.to_string(), reader.to_string());
    let known = move |_: u32| Ok(WriterSchema::Avro(writer.as_str().into()));
    let records: Vec<_> = bodies.iter().map(|body| raw(0, [&[0, 0, 0, 0, 1], &body[..]].concat())).collect();
    Decoder::new(known, &reader, arrow_of(&reader)).decode(&records, &mut LogClock::default()).unwrap()
}

fn record(fields: &[Value]) -> Value {
    json!({"type": "record", "name": "R", "namespace": "n", "fields": fields})
}

#[test]
fn what_is_not_read_may_be_of_any_kind() {
    let id = json!({"name": "id", "type": "long"});
    let amount = json!({"name": "amount", "type": "double"});
    for (what, kind, bytes) in odd() {
        let odd = json!({"name": "odd", "type": kind, "default": {"no": "default"}});
        let body = [&[14][..], &bytes, &1.5f64.to_le_bytes()].concat();
        let writer = record(&[id.clone(), odd, amount.clone()]);
        let found = decode(&writer, &record(&[amount.clone(), id.clone()]), &[body.clone(), body]);
        assert_eq!(found.undecodable, [], "{what}");
        assert_eq!(found.batch.column(0).as_primitive::<Float64Type>().value(1).to_bits(), 1.5f64.to_bits(), "{what}");
    }
}

/// A kind that holds others, what it makes of one, and its bytes before and behind.
type Holder = (&'static str, fn(Value) -> Value, Vec<u8>, Vec<u8>);

/// The same inside of what is read: in a record, a list, a map, and as a branch that the reader does not have.
#[test]
fn what_is_not_read_of_a_value_may_be_of_any_kind() {
    for (what, kind, bytes) in odd() {
        let inner = |fields: &[Value]| json!({"type": "record", "name": "In", "fields": fields});
        let (x, odd) = (json!({"name": "x", "type": "long"}), json!({"name": "odd", "type": kind}));
        let holders: [Holder; 4] = [
            ("record", |of| of, vec![], vec![]),
            ("list", |of| json!({"type": "array", "items": of}), vec![1, 2 * (bytes.len() as u8 + 1)], vec![0]),
            ("map", |of| json!({"type": "map", "values": of}), vec![2, 2, b'k'], vec![0]),
            ("union", |of| json!(["null", of]), vec![2], vec![]),
        ];
        for (held, holds, before, after) in holders {
            let outer = |fields: &[Value]| record(&[json!({"name": "f", "type": holds(inner(fields))}), x.clone()]);
            let body = [&before[..], &bytes, &[16], &after, &[18]].concat();
            let found =
                decode(&outer(&[odd.clone(), x.clone()]), &outer(std::slice::from_ref(&x)), &[body.clone(), body]);
            assert_eq!(found.undecodable, [], "{what} in a {held}");
            let column = found.batch.column(0);
            let fields = match held {
                "list" => column.as_list::<i32>().values().clone(),
                "map" => column.as_map().values().clone(),
                _ => column.clone(),
            };
            assert_eq!(
                fields.as_struct().column(0).as_primitive::<Int64Type>().values(),
                &[8, 8],
                "{what} in a {held}"
            );
            assert_eq!(found.batch.column(1).as_primitive::<Int64Type>().values(), &[9, 9], "{what} in a {held}");
        }
    }
}

#[test]
fn a_branch_that_the_reader_lacks_matters_only_where_it_is_taken() {
    let node = json!({"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]});
    let writer =
        record(&[json!({"name": "f", "type": ["null", "string", node, {"type": "array", "items": "n.Node"}]})]);
    let reader = record(&[json!({"name": "f", "type": ["null", "long", "string"]})]);
    let found =
        decode(&writer, &reader, &[vec![0], vec![2, 2, b'a'], vec![4, 2, 0], vec![6, 2, 0, 0], vec![2, 2, b'b']]);
    let bad: Vec<_> = found.undecodable.iter().map(|bad| (bad.index, bad.reason.code())).collect();
    assert_eq!(bad, [(2, "unresolvable"), (3, "unresolvable")]);
    let column = found.batch.column(0).as_union();
    assert_eq!(column.type_ids(), &[0, 2, 2]);
    let texts: Vec<_> = column.child(2).as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("a"), Some("b")]);
}

#[test]
fn a_union_that_is_read_is_read_in_every_fetch() {
    let kind = json!({"type": "array", "items": ["long", "string"]});
    let schema =
        record(&[json!({"name": "f", "type": ["null", "long", "string"]}), json!({"name": "g", "type": kind})]);
    let text = schema.to_string();
    let known = move |_: u32| Ok(WriterSchema::Avro(text.as_str().into()));
    let mut decoder = Decoder::new(known, &schema.to_string(), arrow_of(&schema.to_string()));
    let bodies = [vec![2, 8, 2, 0, 6, 0], vec![4, 2, b'a', 4, 2, 2, b'b', 0, 2, 0], vec![0, 0]];
    let records = bodies.map(|body| raw(0, [&[0, 0, 0, 0, 1], &body[..]].concat()));
    for _ in 0..3 {
        let found = decoder.decode(&records, &mut LogClock::default()).unwrap();
        assert_eq!(found.undecodable, []);
        let column = found.batch.column(0).as_union();
        assert_eq!((&column.type_ids()[..], column.value(0).as_primitive::<Int64Type>().value(0)), (&[1, 2, 0][..], 4));
    }
}

#[test]
fn a_reader_that_wants_what_has_no_end_is_told() {
    let node = json!({"type": "record", "name": "Node", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}]});
    let reader = record(&[json!({"name": "f", "type": node})]).to_string();
    let known = |_: u32| Ok(WriterSchema::Avro(r#"{"type":"record","name":"n.R","fields":[]}"#.into()));
    let mut decoder = Decoder::new(known, &reader, arrow::datatypes::Schema::empty().into());
    let found = decoder.decode(&[raw(0, vec![0, 0, 0, 0, 1])], &mut LogClock::default()).unwrap();
    let words = "writer schema 1 does not resolve to the reader schema: type 'n.Node' contains itself, which no column can hold";
    assert_eq!(found.undecodable[0].reason.to_string(), words);
    // The first two links alone have an end, whatever the writer's type has.
    let two = json!({"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", {
        "type": "record", "name": "Last", "aliases": ["Node"], "fields": [{"name": "v", "type": "int"}]}]}]});
    let found = decode(
        &record(&[json!({"name": "f", "type": node})]),
        &record(&[json!({"name": "f", "type": two})]),
        &[vec![2, 2, 4, 2, 6, 0]],
    );
    assert_eq!(found.undecodable, []);
    let last = found.batch.column(0).as_struct().column(0).as_struct().column(0).clone();
    assert_eq!(last.as_primitive::<arrow::datatypes::Int32Type>().values(), &[2]);
}

//! Whole fetches: poison is isolated, writers mix, and the cutting does not matter.
#![allow(clippy::unwrap_used, clippy::similar_names)]

use std::cell::Cell;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Int32Type, TimestampMillisecondType};
use proptest::prelude::*;

use super::super::RegistryUnreachable;
use super::*;
use crate::decode::samples::{Raw, Sale, arrow_of, body, framed, raw, sale};
use crate::decode::samples::{SALES_V1, SALES_V2};

/// The allocator of the binaries: it decides a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An id that the test registry cannot be asked for.
const AWAY: u32 = 0xA5A5_5A5A;

/// Knows v1 as 1, v2 as 2, a schema of something else as 3.
fn registry(id: u32) -> Result<WriterSchema, RegistryUnreachable> {
    Ok(match id {
        1 => WriterSchema::Avro(SALES_V1.into()),
        2 => WriterSchema::Avro(SALES_V2.into()),
        3 => WriterSchema::Avro(
            r#"{"type":"record","name":"SalesEvent","namespace":"sluice.sales","fields":[{"name":"event_id","type":"string"}]}"#.into(),
        ),
        4 => WriterSchema::Unusable("schema type 'PROTOBUF' is not supported, expected AVRO".into()),
        AWAY => return Err(RegistryUnreachable { message: "connection refused".to_owned() }),
        _ => WriterSchema::Unknown,
    })
}

type Registry = fn(u32) -> Result<WriterSchema, RegistryUnreachable>;

fn decoder() -> Decoder<Registry> {
    Decoder::new(registry, SALES_V1, arrow_of(SALES_V1))
}

fn decode(records: &[Raw]) -> Decoded {
    decoder().decode(records, &mut LogClock::default()).unwrap()
}

fn reasons(decoded: &Decoded) -> Vec<(usize, &'static str)> {
    decoded.undecodable.iter().map(|u| (u.index, u.reason.code())).collect()
}

#[test]
fn a_sale_becomes_a_row_with_every_field() {
    let full = sale(1);
    let bare = Sale { user: None, plan: None, region: None, currency: None, cents: None, ..sale(2) };
    let decoded = decode(&[raw(10, framed(1, &full)), raw(11, framed(1, &bare))]);
    let batch = &decoded.batch;
    assert_eq!(batch.schema(), arrow_of(SALES_V1));
    assert_eq!(decoded.offsets, [10, 11]);
    assert_eq!(batch.column(0).as_string::<i32>().value(0), full.id);
    assert_eq!(batch.column(2).as_primitive::<TimestampMillisecondType>().value(1), bare.time);
    assert_eq!(batch.column(4).as_primitive::<Int32Type>().value(0), 1);
    assert_eq!(batch.column(8).as_string::<i32>().value(0), full.region.unwrap());
    let amount = batch.column(10).as_primitive::<Decimal128Type>();
    assert_eq!(amount.value(0), full.cents.unwrap());
    assert_eq!(amount.precision(), 12);
    for column in 6..11 {
        assert!(batch.column(column).is_valid(0) && batch.column(column).is_null(1), "{column}");
    }
}

#[test]
fn each_kind_of_poison_has_its_reason_and_message() {
    let good = framed(1, &sale(0));
    let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        Some(bytes)
    };
    let id_len = sale(0).id.len();
    let cases: [(Option<Vec<u8>>, &str, String); 13] = [
        (None, "null-value", "the value is null".into()),
        (Some(vec![]), "too-short", "the schema prefix has 0 bytes, expected byte 0 and a 4-byte schema id".into()),
        (Some(vec![0, 0, 0, 1]), "too-short", "the schema prefix has 4 bytes, expected byte 0 and a 4-byte schema id".into()),
        (
            edited(&|b| b[0] = b'{'),
            "bad-magic",
            "the value begins with byte 123, expected 0 and a 4-byte schema id, or the header '__value_schema_id'".into(),
        ),
        (edited(&|b| b[3] = 7), "unknown-schema", "the registry has no schema with id 1793".into()),
        (edited(&|b| b[4] = 4), "unresolvable", "writer schema 4 does not resolve to the reader schema: schema type 'PROTOBUF' is not supported, expected AVRO".into()),
        (edited(&|b| b.truncate(5)), "malformed", "field 'event_id': the number does not end within 64 bits or the value".into()),
        (edited(&|b| b.truncate(9)), "malformed", format!("field 'event_id': needs {id_len} bytes, 3 are left")),
        (edited(&|b| b.truncate(b.len() - 1)), "malformed", "field 'amount': needs 2 bytes, 1 are left".into()),
        (edited(&|b| b.splice(5..6, [0xFE, 0xFF, 0xFF, 0xFF, 0x0F]).for_each(drop)), "malformed",
            format!("field 'event_id': needs 2147483647 bytes, {} are left", good.len() - 6)),
        (edited(&|b| b[5] = 1), "malformed", "field 'event_id': the length is negative (-1)".into()),
        (edited(&|b| b[6] = 0xFF), "malformed", "field 'event_id': the string is not UTF-8".into()),
        (edited(&|b| b.extend([0, 0, 0])), "trailing-bytes", "3 bytes follow the end of the record".into()),
    ];
    for (payload, code, message) in cases {
        let bad = Raw { payload, ..raw(1, vec![]) };
        let decoded = decode(&[raw(0, good.clone()), bad.clone(), raw(2, good.clone())]);
        let undecodable = &decoded.undecodable[0];
        assert_eq!((undecodable.reason.code(), undecodable.reason.to_string()), (code, message), "{:?}", bad.payload);
        assert_eq!((undecodable.index, undecodable.offset), (1, 1));
        assert_eq!(decoded.offsets, [0, 2]);
        assert_eq!(decoded.batch, decode(&[raw(0, good.clone()), raw(2, good.clone())]).batch);
    }
}

#[test]
fn a_schema_that_lacks_a_required_field_is_unresolvable() {
    let decoded = decode(&[raw(0, framed(3, &sale(0)))]);
    assert_eq!(reasons(&decoded), [(0, "unresolvable")]);
    let message = decoded.undecodable[0].reason.to_string();
    assert!(message.contains("event_type"), "{message}");
}

#[test]
fn valid_bad_valid_valid_at_every_truncation() {
    let good: Vec<_> = (0..3).map(|i| framed(1, &sale(i))).collect();
    let alone = decode(&[raw(0, good[0].clone()), raw(2, good[1].clone()), raw(3, good[2].clone())]);
    let mut decoder = decoder();
    for len in 0..good[0].len() {
        let fetch = [
            raw(0, good[0].clone()),
            raw(1, good[0][..len].to_vec()),
            raw(2, good[1].clone()),
            raw(3, good[2].clone()),
        ];
        let decoded = decoder.decode(&fetch, &mut LogClock::default()).unwrap();
        assert_eq!(decoded.batch, alone.batch, "cut at {len}");
        assert_eq!(decoded.offsets, [0, 2, 3]);
        assert_eq!(decoded.undecodable.len(), 1);
        assert_eq!(decoded.fetch_index(1), 2);
    }
}

#[test]
fn writer_schemas_mix_in_one_batch_in_order() {
    let fetch: Vec<_> = (0..100).map(|i| raw(i, framed(if i % 3 == 0 { 2 } else { 1 }, &sale(i)))).collect();
    let mixed = decode(&fetch);
    let plain: Vec<_> = (0..100).map(|i| raw(i, framed(1, &sale(i)))).collect();
    assert!(mixed.undecodable.is_empty());
    assert_eq!(mixed.batch, decode(&plain).batch);
    assert_eq!(mixed.offsets, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_header_names_the_schema_of_a_bare_body() {
    let bare = |header: &[u8]| Raw { header: Some(header.to_vec()), ..raw(0, body(1, &sale(5))) };
    let by_id = decode(&[bare(&[0, 0, 0, 0, 1])]);
    assert_eq!(by_id.batch, decode(&[raw(0, framed(1, &sale(5)))]).batch);
    let mut guid = vec![1];
    guid.extend(0..16);
    let cases: [(&[u8], &str); 4] =
        [(&guid, "unknown-schema"), (&[0, 1], "too-short"), (&[], "too-short"), (&[7; 5], "bad-magic")];
    for (header, code) in cases {
        assert_eq!(reasons(&decode(&[bare(header)])), [(0, code)], "{header:?}");
    }
    let message = decode(&[bare(&guid)]).undecodable[0].reason.to_string();
    assert_eq!(message, "the registry has no schema with guid 00010203-0405-0607-0809-0a0b0c0d0e0f");
}

#[test]
fn an_unreachable_registry_takes_nothing_and_the_fetch_can_be_decoded_again() {
    let away = Cell::new(true);
    let sometimes = |id| match id {
        2 if away.get() => registry(AWAY),
        id => registry(id),
    };
    let mut decoder = Decoder::new(sometimes, SALES_V1, arrow_of(SALES_V1));
    let fetch = [raw(0, framed(1, &sale(0))), raw(1, framed(2, &sale(1))), raw(2, framed(1, &sale(2)))];
    let mut clock = LogClock::resume(5);
    let error = decoder.decode(&fetch, &mut clock).unwrap_err();
    assert_eq!(error.to_string(), "schema 2 could not be asked for: connection refused");
    assert_eq!(clock, LogClock::resume(5));
    away.set(false);
    let decoded = decoder.decode(&fetch, &mut clock).unwrap();
    assert_eq!(decoded.offsets, [0, 1, 2]);
    assert_eq!(decoded.batch, decode(&fetch).batch);
    assert_eq!(clock.newest_ms(), fetch[2].ms);
}

#[test]
fn an_unknown_id_is_asked_for_again_with_the_next_fetch() {
    let registered = Cell::new(false);
    let later = |id| if registered.get() { registry(1) } else { registry(id + 100) };
    let mut decoder = Decoder::new(later, SALES_V1, arrow_of(SALES_V1));
    let fetch = [raw(0, framed(1, &sale(0)))];
    let mut clock = LogClock::default();
    assert_eq!(reasons(&decoder.decode(&fetch, &mut clock).unwrap()), [(0, "unknown-schema")]);
    registered.set(true);
    assert!(decoder.decode(&fetch, &mut clock).unwrap().undecodable.is_empty());
}

#[test]
fn a_record_that_only_resolution_refuses_is_isolated() {
    let schema = |symbols: &str| {
        format!(
            r#"{{"type":"record","name":"E","fields":[{{"name":"k","type":{{"type":"enum","name":"K","symbols":[{symbols}]}}}},{{"name":"t","type":"string"}}]}}"#
        )
    };
    let (writer, reader) = (schema(r#""A","B","C""#), schema(r#""C","A""#));
    let known = |_: u32| Ok(WriterSchema::Avro(writer.as_str().into()));
    let mut decoder = Decoder::new(known, &reader, arrow_of(&reader));
    let fetch: Vec<_> = (0..9).map(|i| raw(i, vec![0, 0, 0, 0, 1, (i % 3 * 2) as u8, 2, b'x'])).collect();
    for _ in 0..2 {
        let decoded = decoder.decode(&fetch, &mut LogClock::default()).unwrap();
        assert_eq!(decoded.offsets, [0, 2, 3, 5, 6, 8]);
        assert_eq!(reasons(&decoded), [(1, "unresolvable"), (4, "unresolvable"), (7, "unresolvable")]);
        assert_eq!(decoded.batch.num_rows(), 6);
    }
}

const MILLIS: &str = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
const MICROS: &str = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
const DECIMAL_4_2: &str = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;

/// Writer type, body, reader type, and the row's value as text, or `-` when it does not resolve.
const RESOLUTIONS: [(&str, &[u8], &str, &str); 31] = [
    (r#""int""#, &[9], r#""long""#, "-5"),
    (r#""int""#, &[8], r#""double""#, "4.0"),
    (r#""long""#, &[8], r#""float""#, "4.0"),
    (r#""float""#, &[0, 0, 0x80, 0x3F], r#""double""#, "1.0"),
    (r#""bytes""#, &[2, b'x'], r#""string""#, "x"),
    (r#""string""#, &[2, b'x'], r#""bytes""#, "78"),
    (r#""long""#, &[8], r#""int""#, "-"),
    (r#""string""#, &[2, b'x'], r#"["null","string"]"#, "x"),
    (r#"["null","string"]"#, &[2, 2, b'x'], r#""string""#, "x"),
    (r#"["null","string"]"#, &[0], r#""string""#, "-"),
    (r#"["string","null"]"#, &[0, 2, b'x'], r#"["null","string"]"#, "x"),
    (r#"["string","null"]"#, &[2], r#"["null","string"]"#, ""),
    (r#"["null","string"]"#, &[0], r#"["string","null"]"#, ""),
    (r#"["null","string"]"#, &[2, 2, b'x'], r#"["string","null"]"#, "x"),
    (r#"["null","int"]"#, &[2, 8], r#"["null","long"]"#, "4"),
    (r#"["null","int"]"#, &[0], r#"["null","long"]"#, ""),
    (r#"["int","null"]"#, &[0, 8], r#"["null","long"]"#, "4"),
    // Avro would take this one; arrow-avro makes it a union column, so it is refused as a whole.
    (r#"["null","int","string"]"#, &[4, 2, b'x'], r#"["null","string"]"#, "-"),
    (MICROS, &[0], MILLIS, "-"),
    (r#""long""#, &[0], MILLIS, "1970-01-01T00:00:00Z"),
    (r#""bytes""#, &[2, 1], DECIMAL_4_2, "-"),
    (
        r#"["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":1}]"#,
        &[2, 2, 1],
        r#"["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}]"#,
        "-",
    ),
    (r#"{"type":"bytes","logicalType":"decimal","precision":3,"scale":2}"#, &[2, 1], DECIMAL_4_2, "0.01"),
    (r#"{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}"#, &[2, 1], DECIMAL_4_2, "-"),
    (DECIMAL_4_2, &[2, 0xFF], DECIMAL_4_2, "-0.01"),
    (
        r#"{"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4,"scale":2}"#,
        &[1, 0],
        r#"{"type":"fixed","name":"D","size":2,"logicalType":"decimal","precision":4,"scale":2}"#,
        "2.56",
    ),
    (r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":1}"#, &[2, 1], DECIMAL_4_2, "-"),
    (
        r#"{"type":"enum","name":"K","symbols":["A","B"]}"#,
        &[2],
        r#"{"type":"enum","name":"K","symbols":["B","C"]}"#,
        "B",
    ),
    (
        r#"{"type":"enum","name":"K","symbols":["A","B"]}"#,
        &[0],
        r#"{"type":"enum","name":"K","symbols":["B","C"],"default":"C"}"#,
        "C",
    ),
    (
        r#"{"type":"string","logicalType":"uuid"}"#,
        &[6, b'b', b'a', b'd'],
        r#"{"type":"string","logicalType":"uuid"}"#,
        "-",
    ),
    (MILLIS, &[0], MILLIS, "1970-01-01T00:00:00Z"),
];

#[test]
fn writers_resolve_as_avro_says() {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    let schema = |kind: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"string"}},{{"name":"f","type":{kind}}}]}}"#
        )
    };
    let mut wrong = Vec::new();
    for (writer, bytes, reader, expected) in RESOLUTIONS {
        let (writer_schema, reader_schema) = (schema(writer), schema(reader));
        let known = |_: u32| Ok(WriterSchema::Avro(writer_schema.as_str().into()));
        let mut decoder = Decoder::new(known, &reader_schema, arrow_of(&reader_schema));
        let value = [&[0, 0, 0, 0, 1, 2, b'k'][..], bytes].concat();
        let decoded = decoder.decode(&[raw(0, value.clone()), raw(1, value)], &mut LogClock::default()).unwrap();
        let found = if decoded.batch.num_rows() == 2 {
            let options = FormatOptions::default();
            ArrayFormatter::try_new(decoded.batch.column(1), &options).unwrap().value(1).to_string()
        } else {
            assert_eq!(reasons(&decoded), [(0, "unresolvable"), (1, "unresolvable")], "{writer} as {reader}");
            "-".to_owned()
        };
        if found != expected {
            wrong.push(format!("{writer} as {reader}: {found}, expected {expected}: {:?}", decoded.undecodable));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_empty_fetch_gives_an_empty_batch() {
    let decoded = decode(&[]);
    assert_eq!((decoded.batch.num_rows(), decoded.batch.schema()), (0, arrow_of(SALES_V1)));
}

type Edit = (prop::sample::Index, u8, u8);

/// A log of sales in which some bytes of some records were changed.
fn damaged_log() -> impl Strategy<Value = Vec<Raw>> {
    let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    let record = (0..1000i64, 1..=2u32, prop::collection::vec(edit, 0..3), any::<bool>());
    prop::collection::vec(record, 1..40).prop_map(|records| {
        let damage = |(offset, (n, id, edits, damaged)): (usize, (_, _, Vec<Edit>, bool))| {
            let mut bytes = framed(id, &sale(n));
            for (at, value, kind) in edits.into_iter().filter(|_| damaged) {
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = value,
                    1 => bytes.insert(at, value),
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes[at] ^= 1 << (value % 8),
                }
            }
            raw(offset as i64, bytes)
        };
        records.into_iter().enumerate().map(damage).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Every record is a row or undecodable, and is the same as when it is decoded alone by a fresh decoder.
    #[test]
    fn damage_stays_where_it_is(log in damaged_log()) {
        let together = decode(&log);
        let mut one = decoder();
        let (mut row, mut bad) = (0, 0);
        for (index, record) in log.iter().enumerate() {
            let alone = one.decode(std::slice::from_ref(record), &mut LogClock::default()).unwrap();
            if alone.batch.num_rows() == 1 {
                prop_assert_eq!(together.fetch_index(row), index);
                prop_assert_eq!(&alone.batch, &together.batch.slice(row, 1));
                row += 1;
            } else {
                prop_assert_eq!(index, together.undecodable[bad].index);
                prop_assert_eq!(&alone.undecodable[0].reason, &together.undecodable[bad].reason);
                bad += 1;
            }
        }
        prop_assert_eq!(row, together.batch.num_rows());
        prop_assert_eq!(bad, together.undecodable.len());
    }

    /// What becomes a row is a whole record, to the last byte, for an independent reader too. (Not the other way round:
    /// that reader takes a string cut short inside a union for a null.)
    #[test]
    fn an_independent_reader_agrees(log in damaged_log()) {
        let schema = apache_avro::Schema::parse_str(SALES_V1).unwrap();
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
        for record in &log {
            let bytes = record.payload.as_deref().unwrap();
            let Some(mut body) = bytes.strip_prefix(&[0, 0, 0, 0, 1][..]) else { continue };
            let whole = reader.read_value(&mut body).is_ok() && body.is_empty();
            let decoded = decode(std::slice::from_ref(record));
            prop_assert!(whole || !decoded.undecodable.is_empty());
        }
    }
}

/// Prints nanoseconds per record; run with `cargo test --release -p worker decode_speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn decode_speed() {
    let records: Vec<_> = (0..32_768).map(|i| raw(i, framed(1, &sale(i)))).collect();
    let bytes: usize = records.iter().map(|r| r.payload.as_ref().unwrap().len()).sum();
    println!("{} bytes a record", bytes / records.len());
    let projected = crate::decode::samples::SALES_8_OF_11;
    let per_record = |name: &str, work: &mut dyn FnMut()| {
        let mut best = f64::INFINITY;
        for _ in 0..40 {
            let start = std::time::Instant::now();
            work();
            best = best.min(start.elapsed().as_nanos() as f64 / records.len() as f64);
        }
        println!("{name}: {best:.0} ns a record");
    };
    for (name, reader) in [("11 fields", SALES_V1), ("8 of 11 fields", projected)] {
        let mut decoder = Decoder::new(registry as Registry, reader, arrow_of(reader));
        per_record(name, &mut || {
            let decoded = decoder.decode(&records, &mut LogClock::default()).unwrap();
            assert_eq!(decoded.batch.num_rows(), records.len());
        });
    }
    let scanner = crate::decode::scan::Scanner::compile(SALES_V1).unwrap();
    per_record("the check alone", &mut || {
        for record in &records {
            assert!(scanner.check(&record.payload.as_ref().unwrap()[5..]).is_ok());
        }
    });
}

//! The short way gives what arrow-avro gives, record by record.
#![allow(clippy::unwrap_used)]

use arrow::array::RecordBatch;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use proptest::prelude::*;

use super::*;
use crate::decode::samples::{SALES_8_OF_11, SALES_V1, SALES_V2, arrow_of, body, sale, varint};

/// One field of each flat kind, plain and optional, in an order that the reader does not have.
const WIDE: &str = r#"{"type":"record","name":"R","fields":[
  {"name":"text","type":["null","string"]}, {"name":"number","type":["int","null"]}, {"name":"large","type":"long"},
  {"name":"flag","type":["null","boolean"]}, {"name":"single","type":["null","float"]}, {"name":"exact","type":"double"},
  {"name":"day","type":["null",{"type":"int","logicalType":"date"}]}, {"name":"list","type":{"type":"array","items":"int"}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"money","type":{"type":"fixed","name":"M","size":9,"logicalType":"decimal","precision":20,"scale":4}},
  {"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}]}]}"#;
const WIDE_READER: &str = r#"{"type":"record","name":"R","fields":[
  {"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}]},
  {"name":"money","type":{"type":"fixed","name":"M","size":9,"logicalType":"decimal","precision":20,"scale":4}},
  {"name":"new","type":["null","string"],"default":null}, {"name":"flag","type":["null","boolean"]},
  {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
  {"name":"exact","type":"double"}, {"name":"single","type":["null","float"]}, {"name":"large","type":"long"},
  {"name":"number","type":["null","int"]}, {"name":"day","type":["null",{"type":"int","logicalType":"date"}]},
  {"name":"text","type":["null","string"]}]}"#;

fn rows(writer: &str, reader: &str) -> Option<(Scanner, Rows)> {
    let scanner = Scanner::compile(writer).unwrap();
    let rows = Rows::between(&scanner, &Schema::parse(reader).unwrap(), &arrow_of(reader))?;
    Some((scanner, rows))
}

/// What arrow-avro makes of bodies that passed the check.
fn by_arrow_avro(writer: &str, reader: &str, bodies: &[&[u8]]) -> Option<RecordBatch> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(1), AvroSchema::new(writer.to_owned())).unwrap();
    let builder = ReaderBuilder::new().with_batch_size(1 << 20).with_writer_schema_store(store);
    let mut decoder = builder.with_reader_schema(AvroSchema::new(reader.to_owned())).build_decoder().unwrap();
    for body in bodies {
        decoder.decode(&[&[0, 0, 0, 0, 1], *body].concat()).unwrap();
    }
    decoder.flush().unwrap()
}

/// Appends all, and compares with arrow-avro on those that were taken.
fn agree(writer: &str, reader: &str, bodies: &[Vec<u8>]) {
    let (scanner, mut rows) = rows(writer, reader).unwrap();
    // Twice, so that what a flush leaves behind would be seen.
    for bodies in [bodies, &bodies[bodies.len() / 2..]] {
        let mut good = Vec::new();
        for body in bodies {
            let appended = rows.append(&scanner, body);
            assert_eq!(appended, scanner.check(body));
            good.extend(appended.is_ok().then_some(body.as_slice()));
        }
        // The fields' metadata is arrow-avro's own; what is assembled has the reader's schema.
        let expected = by_arrow_avro(writer, reader, &good).filter(|batch| batch.num_rows() > 0);
        let columns = |batch: Option<RecordBatch>| batch.map(|batch| batch.columns().to_vec());
        assert_eq!(columns(rows.flush().unwrap()), columns(expected));
    }
}

/// A body of [`WIDE`] from some bits.
fn wide(seed: u64, text: &str, numbers: (i64, i32), money: i64, price: i128) -> Vec<u8> {
    let mut out = Vec::new();
    let some = |out: &mut Vec<u8>, bit: u32, null: i64| {
        let there = seed >> bit & 1 == 1;
        varint(out, if there { 1 - null } else { null });
        there
    };
    if some(&mut out, 0, 0) {
        varint(&mut out, text.len() as i64);
        out.extend(text.as_bytes());
    }
    if some(&mut out, 1, 1) {
        varint(&mut out, numbers.1.into());
    }
    varint(&mut out, numbers.0);
    if some(&mut out, 2, 0) {
        out.push((seed >> 3 & 1) as u8);
    }
    if some(&mut out, 4, 0) {
        out.extend((numbers.1 as f32).to_le_bytes());
    }
    out.extend((numbers.0 as f64).to_le_bytes());
    if some(&mut out, 5, 0) {
        varint(&mut out, i64::from(numbers.1) / 1000);
    }
    out.extend([2, 14, 0]);
    varint(&mut out, numbers.0 / 2);
    out.push(if money < 0 { 0xFF } else { 0 });
    out.extend(money.to_be_bytes());
    if some(&mut out, 6, 0) {
        let bytes = price.to_be_bytes();
        let skip = (seed >> 8) as usize % 4 * usize::from(price.unsigned_abs() < 1 << 90);
        varint(&mut out, (16 - skip) as i64);
        out.extend(&bytes[skip..]);
    }
    out
}

#[test]
fn sales_of_both_versions_take_the_short_way() {
    for (version, writer) in [(1, SALES_V1), (2, SALES_V2)] {
        let bodies: Vec<_> = (0..100).map(|n| body(version, &sale(n))).collect();
        for reader in [SALES_V1, SALES_8_OF_11] {
            agree(writer, reader, &bodies);
        }
    }
}

#[test]
fn what_needs_conversion_goes_the_long_way() {
    let schema = |kind: &str, rest: &str| {
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{kind}{rest}}}]}}"#)
    };
    let cases = [
        (r#""int""#, r#""long""#, ""),
        (r#"["null","string"]"#, r#""string""#, ""),
        (r#"{"type":"enum","name":"K","symbols":["A"]}"#, r#"{"type":"enum","name":"K","symbols":["A"]}"#, ""),
        (r#""bytes""#, r#""bytes""#, ""),
        (r#""string""#, r#""string""#, r#","aliases":["g"]"#),
    ];
    for (writer, reader, rest) in cases {
        assert!(rows(&schema(writer, ""), &schema(reader, rest)).is_none(), "{writer} as {reader}");
    }
    let other = schema(r#""string""#, "").replace(r#""f""#, r#""g""#);
    assert!(rows(&other, &schema(r#"["null","string"]"#, r#","default":null"#)).is_some());
    assert!(rows(&other, &schema(r#"["string","null"]"#, r#","default":"x""#)).is_none());
}

type Edit = (prop::sample::Index, u8, u8);

fn damaged(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (at, value, kind) in edits {
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = *value,
            1 => bytes.insert(at, *value),
            2 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes[at] ^= 1 << (value % 8),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_agrees_with_arrow_avro_also_among_damaged_ones(
        records in prop::collection::vec(
            (
                any::<u64>(), "[a-zäß€\u{1F600}]{0,9}", any::<(i64, i32)>(), any::<i64>(),
                -10i128.pow(38) + 1..10i128.pow(38),
                prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..2), any::<bool>(),
            ),
            1..30,
        ),
    ) {
        let bodies: Vec<_> = records
            .iter()
            .map(|(seed, text, numbers, money, price, edits, harmed)| {
                let price = if seed >> 12 & 1 == 1 { *price } else { price % 1_000_000 };
                damaged(wide(*seed, text, *numbers, *money, price), if *harmed { edits } else { &[] })
            })
            .collect();
        agree(WIDE, WIDE_READER, &bodies);
    }
}

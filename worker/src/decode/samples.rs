//! Test fixtures: sales events made by code, encoded by hand so that no Avro library is its own witness.
#![allow(clippy::unwrap_used)]

use arrow::datatypes::SchemaRef;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

use plan::avro::{Expansion, Schema};

use super::Framed;
use crate::source::batch::{Timestamp, TimestampKind};

/// The sample domain's schema.
pub(crate) const SALES_V1: &str = include_str!("../../../schemas/avro/sales_event.avsc");

/// v1 with a field in the middle and one at the end, fields in another order.
pub(crate) const SALES_V2: &str = r#"{"type":"record","name":"SalesEvent","namespace":"sluice.sales","fields":[
  {"name":"schema_version","type":"int"},
  {"name":"event_id","type":"string"},
  {"name":"event_type","type":"string"},
  {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"ingest_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"coupons","type":{"type":"array","items":"string"},"default":[]},
  {"name":"account_id","type":"string"},
  {"name":"user_id","type":["null","string"],"default":null},
  {"name":"plan_tier","type":["null","string"],"default":null},
  {"name":"region","type":["null","string"],"default":null},
  {"name":"currency","type":["null","string"],"default":null},
  {"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null},
  {"name":"channel","type":["null","string"],"default":null}]}"#;

/// What the quickstart needs of v1.
pub(crate) const SALES_8_OF_11: &str = r#"{"type":"record","name":"SalesEvent","namespace":"sluice.sales","fields":[
  {"name":"event_id","type":"string"},
  {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"ingest_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"account_id","type":"string"},
  {"name":"plan_tier","type":["null","string"],"default":null},
  {"name":"region","type":["null","string"],"default":null},
  {"name":"currency","type":["null","string"],"default":null},
  {"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}],"default":null}]}"#;

/// A record without Kafka.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub offset: i64,
    pub ms: i64,
    pub payload: Option<Vec<u8>>,
    pub header: Option<Vec<u8>>,
}

impl Framed for Raw {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp { ms: self.ms, kind: TimestampKind::Create }
    }

    fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    fn schema_header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }
}

/// The record at `offset` with this value.
pub(crate) fn raw(offset: i64, payload: Vec<u8>) -> Raw {
    Raw { offset, ms: 1_700_000_000_000 + offset, payload: Some(payload), header: None }
}

/// One sale.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub id: String,
    pub time: i64,
    pub user: Option<String>,
    pub plan: Option<&'static str>,
    pub region: Option<&'static str>,
    pub currency: Option<&'static str>,
    pub cents: Option<i128>,
}

/// The `n`-th sale.
pub(crate) fn sale(n: i64) -> Sale {
    let pick = |of: &[&'static str]| Some(of[n as usize % of.len()]);
    Sale {
        id: format!("{:08x}-0000-4000-8000-{n:012x}", n as u32 ^ 0x9E37_79B9),
        time: 1_700_000_000_000 + n,
        user: Some(format!("user-{:05}", n % 10_000)),
        plan: pick(&["free", "starter", "pro", "enterprise"]),
        region: pick(&["us", "eu", "apac", "latam"]),
        currency: pick(&["USD", "EUR", "GBP"]),
        cents: Some(i128::from(n % 30_000) + 300),
    }
}

/// Appends an int or long.
pub(crate) fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as i64);
    out.extend_from_slice(value);
}

fn optional(out: &mut Vec<u8>, value: Option<&[u8]>) {
    varint(out, i64::from(value.is_some()));
    if let Some(value) = value {
        bytes(out, value);
    }
}

/// The shortest two's-complement form.
fn unscaled(value: i128) -> Vec<u8> {
    let wide = value.to_be_bytes();
    let filler = if value < 0 { 0xFF } else { 0 };
    let spare = |at: usize| wide[at] == filler && (wide[at + 1] ^ filler) & 0x80 == 0;
    let start = (0..15).find(|at| !spare(*at)).unwrap_or(15);
    wide[start..].to_vec()
}

/// The Avro body of a sale in schema version `version` (1 or 2).
pub(crate) fn body(version: u32, sale: &Sale) -> Vec<u8> {
    let mut out = Vec::new();
    if version == 2 {
        varint(&mut out, 1);
    }
    bytes(&mut out, sale.id.as_bytes());
    bytes(&mut out, b"purchase");
    varint(&mut out, sale.time);
    varint(&mut out, sale.time + 1500);
    if version == 2 {
        out.extend([4, 2, b'A', 2, b'B', 0]);
    } else {
        varint(&mut out, 1);
    }
    bytes(&mut out, b"acct-00042");
    optional(&mut out, sale.user.as_deref().map(str::as_bytes));
    for text in [sale.plan, sale.region, sale.currency] {
        optional(&mut out, text.map(str::as_bytes));
    }
    optional(&mut out, sale.cents.map(unscaled).as_deref());
    if version == 2 {
        optional(&mut out, Some(b"web"));
    }
    out
}

/// The value with its prefix; schema id and version are the same number here.
pub(crate) fn framed(id: u32, sale: &Sale) -> Vec<u8> {
    let mut out = vec![0];
    out.extend(id.to_be_bytes());
    out.extend(body(id, sale));
    out
}

/// The Arrow schema that arrow-avro makes of an Avro schema.
pub(crate) fn arrow_of(schema: &str) -> SchemaRef {
    let schema = Schema::parse(schema).unwrap();
    let whole = schema.expand(schema.root(), &mut Expansion::default()).unwrap();
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(1), AvroSchema::new(whole.to_string())).unwrap();
    ReaderBuilder::new().with_writer_schema_store(store).build_decoder().unwrap().schema()
}

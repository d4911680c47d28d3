//! The pipelines that the simulation runs: real manifests, compiled as the worker compiles them, and their records.
//!
//! Every record exists twice: as the naive model sees it (its expressions answered here, by hand) and as the row that a
//! decoder would give. Times are virtual, a few seconds per window, so that a short log has many windows.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMillisecondArray};
use plan::Plan;
use schemas::spec::AnalyticsPipeline;
use stream_core::Program;

use crate::model::{Event, Params, Record};

/// 2026-11-23T00:00:00Z, where the virtual clock begins.
pub const START: i64 = 1_795_392_000_000;
/// Latency that the rule `fresh` allows.
pub const FRESH: i64 = 8_000;

/// What differs between the pipelines. Times are seconds.
struct Numbers {
    window: u32,
    offset: u32,
    delay: u32,
    skew: u32,
    idle_after: u32,
    interval: u32,
    max_records: u32,
    outputs: u32,
    refuse_amount: bool,
    drop_late: bool,
    close_when_idle: Option<u32>,
}

const NUMBERS: [Numbers; 6] = [
    Numbers {
        window: 10,
        offset: 0,
        delay: 10,
        skew: 5,
        idle_after: 20,
        interval: 30,
        max_records: 1_000,
        outputs: 1,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: None,
    },
    Numbers {
        window: 10,
        offset: 3,
        delay: 4,
        skew: 4,
        idle_after: 10,
        interval: 7,
        max_records: 11,
        outputs: 2,
        refuse_amount: false,
        drop_late: false,
        close_when_idle: Some(30),
    },
    Numbers {
        window: 5,
        offset: 0,
        delay: 15,
        skew: 10,
        idle_after: 15,
        interval: 60,
        max_records: 16,
        outputs: 3,
        refuse_amount: true,
        drop_late: true,
        close_when_idle: None,
    },
    Numbers {
        window: 20,
        offset: 7,
        delay: 20,
        skew: 1,
        idle_after: 30,
        interval: 20,
        max_records: 7,
        outputs: 1,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: Some(60),
    },
    Numbers {
        window: 4,
        offset: 1,
        delay: 1,
        skew: 1,
        idle_after: 5,
        interval: 4,
        max_records: 5,
        outputs: 2,
        refuse_amount: false,
        drop_late: false,
        close_when_idle: None,
    },
    Numbers {
        window: 10,
        offset: 0,
        delay: 30,
        skew: 30,
        idle_after: 12,
        interval: 300,
        max_records: 1_000,
        outputs: 2,
        refuse_amount: true,
        drop_late: false,
        close_when_idle: Some(24),
    },
];

/// How many kinds of pipelines there are.
pub const KINDS: usize = NUMBERS.len();
/// Most source partitions of any of them.
pub const MOST_PARTITIONS: usize = 4;

/// A pipeline in the terms of the worker, of the core and of the model.
#[derive(Debug)]
pub struct Domain {
    /// The manifest, compiled.
    pub plan: Arc<Plan>,
    /// What lanes execute.
    pub program: Arc<Program>,
    /// What the model judges by.
    pub params: Params,
}

impl Domain {
    /// The pipeline of this kind over so many source partitions. Compiled once per process.
    ///
    /// # Panics
    /// If there is no such kind, or if its manifest does not compile.
    pub fn of(kind: usize, partitions: usize) -> Arc<Self> {
        static MADE: [[OnceLock<Arc<Domain>>; MOST_PARTITIONS]; KINDS] =
            [const { [const { OnceLock::new() }; MOST_PARTITIONS] }; KINDS];
        MADE[kind][partitions - 1].get_or_init(|| Arc::new(Self::make(&NUMBERS[kind], partitions))).clone()
    }

    fn make(numbers: &Numbers, partitions: usize) -> Self {
        let pipeline: AnalyticsPipeline =
            serde_saphyr::from_str(&manifest(numbers, partitions)).expect("the manifest reads");
        let plan = Plan::compile(&pipeline).expect("the manifest compiles");
        let millis = |seconds: u32| i64::from(seconds) * 1000;
        let params = Params {
            delay: millis(numbers.delay),
            max_future_skew: millis(numbers.skew),
            window: millis(numbers.window),
            window_offset: millis(numbers.offset),
            batch_interval: millis(numbers.interval),
            batch_max_records: i64::from(numbers.max_records),
            dead_letter: vec![true, true, numbers.refuse_amount, false],
        };
        let program = Arc::new(worker::program::program(&plan));
        Self { plan: Arc::new(plan), program, params }
    }

    /// The rows of `records`, all of which are decodable.
    ///
    /// # Panics
    /// If one is not.
    pub fn rows(&self, records: &[Sale]) -> RecordBatch {
        let columns = self.plan.arrow_schema.fields().iter().map(|field| column(field.name(), records));
        RecordBatch::try_new(self.plan.arrow_schema.clone(), columns.collect()).expect("the schema's columns")
    }
}

/// An event of the sample domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Its identity.
    pub id: Option<String>,
    /// When it happened.
    pub at: Option<i64>,
    /// When it was received.
    pub got: Option<i64>,
    /// `eu` and `us` are allowed.
    pub region: Option<&'static str>,
    /// `test` is filtered.
    pub kind: &'static str,
    /// Cents.
    pub amount: Option<i128>,
}

impl Sale {
    /// The event with its rules, filter, groups and values answered.
    pub fn event(&self) -> Event {
        use crate::model::Answer::{Passes, Skipped, Violated};
        let answer = |holds: Option<bool>| holds.map_or(Skipped, |holds| if holds { Passes } else { Violated });
        let fresh = self.got.zip(self.at).map(|(got, at)| got - at <= FRESH);
        Event {
            id: self.id.clone(),
            event_time: self.at,
            rules: vec![
                answer(Some(self.id.is_some() && self.at.is_some())),
                answer(self.region.map(|region| ["eu", "us"].contains(&region))),
                answer(self.amount.map(|amount| amount >= 0)),
                answer(fresh),
            ],
            filter: self.kind != "test",
            group: vec![self.region.map(ToOwned::to_owned), Some(self.kind.to_owned())],
            values: vec![self.amount],
        }
    }
}

/// A record of the log: where it stands, and the event in it if it decodes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp.
    pub log_time: i64,
    /// The event.
    pub sale: Option<Sale>,
}

impl Entry {
    /// The record as the model sees it.
    pub fn record(&self) -> Record {
        Record { offset: self.offset, log_time: self.log_time, decodable: self.sale.as_ref().map(Sale::event) }
    }
}

fn column(name: &str, sales: &[Sale]) -> ArrayRef {
    let time = |of: fn(&Sale) -> Option<i64>| -> ArrayRef {
        Arc::new(sales.iter().map(of).collect::<TimestampMillisecondArray>().with_timezone("+00:00"))
    };
    match name {
        "id" => Arc::new(sales.iter().map(|sale| sale.id.as_deref()).collect::<StringArray>()),
        "at" => time(|sale| sale.at),
        "got" => time(|sale| sale.got),
        "region" => Arc::new(sales.iter().map(|sale| sale.region).collect::<StringArray>()),
        "kind" => Arc::new(StringArray::from_iter_values(sales.iter().map(|sale| sale.kind))),
        "amount" => {
            let amounts = sales.iter().map(|sale| sale.amount).collect::<Decimal128Array>();
            Arc::new(amounts.with_precision_and_scale(12, 2).expect("the field's precision"))
        }
        other => panic!("no field '{other}'"),
    }
}

fn manifest(numbers: &Numbers, partitions: usize) -> String {
    let Numbers { window, offset, delay, skew, idle_after, interval, max_records, outputs, .. } = numbers;
    let amount = if numbers.refuse_amount { "DeadLetter" } else { "Report" };
    let late = if numbers.drop_late { "Drop" } else { "DeadLetter" };
    let close = numbers.close_when_idle.map_or_else(String::new, |after| format!("  closeWhenIdleFor: {after}s\n"));
    let fresh = FRESH / 1000;
    format!(
        r#"
apiVersion: sluice.dev/v1alpha1
kind: AnalyticsPipeline
metadata: {{name: sim}}
spec:
  kafka: {{bootstrapServers: "nowhere:1"}}
  schemaRegistry: {{url: "http://nowhere:1"}}
  source:
    topic: {{name: sales, partitions: {partitions}}}
    schema:
      subject: sales-value
      avro: |
        {{"type": "record", "name": "Sale", "fields": [
          {{"name": "id", "type": ["null", "string"]}},
          {{"name": "at", "type": ["null", {{"type": "long", "logicalType": "timestamp-millis"}}]}},
          {{"name": "got", "type": ["null", {{"type": "long", "logicalType": "timestamp-millis"}}]}},
          {{"name": "region", "type": ["null", "string"]}},
          {{"name": "kind", "type": "string"}},
          {{"name": "amount", "type": ["null", {{"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}}]}}
        ]}}
    eventId: id
    eventTime: at
    ingestTime: got
    watermark: {{delay: {delay}s, maxFutureSkew: {skew}s, idleAfter: {idle_after}s}}
  filter: "kind <> 'test'"
  quality:
    batch: {{interval: {interval}s, maxRecords: {max_records}}}
    samples: {{perRule: 2}}
    rules:
      - {{name: required, required: [id, at]}}
      - {{name: region, field: region, oneOf: [eu, us]}}
      - {{name: amount, field: amount, min: "0", onViolation: {amount}}}
      - {{name: fresh, maxLatency: {fresh}s, onViolation: Report}}
  window: {{size: {window}s, offset: {offset}s}}
  groupBy: [region, kind]
  measures:
    - {{name: sales, expression: count(*)}}
    - {{name: revenue, expression: sum(amount)}}
    - {{name: top, expression: max(amount)}}
    - {{name: mean, expression: avg(amount)}}
  late: {{policy: {late}}}
  partials: {{partitions: {outputs}}}
  sink: {{path: "file:///nowhere"}}
{close}"#
    )
}

//! The pipelines that the simulation runs: real manifests, compiled as the worker compiles them, and their records.
//!
//! Every record exists twice: as the naive model sees it (its expressions answered here, by hand) and as the row that a
//! decoder would give. Times are virtual, a few seconds per window, so that a short log has many windows.

mod manifest;

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMillisecondArray};
use manifest::{CHANGES, NUMBERS, Numbers, manifest};
use plan::Plan;
use schemas::spec::{AnalyticsPipeline, AnalyticsPipelineSpec};
use stream_core::Program;

use crate::model::{Doubt, Event, Params, Record};

/// 2026-11-23T00:00:00Z, where the virtual clock begins.
pub const START: i64 = 1_795_392_000_000;
/// Latency that the rule `fresh` allows.
pub const FRESH: i64 = 8_000;

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
    /// The manifest.
    pub spec: AnalyticsPipelineSpec,
    numbers: Numbers,
}

impl Domain {
    /// The pipeline of this kind over so many source partitions. Compiled once per process.
    ///
    /// # Panics
    /// If there is no such kind, or if its manifest does not compile.
    pub fn of(kind: usize, partitions: usize) -> Arc<Self> {
        Self::made(kind, partitions, 0, || NUMBERS[kind])
    }

    /// The same with its meaning changed in this way, of which there are a few.
    ///
    /// # Panics
    /// If there is no such kind, or if its manifest does not compile.
    pub fn revised(kind: usize, partitions: usize, change: usize) -> Arc<Self> {
        let change = change % CHANGES;
        Self::made(kind, partitions, 1 + change, || NUMBERS[kind].revised(change))
    }

    fn made(kind: usize, partitions: usize, which: usize, numbers: impl FnOnce() -> Numbers) -> Arc<Self> {
        static MADE: [[[OnceLock<Arc<Domain>>; CHANGES + 1]; MOST_PARTITIONS]; KINDS] =
            [const { [const { [const { OnceLock::new() }; CHANGES + 1] }; MOST_PARTITIONS] }; KINDS];
        MADE[kind][partitions - 1][which].get_or_init(|| Arc::new(Self::make(numbers(), partitions))).clone()
    }

    fn make(numbers: Numbers, partitions: usize) -> Self {
        let pipeline: AnalyticsPipeline =
            serde_saphyr::from_str(&manifest(&numbers, partitions)).expect("the manifest reads");
        let plan = Plan::compile(&pipeline).expect("the manifest compiles");
        let millis = |seconds: u32| i64::from(seconds) * 1000;
        let params = Params {
            delay: millis(numbers.delay),
            max_future_skew: millis(numbers.skew),
            earliest: 315_532_800_000,
            doubt: Doubt::NONE,
            window: millis(numbers.window),
            window_offset: millis(numbers.offset),
            batch_interval: millis(numbers.interval),
            batch_max_records: i64::from(numbers.max_records),
            dead_letter: vec![true, true, numbers.refuse_amount, false],
        };
        let program = Arc::new(worker::program::program(&plan));
        Self { plan: Arc::new(plan), program, params, spec: pipeline.spec, numbers }
    }

    /// The rows of `records`, all of which are decodable.
    ///
    /// # Panics
    /// If one is not.
    pub fn rows(&self, records: &[Sale]) -> RecordBatch {
        let columns = self.plan.arrow_schema.fields().iter().map(|field| column(field.name(), records));
        RecordBatch::try_new(self.plan.arrow_schema.clone(), columns.collect()).expect("the schema's columns")
    }

    /// A sale with its rules, filter, groups and values answered.
    pub fn event(&self, sale: &Sale) -> Event {
        use crate::model::Answer::{Passes, Skipped, Violated};
        let answer = |holds: Option<bool>| holds.map_or(Skipped, |holds| if holds { Passes } else { Violated });
        let at = sale.at.filter(|at| self.params.in_calendar(*at));
        let fresh = sale.got.zip(at).map(|(got, at)| got - at <= FRESH);
        let kind = self.numbers.groups.contains("kind").then(|| Some(sale.kind.to_owned()));
        Event {
            id: sale.id.clone(),
            event_time: sale.at,
            rules: vec![
                answer(Some(sale.id.is_some() && sale.at.is_some())),
                answer(sale.region.map(|region| ["eu", "us"].contains(&region))),
                answer(sale.amount.map(|amount| amount >= 0)),
                answer(fresh),
            ],
            filter: self.numbers.counts_tests || sale.kind != "test",
            group: std::iter::once(sale.region.map(ToOwned::to_owned)).chain(kind).collect(),
            values: vec![sale.amount],
        }
    }

    /// A record as the model sees it.
    pub fn record(&self, entry: &Entry) -> Record {
        let decodable = entry.sale.as_ref().map(|sale| self.event(sale));
        Record { offset: entry.offset, log_time: entry.log_time, decodable }
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

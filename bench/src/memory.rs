//! The core from memory: no broker, no files. Decoding and folding are timed apart, on one thread.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cli::generate::{Generator, Options, SchemaIds};
use plan::Plan;
use stream_core::{Fetch, Lane, Offset, Progress};
use worker::decode::{Decoder, Framed, LogClock, WriterSchema};
use worker::source::batch::{Timestamp, TimestampKind};

use crate::cpu;

/// A record held in memory.
pub(crate) struct Held {
    pub offset: i64,
    pub timestamp: i64,
    pub value: Option<Vec<u8>>,
}

impl Framed for Held {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp { ms: self.timestamp, kind: TimestampKind::LogAppend }
    }

    fn payload(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn schema_header(&self) -> Option<&[u8]> {
        None
    }
}

/// What one run measured.
pub struct Measured {
    /// Records fed.
    pub records: u64,
    /// Processor time in the decoder.
    pub decode: Duration,
    /// Processor time in the lanes.
    pub fold: Duration,
    /// Most ids remembered at once, and the bytes held for them then.
    pub ids: (usize, usize),
}

/// Runs `count` generated events over `partitions` lanes in fetches of `fetch` records.
pub fn run(plan: &Plan, count: u64, partitions: u32, fetch: usize) -> anyhow::Result<Measured> {
    let logs = generate(count, partitions)?;
    let program = Arc::new(worker::program::program(plan));
    let mut measured = Measured { records: 0, decode: Duration::ZERO, fold: Duration::ZERO, ids: (0, 0) };
    for log in &logs {
        let schema: Arc<str> = plan.full_schema.clone().into();
        let schemas =
            move |id: u32| Ok(if id == 1 { WriterSchema::Avro(schema.clone()) } else { WriterSchema::Unknown });
        let mut decoder = Decoder::new(schemas, &plan.reader_schema, plan.arrow_schema.clone());
        let mut clock = LogClock::resume(0);
        let mut lane = Lane::resume(program.clone(), &Progress::start(Offset(0)))?;
        for records in log.chunks(fetch) {
            let started = cpu::thread();
            let taken = decoder.decode(records, &mut clock)?;
            let undecodable = taken.poison();
            let decoded_at = cpu::thread();
            lane.feed(&Fetch {
                rows: &taken.batch,
                offsets: &taken.offsets,
                log_times: &taken.log_times,
                undecodable: &undecodable,
                end: Offset(records.last().context("a chunk is never empty")?.offset + 1),
            })?;
            measured.fold += cpu::thread().saturating_sub(decoded_at);
            measured.decode += decoded_at.saturating_sub(started);
            measured.records += records.len() as u64;
            let held = lane.open_windows().fold((0, 0), |sum, (_, ids, bytes)| (sum.0 + ids, sum.1 + bytes));
            measured.ids = measured.ids.max(held);
        }
    }
    Ok(measured)
}

fn generate(count: u64, partitions: u32) -> anyhow::Result<Vec<Vec<Held>>> {
    let options = Options::new(count, partitions);
    let mut generator = Generator::new(&options, SchemaIds { first: 1, second: None })?;
    let mut logs: Vec<Vec<Held>> = (0..partitions).map(|_| Vec::new()).collect();
    // One log time for all: the events lie in its past.
    let timestamp = options.end();
    while let Some(event) = generator.next_event() {
        let log = &mut logs[event.partition as usize];
        log.push(Held { offset: log.len() as i64, timestamp, value: event.value.map(<[u8]>::to_vec) });
    }
    Ok(logs)
}

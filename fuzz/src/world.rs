//! The pipelines that the probes belong to.

use std::sync::{Arc, LazyLock};

use plan::Plan;
use schemas::spec::AnalyticsPipeline;
use stream_core::{Emissions, Fetch, Lane, Offset, Program};
use worker::decode::{Decoded, Decoder, LogClock, WriterSchema, WriterSchemas};

use crate::record::Held;

const QUICKSTART: &str = include_str!("../../examples/revenue-5m.yaml");

/// A plan and its program.
pub struct World {
    pub plan: Plan,
    pub program: Arc<Program>,
}

/// The quickstart's.
pub static REVENUE: LazyLock<World> = LazyLock::new(|| {
    let pipeline: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART).expect("the example parses");
    World::of(&pipeline)
});

/// The same events with every other kind of Avro type in them, of which a rule asks whether they are there.
pub static NESTED: LazyLock<World> = LazyLock::new(|| {
    let mut pipeline: AnalyticsPipeline = serde_saphyr::from_str(QUICKSTART).expect("the example parses");
    pipeline.spec.source.schema.avro = pipeline.spec.source.schema.avro.as_deref().map(nested);
    let rule = "{name: there, expression: 'tags is not null and counts is not null and mac is not null and place is not null'}";
    pipeline.spec.quality.rules.push(serde_saphyr::from_str(rule).expect("a rule parses"));
    World::of(&pipeline)
});

fn nested(flat: &str) -> String {
    let more = r#","fields": [
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": ["null", "double"]}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B", "C"], "default": "A"}},
        {"name": "mac", "type": {"type": "fixed", "name": "Mac", "size": 6}},
        {"name": "place", "type": ["null", {"type": "record", "name": "Place", "fields": [
            {"name": "ok", "type": "boolean"}, {"name": "x", "type": "float"}]}]},"#;
    flat.replacen(r#""fields": ["#, &more[1..], 1)
}

impl World {
    fn of(pipeline: &AnalyticsPipeline) -> Self {
        let plan = Plan::compile(pipeline).expect("the example is a pipeline");
        let program = Arc::new(worker::program::program(&plan));
        Self { plan, program }
    }

    /// A decoder of a lane that has met no writer yet. Schema 1 is this world's, schema 2 the quickstart's.
    pub fn decoder(&self) -> Decoder<impl WriterSchemas + use<>> {
        let own: Arc<str> = self.plan.full_schema.clone().into();
        let schemas = move |id: u32| match id {
            1 => Ok(WriterSchema::Avro(own.clone())),
            2 => Ok(WriterSchema::Avro(REVENUE.plan.full_schema.clone().into())),
            _ => Ok(WriterSchema::Unknown),
        };
        Decoder::new(schemas, &self.plan.reader_schema, self.plan.arrow_schema.clone())
    }

    /// Decodes a fetch.
    pub fn decode(&self, records: &[Held]) -> Decoded {
        self.decoder().decode(records, &mut LogClock::resume(0)).expect("the schemas are at hand")
    }

    /// Decodes and feeds a fetch.
    pub fn feed(&self, lane: &mut Lane, records: &[Held]) -> Emissions {
        let decoded = self.decode(records);
        let end = Offset(records.last().map_or(lane.position().0, |last| last.offset + 1));
        let (rows, offsets, log_times) = (&decoded.batch, &decoded.offsets, &decoded.log_times);
        lane.feed(&Fetch { rows, offsets, log_times, undecodable: &decoded.poison(), end }).expect("the rows fit")
    }
}

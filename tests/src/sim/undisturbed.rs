//! An undisturbed reading of a log with the decrees that were committed: what every run must give out in the end.

mod changed;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use stream_core::{
    ClosedWindow, Collector, CollectorProgress, Emission, Emissions, EventTime, Fetch, Lane, LogTime, Message, Offset,
    Partition, Progress, Published, Seal, Topology, Undecodable,
};
use worker::publish::table;
use worker::wire::report_body;

use super::domain::{Domain, Sale};
use super::read::{Report, Row, gold_rows, said_report};
use super::world::{Source, World};
use crate::model::Decree;

/// What comes out of a reading to which nothing happens.
#[derive(Default)]
pub struct Undisturbed {
    /// The files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The rows of the gold files, with their windows' starts.
    pub rows: Vec<(i64, Row)>,
    /// The reports.
    pub reports: Vec<Report>,
}

/// What the partitions' lanes of one meaning say, by partition.
struct Saying<'a> {
    domain: &'a Domain,
    said: Vec<Vec<Emission>>,
    /// Which windows are this meaning's own.
    from: EventTime,
    until: EventTime,
}

/// Reads everything with the decrees that were committed, undisturbed; around a change from where each partition's owner first knew of it.
pub fn undisturbed(world: &World) -> Undisturbed {
    let topology = world.topology();
    let far = EventTime(i64::MAX);
    let own = |domain, said| Saying { domain, said, from: EventTime::NEVER, until: far };
    let sayings = match &world.revised {
        None => {
            let said = (0..).zip(&world.sources).map(|(partition, source)| {
                let joins = topology.joins(Partition(partition));
                said(&world.domain, source, joins, &world.decrees(0, partition))
            });
            vec![own(&*world.domain, said.collect())]
        }
        Some(revised) => {
            let (before, now) = (0..world.sources.len() as i32).map(|it| changed::said_of(world, revised, it)).unzip();
            let until = revised.until();
            let before = Saying { until, ..own(&*world.domain, before) };
            vec![before, Saying { from: until, ..own(&*revised.domain, now) }]
        }
    };
    let mut all = Undisturbed::default();
    for saying in &sayings {
        saying.write(&topology, &mut all);
    }
    all
}

impl Saying<'_> {
    fn write(&self, topology: &Topology, all: &mut Undisturbed) {
        let plan = &self.domain.plan;
        for output in 0..plan.partials_partitions {
            for published in self.published(topology, output) {
                let table = table::gold(plan, &published, output as i32).expect("rows encode");
                all.rows.extend(gold_rows(&published.rows));
                all.files.insert(table.path(), table.bytes);
            }
        }
        for (partition, items) in (0_i32..).zip(&self.said) {
            for item in items {
                if let Emission::Report(report) = item {
                    let body = report_body(report, plan, &self.domain.program);
                    let metrics = table::report(plan, partition, &body).expect("a report encodes");
                    let samples = table::samples(plan, partition, &body).expect("samples encode");
                    all.reports.push(said_report(partition, &body));
                    all.files.insert(metrics.path(), metrics.bytes);
                    all.files.extend(samples.map(|samples| (samples.path(), samples.bytes)));
                }
            }
        }
    }

    /// The windows of an output.
    fn published(&self, topology: &Topology, output: u32) -> Vec<Published> {
        let start =
            CollectorProgress { published_until: self.from, ..CollectorProgress::start(Offset(0), self.said.len()) };
        let mut collector = Collector::resume_in(self.domain.program.clone(), topology.clone(), &start);
        let mut at = 0;
        for (partition, items) in self.said.iter().enumerate() {
            for item in items {
                let from = Message { at: Offset(at), partition: Partition(partition as i32), incarnation: 1 };
                at += 1;
                match item {
                    Emission::Partial(partial) if partial.output == output && partial.window.start < self.until => {
                        collector.partial(from, partial.clone());
                    }
                    Emission::Seal(seal) => {
                        let own = |closed: &ClosedWindow| closed.output == output && closed.window.start < self.until;
                        let closed = seal.closed.iter().copied().filter(own).collect();
                        collector.seal(from, &Seal { closed, ..seal.clone() });
                    }
                    _ => {}
                }
            }
        }
        collector.complete().expect("small sums do not overflow")
    }
}

/// What a lane says that reads a log undisturbed.
pub fn said(domain: &Domain, source: &Source, joins: EventTime, decrees: &[Decree]) -> Vec<Emission> {
    let mut lane = Lane::resume(domain.program.clone(), &Progress::join(Offset(source.low), joins)).expect("a lane");
    let mut items = Vec::new();
    let mut say = |emissions: Emissions| items.extend(emissions.items);
    for decree in decrees {
        say(feed(domain, source, &mut lane, decree.at));
        say(lane.decree(EventTime(decree.to)).expect("a decree").emissions);
    }
    say(feed(domain, source, &mut lane, i64::MAX));
    items
}

/// Feeds everything before `until` at once.
pub fn feed(domain: &Domain, source: &Source, lane: &mut Lane, until: i64) -> Emissions {
    let there = There::between(source, lane.position().0, until);
    lane.feed(&there.fetch(&domain.rows(&there.sales))).expect("an undisturbed lane works")
}

/// The records of a log between two offsets.
struct There {
    sales: Vec<Sale>,
    offsets: Vec<i64>,
    log_times: Vec<i64>,
    undecodable: Vec<Undecodable>,
    end: Offset,
}

impl There {
    fn between(source: &Source, position: i64, until: i64) -> Self {
        let (mut newest, mut sales): (i64, Vec<Sale>) = (0, Vec::new());
        let (mut offsets, mut log_times, mut undecodable) = (Vec::new(), Vec::new(), Vec::new());
        let mut end = if until == i64::MAX { position } else { until };
        for entry in &source.entries {
            newest = newest.max(entry.log_time);
            if entry.offset < position || entry.offset >= until {
                continue;
            }
            end = end.max(entry.offset + 1);
            if let Some(sale) = &entry.sale {
                offsets.push(entry.offset);
                log_times.push(newest);
                sales.push(sale.clone());
            } else {
                let (offset, log_time) = (Offset(entry.offset), LogTime(newest));
                undecodable.push(Undecodable {
                    offset,
                    log_time,
                    kind: "no-sale",
                    reason: "no sale".to_owned(),
                    is_null: false,
                });
            }
        }
        Self { sales, offsets, log_times, undecodable, end: Offset(end) }
    }

    fn fetch<'a>(&'a self, rows: &'a RecordBatch) -> Fetch<'a> {
        let Self { offsets, log_times, undecodable, end, .. } = self;
        Fetch { rows, offsets, log_times, undecodable, end: *end }
    }
}

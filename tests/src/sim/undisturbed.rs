//! An undisturbed reading of a log with the decrees that were committed: what every run must give out in the end.

use std::collections::BTreeMap;

use stream_core::{
    Collector, CollectorProgress, Emission, Emissions, EventTime, Fetch, Lane, LogTime, Message, Offset, Partition,
    Progress, Published, Seal, Topology, Undecodable,
};
use worker::publish::table;
use worker::wire::report_body;

use super::domain::{Domain, Sale};
use super::read::{Report, Row, gold_rows, said_report};
use super::world::Source;
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

/// Reads everything with these decrees, undisturbed.
pub fn undisturbed(domain: &Domain, topology: &Topology, sources: &[Source], decrees: &[Vec<Decree>]) -> Undisturbed {
    let plan = &domain.plan;
    let said = (0..)
        .zip(sources)
        .zip(decrees)
        .map(|((partition, source), decrees)| said(domain, source, topology.joins(Partition(partition)), decrees));
    let said: Vec<Vec<Emission>> = said.collect();
    let mut all = Undisturbed::default();
    for output in 0..plan.partials_partitions {
        for published in published(domain, topology, &said, output) {
            let table = table::gold(plan, &published, output as i32).expect("rows encode");
            all.rows.extend(gold_rows(&published.rows));
            all.files.insert(table.path(), table.bytes);
        }
    }
    for (partition, items) in (0_i32..).zip(&said) {
        for item in items {
            if let Emission::Report(report) = item {
                let body = report_body(report, plan);
                let metrics = table::report(plan, partition, &body).expect("a report encodes");
                let samples = table::samples(plan, partition, &body).expect("samples encode");
                all.reports.push(said_report(partition, &body));
                all.files.insert(metrics.path(), metrics.bytes);
                all.files.extend(samples.map(|samples| (samples.path(), samples.bytes)));
            }
        }
    }
    all
}

/// The windows of an output.
fn published(domain: &Domain, topology: &Topology, said: &[Vec<Emission>], output: u32) -> Vec<Published> {
    let start = CollectorProgress::start(Offset(0), said.len());
    let mut collector = Collector::resume_in(domain.program.clone(), topology.clone(), &start);
    let mut at = 0;
    for (partition, items) in said.iter().enumerate() {
        for item in items {
            let from = Message { at: Offset(at), partition: Partition(partition as i32), incarnation: 1 };
            at += 1;
            match item {
                Emission::Partial(partial) if partial.output == output => collector.partial(from, partial.clone()),
                Emission::Seal(seal) => {
                    let closed = seal.closed.iter().copied().filter(|closed| closed.output == output).collect();
                    collector.seal(from, &Seal { closed, ..seal.clone() });
                }
                _ => {}
            }
        }
    }
    collector.complete().expect("small sums do not overflow")
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
    let position = lane.position().0;
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
            undecodable.push(Undecodable { offset, log_time, reason: "no sale".to_owned() });
        }
    }
    let rows = &domain.rows(&sales);
    let fetch = Fetch { rows, offsets: &offsets, log_times: &log_times, undecodable: &undecodable, end: Offset(end) };
    lane.feed(&fetch).expect("an undisturbed lane works")
}

//! What ought to have come out: an undisturbed reading of the same log with the same decrees, and the naive model's rows.
//!
//! The theorem promises the bytes of the undisturbed run *given the decrees that were committed*: when a partition is called
//! idle is a decision of the moment, but once committed it is part of what is replayed.

use std::collections::{BTreeMap, BTreeSet};

use stream_core::{
    Collector, CollectorProgress, Emission, Emissions, EventTime, Fetch, Lane, LogTime, Message, Offset, Partition,
    Progress, Seal, Undecodable,
};
use worker::publish::table;
use worker::wire::report_body;

use super::domain::{Domain, Sale};
use super::read::{Report, Row, gold, report};
use super::world::{Source, World};
use crate::model::{self, Broken, Decree, Group, Ledger, PartitionOutcome, Record, Verdict, publish, run_with_decrees};

/// Finds everything in which the world differs from what ought to be, unless a law is broken already.
pub fn judge(world: &mut World) {
    if !world.broken.is_empty() {
        return;
    }
    let domain = world.domain.clone();
    let decrees: Vec<Vec<Decree>> = (0..world.sources.len() as i32)
        .map(|partition| {
            let of_partition = world.group.decrees.range((partition, i64::MIN)..=(partition, i64::MAX));
            of_partition.map(|((_, at), to)| Decree { at: *at, to: *to }).collect()
        })
        .collect();
    let files = undisturbed(&domain, &world.sources, &decrees);
    differ(world, &files);
    let records =
        |source: &Source| -> Vec<Record> { source.entries.iter().map(super::domain::Entry::record).collect() };
    let outcomes: Vec<PartitionOutcome> = world
        .sources
        .iter()
        .zip(&decrees)
        .map(|(source, decrees)| {
            // "The least time above never" lies outside of the model's axis.
            let decrees: Vec<Decree> =
                decrees.iter().map(|decree| Decree { to: decree.to.max(0), ..*decree }).collect();
            run_with_decrees(&records(source), &domain.params, &decrees)
        })
        .collect();
    check_rows(world, &outcomes);
    check_reports(world, &outcomes);
    check_letters(world, &outcomes);
}

/// The files that a reading gives to which nothing happens.
pub fn undisturbed(domain: &Domain, sources: &[Source], decrees: &[Vec<Decree>]) -> BTreeMap<String, Vec<u8>> {
    let (plan, partitions) = (&domain.plan, sources.len());
    let said = sources.iter().zip(decrees).map(|(source, decrees)| said(domain, source, decrees));
    let said: Vec<Vec<Emission>> = said.collect();
    let mut files = BTreeMap::new();
    for output in 0..plan.partials_partitions {
        let start = CollectorProgress::start(Offset(0), partitions);
        let mut collector = Collector::resume(domain.program.clone(), &start);
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
        for published in collector.complete().expect("small sums do not overflow") {
            let table = table::gold(plan, &published, output as i32).expect("rows encode");
            files.insert(table.path(), table.bytes);
        }
    }
    for (partition, items) in said.iter().enumerate() {
        for item in items {
            if let Emission::Report(report) = item {
                let body = report_body(report, plan);
                let metrics = table::report(plan, partition as i32, &body).expect("a report encodes");
                files.insert(metrics.path(), metrics.bytes);
                let samples = table::samples(plan, partition as i32, &body).expect("samples encode");
                files.extend(samples.map(|samples| (samples.path(), samples.bytes)));
            }
        }
    }
    files
}

/// What a lane says that reads a log undisturbed.
pub(super) fn said(domain: &Domain, source: &Source, decrees: &[Decree]) -> Vec<Emission> {
    let mut lane = Lane::resume(domain.program.clone(), &Progress::start(Offset(source.low))).expect("a lane");
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
fn feed(domain: &Domain, source: &Source, lane: &mut Lane, until: i64) -> Emissions {
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

fn differ(world: &mut World, wanted: &BTreeMap<String, Vec<u8>>) {
    let paths: BTreeSet<&String> = world.files.keys().chain(wanted.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        match (world.files.get(path), wanted.get(path)) {
            (Some(one), Some(other)) if one == other => {}
            (Some(_), Some(_)) => found.push(format!("L3: '{path}' has other bytes than undisturbed")),
            (Some(_), None) => found.push(format!("L3: '{path}' is not there undisturbed")),
            (None, _) => found.push(format!("L3: '{path}' is missing")),
        }
    }
    world.broken.extend(found);
}

fn check_rows(world: &mut World, outcomes: &[PartitionOutcome]) {
    let mut rows: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for (_, bytes) in world.files.iter().filter(|(path, _)| path.starts_with("gold/")) {
        for (start, row) in gold(bytes) {
            rows.entry(start).or_default().push(row);
        }
    }
    for rows in rows.values_mut() {
        rows.sort();
    }
    let wanted = publish(outcomes).into_iter().map(|(window, rows)| {
        let mut rows: Vec<Row> = rows.iter().map(row_of).collect();
        rows.sort();
        (window.start, rows)
    });
    let wanted: BTreeMap<i64, Vec<Row>> = wanted.collect();
    if rows != wanted {
        let starts: BTreeSet<_> = rows.keys().chain(wanted.keys()).collect();
        let wrong = starts.into_iter().find(|start| rows.get(start) != wanted.get(start)).copied();
        let of = |rows: &BTreeMap<i64, Vec<Row>>| wrong.and_then(|start| rows.get(&start).cloned());
        world.broken.push(format!("model: window {wrong:?} holds {:?}, the model says {:?}", of(&rows), of(&wanted)));
    }
}

fn row_of(row: &model::Row) -> Row {
    let arg = &row.state.args[0];
    let there = |value: i128| (arg.count > 0).then_some(value);
    let mean = there(crate::worlds::nearest_even(arg.sum * 10_000, i128::from(arg.count.max(1))));
    let group: Group = row.group.clone();
    Row { group, sales: row.state.records as i64, money: [there(arg.sum), arg.max, mean] }
}

/// Laws L1 and L2 on the reports: every batch, each balanced, none twice.
fn check_reports(world: &mut World, outcomes: &[PartitionOutcome]) {
    let is_report = |path: &String| path.ends_with("/report.parquet");
    let mut found: Vec<Report> =
        world.files.iter().filter(|(path, _)| is_report(path)).map(|(_, bytes)| report(bytes)).collect();
    found.sort_by_key(|report| report.place);
    let wanted = (0_i32..).zip(outcomes).flat_map(|(partition, outcome)| {
        outcome.batches.iter().map(move |batch| Report {
            place: (partition, batch.first, batch.end),
            ledger: batch.ledger,
            rules: batch.rules.clone(),
        })
    });
    let wanted: Vec<Report> = wanted.collect();
    if let Some((one, other)) = found.iter().zip(&wanted).find(|(one, other)| one != other) {
        world.broken.push(format!("model: the report {one:?} ought to be {other:?}"));
    } else if found.len() != wanted.len() {
        world.broken.push(format!("model: {} reports, the model has {}", found.len(), wanted.len()));
    }
    let unbalanced = |report: &&Report| {
        let (_, first, end) = report.place;
        !report.ledger.balances() || report.ledger.consumed + report.ledger.gaps != (end - first).unsigned_abs()
    };
    if let Some(report) = found.iter().find(unbalanced) {
        world.broken.push(format!("L1: {report:?} does not balance"));
    }
    let all = found.iter().fold(Ledger::default(), |all, report| all.plus(&report.ledger));
    let records: usize = world.sources.iter().map(|source| source.entries.len()).sum();
    if all.consumed != records as u64 {
        world.broken.push(format!("L1: {} records are accounted for of {records}", all.consumed));
    }
}

/// Every refused record is a dead letter, with its reason, and no other record is.
fn check_letters(world: &mut World, outcomes: &[PartitionOutcome]) {
    let late_too = world.domain.program.late_to_dead_letter;
    let refusal = |verdict: &Verdict| match verdict {
        Verdict::Undecodable => Some("undecodable"),
        Verdict::Invalid(
            Broken::Rule(_) | Broken::EventIdMissing | Broken::EventTimeMissing | Broken::EventTimeFuture,
        ) => Some("invalid"),
        Verdict::Late if late_too => Some("late"),
        _ => None,
    };
    let letters = (0_i32..).zip(outcomes).flat_map(|(partition, outcome)| {
        let letter = move |(offset, verdict): &(i64, Verdict)| Some((partition, *offset, refusal(verdict)?));
        outcome.verdicts.iter().filter_map(letter)
    });
    let wanted: BTreeSet<_> = letters.collect();
    if let Some(missing) = wanted.difference(&world.letters).next() {
        world.broken.push(format!("the dead letter {missing:?} is missing"));
    }
    if let Some(extra) = world.letters.difference(&wanted).next() {
        world.broken.push(format!("the dead letter {extra:?} ought not to be"));
    }
}

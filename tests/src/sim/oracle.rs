//! What ought to have come out: an undisturbed reading of the same log with the same decrees, and the naive model's rows.
//!
//! The theorem promises the bytes of the undisturbed run *given the decrees that were committed*: when a partition is called
//! idle is a decision of the moment, but once committed it is part of what is replayed.

mod changed;
mod lost;

use std::collections::{BTreeMap, BTreeSet};

use stream_core::{EventTime, Partition, Topology};

use super::domain::Domain;
use super::read::{Report, Row, gold, report};
use super::undisturbed::undisturbed;
use super::world::{Source, World};
use crate::model::{
    self, Broken, Decree, Group, History, Ledger, PartitionOutcome, Record, Verdict, Window, publish, run_with_decrees,
};

/// Finds everything in which the world differs from what ought to be, unless a law is broken already. Where `decoded`, the rows are those
/// that the published files hold; otherwise those of which the same bytes were made.
pub fn judge(world: &mut World, decoded: bool) {
    if !world.broken.is_empty() {
        return;
    }
    let mut wanted = undisturbed(world);
    let whole = std::mem::take(&mut wanted.files);
    if world.lost.is_empty() {
        differ(world, &whole);
    } else {
        lost::differ(world, &whole);
    }
    if decoded || !world.broken.is_empty() || !world.lost.is_empty() {
        let of = |part: &'static str| world.files.iter().filter(move |(path, _)| path.contains(part));
        wanted.rows = of("gold/").flat_map(|(_, bytes)| gold(bytes)).collect();
        wanted.reports = of("/report.parquet").map(|(_, bytes)| report(bytes)).collect();
    }
    let mut told = if world.revised.is_some() { changed::told(world) } else { unchanged(world) };
    if !world.lost.is_empty() {
        let excused = lost::excused(world, told.windows.keys());
        told.windows.retain(|window, _| !excused.contains(&window.start));
        wanted.rows.retain(|(start, _)| !excused.contains(start));
        lost::check_cover(world, &wanted.reports);
    }
    check_rows(world, wanted.rows, told.windows);
    check_balance(world, &wanted.reports);
    check_reports(world, wanted.reports, told.reports);
    check_letters(world, &told.verdicts);
}

/// What the model says of everything.
struct Told {
    /// The rows of each window, by its start.
    windows: BTreeMap<Window, Vec<model::Row>>,
    /// The reports.
    reports: Reports,
    /// The verdict of each record, by partition.
    verdicts: Vec<Vec<(i64, Verdict)>>,
}

/// What the model says of the reports.
enum Reports {
    /// Each of them.
    Each(Vec<Report>),
    /// What all of a partition add up to.
    Sums(Vec<Ledger>),
}

/// The model where there is one meaning.
fn unchanged(world: &mut World) -> Told {
    let (domain, topology) = (world.domain.clone(), world.topology());
    let decrees: Vec<Vec<Decree>> =
        (0..world.sources.len() as i32).map(|partition| world.decrees(0, partition)).collect();
    let outcomes = (0..).zip(&world.sources).zip(&decrees).map(|((partition, source), decrees)| {
        let joins = topology.joins(Partition(partition));
        run_with_decrees(&records(&domain, source), &domain.params, &with_join(source.low, joins, decrees))
    });
    let outcomes: Vec<PartitionOutcome> = outcomes.collect();
    tell_decreed(world, &topology, &outcomes, &decrees);
    let reports = (0_i32..).zip(&outcomes).flat_map(|(partition, outcome)| {
        outcome.batches.iter().map(move |batch| Report {
            place: (partition, batch.first, batch.end),
            ledger: batch.ledger,
            rules: batch.rules.clone(),
        })
    });
    Told {
        windows: publish(&outcomes),
        reports: Reports::Each(reports.collect()),
        verdicts: outcomes.iter().map(|outcome| outcome.verdicts.clone()).collect(),
    }
}

fn records(domain: &Domain, source: &Source) -> Vec<Record> {
    source.entries.iter().map(|entry| domain.record(entry)).collect()
}

/// For the model a partition that joins begins with a decree.
fn with_join(first: i64, joins: EventTime, decrees: &[Decree]) -> Vec<Decree> {
    let joined = (joins != EventTime::NEVER).then_some(Decree { at: first, to: joins.0 });
    // "The least time above never" lies outside of the model's axis.
    let decrees = decrees.iter().map(|decree| Decree { to: decree.to.max(0), ..*decree });
    joined.into_iter().chain(decrees).collect()
}

/// Counts the partitions on which a decree made a record late.
fn tell_decreed(world: &mut World, topology: &Topology, outcomes: &[PartitionOutcome], decrees: &[Vec<Decree>]) {
    let domain = world.domain.clone();
    let is_late = |(_, verdict): &(i64, Verdict)| *verdict == Verdict::Late;
    for (partition, (outcome, decrees)) in outcomes.iter().zip(decrees).enumerate() {
        if decrees.is_empty() || !outcome.verdicts.iter().any(is_late) {
            continue;
        }
        let source = &world.sources[partition];
        let joined = with_join(source.low, topology.joins(Partition(partition as i32)), &[]);
        let without = History::new(&domain.params, &records(&domain, source), &joined).verdicts();
        if outcome.verdicts.iter().zip(&without).any(|(with, without)| is_late(with) && !is_late(without)) {
            world.tally.count("recovery: a record was late by a decree alone");
        }
    }
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

fn check_rows(world: &mut World, found: Vec<(i64, Row)>, windows: BTreeMap<Window, Vec<model::Row>>) {
    let mut rows: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for (start, row) in found {
        rows.entry(start).or_default().push(row);
    }
    for rows in rows.values_mut() {
        rows.sort();
    }
    let wanted = windows.into_iter().map(|(window, rows)| {
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

/// Law L1: every batch balances, and all records are in one.
fn check_balance(world: &mut World, found: &[Report]) {
    let unbalanced = |report: &&Report| {
        let (_, first, end) = report.place;
        !report.ledger.balances() || report.ledger.consumed + report.ledger.gaps != (end - first).unsigned_abs()
    };
    if let Some(report) = found.iter().find(unbalanced) {
        world.broken.push(format!("L1: {report:?} does not balance"));
    }
    let is_whole = |partition: i32| !world.lost.contains_key(&partition);
    let whole = found.iter().filter(|report| is_whole(report.place.0));
    let all = whole.fold(Ledger::default(), |all, report| all.plus(&report.ledger));
    let sources = (0_i32..).zip(&world.sources).filter(|(partition, _)| is_whole(*partition));
    let records: usize = sources.map(|(_, source)| source.entries.len()).sum();
    if all.consumed != records as u64 {
        world.broken.push(format!("L1: {} records are accounted for of {records}", all.consumed));
    }
}

/// Law L2 on the reports: each is what the model says, none twice.
fn check_reports(world: &mut World, mut found: Vec<Report>, wanted: Reports) {
    let mut wanted = match wanted {
        Reports::Each(wanted) => wanted,
        Reports::Sums(wanted) => return check_sums(world, &found, &wanted),
    };
    found.retain(|report| !world.lost.contains_key(&report.place.0));
    wanted.retain(|report| !world.lost.contains_key(&report.place.0));
    found.sort_by_key(|report| report.place);
    // The records of a batch compared with others are nothing that the model knows.
    for report in &mut found {
        report.rules.truncate(world.domain.params.dead_letter.len());
    }
    if let Some((one, other)) = found.iter().zip(&wanted).find(|(one, other)| one != other) {
        world.broken.push(format!("model: the report {one:?} ought to be {other:?}"));
    } else if found.len() != wanted.len() {
        world.broken.push(format!("model: {} reports, the model has {}", found.len(), wanted.len()));
    }
}

/// The reports of each partition add up to what the model says of its records.
fn check_sums(world: &mut World, found: &[Report], wanted: &[Ledger]) {
    for (partition, wanted) in (0_i32..).zip(wanted) {
        if world.lost.contains_key(&partition) {
            continue;
        }
        let of_partition = found.iter().filter(|report| report.place.0 == partition);
        let all = of_partition.fold(Ledger::default(), |all, report| all.plus(&report.ledger));
        let found = Ledger { gaps: 0, ..all };
        if found != *wanted {
            world.broken.push(format!("model: partition {partition} reports {found:?}, the model says {wanted:?}"));
        }
    }
}

/// Every refused record is a dead letter, with its reason, and no other record is. What an owner that did not know of a change said
/// of records behind its commit does not count: from there on they are judged anew, and letters cannot be called back.
fn check_letters(world: &mut World, verdicts: &[Vec<(i64, Verdict)>]) {
    let late_too = world.domain.program.late_to_dead_letter;
    let refusal = |verdict: &Verdict| match verdict {
        Verdict::Undecodable => Some("undecodable"),
        Verdict::Invalid(
            Broken::Rule(_)
            | Broken::EventIdMissing
            | Broken::EventTimeMissing
            | Broken::EventTimeRange
            | Broken::EventTimeFuture,
        ) => Some("invalid"),
        Verdict::Late if late_too => Some("late"),
        _ => None,
    };
    let letters = (0_i32..).zip(verdicts).flat_map(|(partition, verdicts)| {
        let letter = move |(offset, verdict): &(i64, Verdict)| Some((partition, *offset, refusal(verdict)?));
        verdicts.iter().filter_map(letter)
    });
    let is_whole = |partition: i32| !world.lost.contains_key(&partition);
    let wanted: BTreeSet<_> = letters.filter(|(partition, ..)| is_whole(*partition)).collect();
    let since = |partition: &i32| world.revised.as_ref().and_then(|revised| Some(revised.since.get(partition)?.0));
    let counts = |(partition, offset, reason, is_new): &(i32, i64, &'static str, bool)| {
        let counts = *is_new || since(partition).is_none_or(|since| *offset < since);
        (counts && is_whole(*partition)).then_some((*partition, *offset, *reason))
    };
    let found: BTreeSet<_> = world.letters.iter().filter_map(counts).collect();
    if let Some(missing) = wanted.difference(&found).next() {
        world.broken.push(format!("the dead letter {missing:?} is missing"));
    }
    if let Some(extra) = found.difference(&wanted).next() {
        world.broken.push(format!("the dead letter {extra:?} ought not to be"));
    }
}

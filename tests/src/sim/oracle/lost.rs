//! What ought to be where logs have lost their beginnings: every window that is closed and that no seal names is the one that the whole log
//! gives, to the byte; every other one is marked with what the seals name. Nothing else is asked of those, and of a partition that has lost
//! something every record is accounted for that it did not go on without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, SealBody};
use stream_core::Loss;
use worker::publish::gold::{Gold, Lost};
use worker::publish::table::parse_gold_name;

use crate::model;
use crate::sim::read::Report;
use crate::sim::world::World;

/// A window of an output: output, start, end.
type Place = (i32, i64, i64);

/// Finds the files that are not what they ought to be, if the whole log gives `whole`.
pub fn differ(world: &mut World, whole: &BTreeMap<String, Vec<u8>>) {
    let mut broken = Vec::new();
    let (found, wanted) = (gold(&world.files), gold(whole));
    let places: BTreeSet<&Place> = found.keys().chain(wanted.keys()).collect();
    for place in places {
        let (found, wanted, marks) = (found.get(place), wanted.get(place), marks(world, *place));
        let is_same = found.map(|(path, bytes, _)| (path, bytes)) == wanted.map(|(path, bytes, _)| (path, bytes));
        if let Some((path, _, file)) = found
            && file.lost != marks
        {
            broken.push(format!("loss: '{path}' is marked with {:?}, the seals name {marks:?}", file.lost));
        }
        let stays_open = stays_open(world, *place);
        if marks.is_empty() && !is_same && !stays_open {
            let paths = [found, wanted].map(|file| file.map(|(path, ..)| path));
            broken.push(format!("L3: {paths:?}, found and wanted, differ in a window that is not marked"));
        }
        world.tally.count(match (found, wanted) {
            _ if stays_open => "loss: nothing is left that would close a window",
            _ if marks.is_empty() => "loss: a window beside a loss is whole",
            (Some((.., found)), Some((.., wanted))) if found.rows.columns() == wanted.rows.columns() => {
                "loss: a marked window lacks nothing"
            }
            (Some(_), _) => "loss: a marked window is another than the whole log gives",
            (None, _) => "loss: a window of which nothing is left has no file",
        });
    }
    let is_whole = |path: &str| partition_of(path).is_some_and(|partition| !world.lost.contains_key(&partition));
    let paths = world.files.keys().chain(whole.keys()).filter(|path| is_whole(path));
    for path in paths.collect::<BTreeSet<_>>() {
        if world.files.get(path) != whole.get(path) {
            broken.push(format!("L3: '{path}' differs from what is undisturbed"));
        }
    }
    world.broken.extend(broken);
}

fn gold(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<Place, (&String, &Vec<u8>, Gold)> {
    let gold = files.iter().filter_map(|(path, bytes)| {
        let (_, output) = parse_gold_name(path.rsplit('/').next().filter(|_| path.starts_with("gold/"))?)?;
        let file = Gold::read(bytes.clone()).expect("a published file reads");
        Some(((output, file.window.0, file.window.1), (path, bytes, file)))
    });
    gold.collect()
}

/// The partition of which a report or its samples tell.
fn partition_of(path: &str) -> Option<i32> {
    path.split_once("batch_id=")?.1.split_once('-')?.0.parse().ok()
}

/// What the seal names of a window, of each partition, that was the first to close it.
fn marks(world: &World, (output, start, end): Place) -> Vec<Lost> {
    let new = world.revised.as_ref().filter(|_| world.is_new(start)).map(|revised| &revised.domain);
    let meaning = new.unwrap_or(&world.domain).plan.revision;
    let mut owners: BTreeMap<i32, (u64, i64)> = BTreeMap::new();
    let mut marks = Vec::new();
    let mut joiner = Joiner::default();
    let whole = |(at, value): (i64, &Arc<Vec<u8>>)| joiner.take(at, value).ok().flatten();
    for record in (0..).zip(&world.outputs[output as usize]).filter_map(whole) {
        let (partition, incarnation) = (record.from.partition, record.from.incarnation);
        let (owner, sealed) = owners.entry(partition).or_insert((0, i64::MIN));
        match record.content {
            Content::Fence => *owner = incarnation.max(*owner),
            Content::Seal(SealBody { until, lost, .. }) if incarnation >= *owner && record.from.revision == meaning => {
                if *sealed < end && end <= until {
                    let concerns =
                        |after: i64, until: Option<i64>| end > after && until.is_none_or(|until| start < until);
                    let named = lost.iter().filter(|loss| concerns(loss.after, loss.until));
                    marks.extend(named.map(|loss| Lost { partition, from: loss.from, to: loss.to }));
                }
                *sealed = until.max(*sealed);
            }
            _ => {}
        }
    }
    marks.sort_unstable_by_key(|lost| (lost.partition, lost.from, lost.to));
    marks
}

/// Whether a partition that has lost something has not closed a window: without a valid record it has no watermark.
fn stays_open(world: &World, (output, start, end): Place) -> bool {
    let sealed = |partition: i32| world.sealed.get(&(output as usize, partition, world.is_new(start)));
    world.lost.keys().any(|partition| sealed(*partition).is_none_or(|sealed| *sealed < end))
}

/// The starts of those windows that are marked or stay open at any output, of `windows` and of those that have files.
pub fn excused<'a>(world: &World, windows: impl Iterator<Item = &'a model::Window>) -> BTreeSet<i64> {
    let outputs = || 0..world.outputs.len() as i32;
    let is_excused = |(start, end): &(i64, i64)| {
        let place = |output| (output, *start, *end);
        outputs().any(|output| !marks(world, place(output)).is_empty() || stays_open(world, place(output)))
    };
    let written = gold(&world.files).into_keys().map(|(_, start, end)| (start, end));
    let windows = windows.map(|window| (window.start, window.end)).chain(written);
    windows.filter(is_excused).map(|(start, _)| start).collect()
}

/// Every record of a partition that has lost something is in a report, unless that is what the partition went on without. It is in two
/// only where an owner told more than it committed before the next one went on.
pub fn check_cover(world: &mut World, reports: &[Report]) {
    let mut broken = Vec::new();
    // Around a change of meaning the batches of both overlap.
    for (partition, losses) in world.lost.iter().filter(|_| world.revised.is_none()) {
        let went_without = |offset: i64, loss: &Loss| loss.from.0 <= offset && offset < loss.to.0.max(loss.position.0);
        for entry in &world.sources[*partition as usize].entries {
            let holds = |report: &&Report| {
                let (of, first, end) = report.place;
                of == *partition && (first..end).contains(&entry.offset)
            };
            let count = reports.iter().filter(holds).count();
            let is_lost = losses.iter().any(|loss| went_without(entry.offset, loss));
            let may_be_told_again = losses.iter().any(|loss| loss.position.0 <= entry.offset);
            if (count == 0 && !is_lost) || (count > 1 && !may_be_told_again) {
                let offset = entry.offset;
                broken.push(format!("L1: record {offset} of partition {partition} is in {count} reports: {losses:?}"));
            }
        }
    }
    world.broken.extend(broken);
}

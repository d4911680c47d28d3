//! The same around a change of meaning: the lane of the meaning before alone, then both side by side.

use stream_core::{BeforeProgress, Emission, Lane, Lanes, Offset, Partition, Progress, Said, Targets};

use super::{EventTime, There, feed, said};
use crate::sim::world::{Revised, Source, World};

/// What partition `partition` says in the meaning before and in the new one.
pub fn said_of(world: &World, revised: &Revised, partition: i32) -> (Vec<Emission>, Vec<Emission>) {
    let source = &world.sources[partition as usize];
    let joins = world.topology().joins(Partition(partition));
    let Some(since) = revised.since.get(&partition).copied() else {
        // It joined when there was the new meaning alone.
        return (Vec::new(), said(&revised.domain, source, joins, &world.decrees(1, partition)));
    };
    let (mut before, mut now) = (Vec::new(), Vec::new());
    let entered = revised.entered[&partition];
    let mut lanes = begin(world, revised, (partition, entered, since), &mut before);
    let mut say = |said: Said| {
        before.extend(said.before.items);
        now.extend(said.now.items);
    };
    for (at, targets) in targets(world, partition, entered) {
        read(world, revised, source, &mut lanes, at, &mut say);
        say(lanes.decree(targets).expect("a decree").said);
    }
    let end = source.entries.last().map_or(entered.0, |last| last.offset + 1);
    read(world, revised, source, &mut lanes, end, &mut say);
    (before, now)
}

/// The lanes where there were two of them first; what the meaning before had said until then.
fn begin(
    world: &World,
    revised: &Revised,
    (partition, entered, since): (i32, Offset, Offset),
    said: &mut Vec<Emission>,
) -> Lanes {
    let (source, change) = (&world.sources[partition as usize], &revised.previous.change);
    let joins = world.topology().joins(Partition(partition));
    let start = Progress::join(Offset(source.low), joins);
    let mut lane = Lane::resume(world.domain.program.clone(), &start).expect("a lane");
    let both = world.decrees(1, partition);
    let is_alone = |at: i64| at < entered.0 || (at == entered.0 && both.iter().all(|decree| decree.at != at));
    for decree in world.decrees(0, partition).iter().filter(|decree| is_alone(decree.at)) {
        said.extend(feed(&world.domain, source, &mut lane, decree.at).items);
        said.extend(lane.decree(EventTime(decree.to)).expect("a decree").emissions.items);
    }
    said.extend(feed(&world.domain, source, &mut lane, entered.0).items);
    let first = source.first_at(change.begins()).map_or(entered, |first| first.min(entered));
    let before = BeforeProgress { progress: lane.progress(), since };
    Lanes::resume(revised.domain.program.clone(), change.clone(), &change.begin(first), &before).expect("lanes")
}

/// The decrees that were made for both, by position.
fn targets(world: &World, partition: i32, entered: Offset) -> Vec<(i64, Targets)> {
    let [before, now] = [0, 1].map(|meaning| world.decrees(meaning, partition));
    let in_both = now.iter().map(|decree| {
        let at = decree.at;
        let of_before = before.iter().find(|decree| decree.at == at).map_or(EventTime::NEVER, |it| EventTime(it.to));
        (at, Targets { before: of_before, now: EventTime(decree.to) })
    });
    in_both.filter(|(at, _)| *at >= entered.0).collect()
}

/// Reads up to `until`.
fn read(world: &World, revised: &Revised, source: &Source, lanes: &mut Lanes, until: i64, say: &mut impl FnMut(Said)) {
    while lanes.position().0 < until {
        let there = There::between(source, lanes.position().0, until);
        let (before, now) = (world.domain.rows(&there.sales), revised.domain.rows(&there.sales));
        say(lanes.feed(&there.fetch(&now), Some(&there.fetch(&before))).expect("undisturbed lanes work"));
    }
}

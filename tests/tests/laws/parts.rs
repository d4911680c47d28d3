//! Partials of many parts, which random worlds are too small for; and parts that are missing, or not what they should be.

use std::sync::Arc;

use stream_core::{
    Collector, CollectorProgress, Emission, EventTime, Message, Offset, Partial, Partition, Program, Published, Seal,
};
use tests::model::{Doubt, Event, Params, Record};
use tests::worlds::{Cutting, Drive, Log, Said, Setting, program, read_gold, read_partial};

/// Groups in the window of each partition, most of them in both.
const GROUPS: i64 = 9_000;

fn setting() -> Setting {
    let params = Params {
        delay: 1_000,
        max_future_skew: 1_000,
        earliest: -1_000_000_000,
        doubt: Doubt::NONE,
        window: 1_000,
        window_offset: 0,
        batch_interval: 1_000_000,
        batch_max_records: 1_000_000,
        dead_letter: Vec::new(),
    };
    Setting { params, outputs: 1, late_to_dead_letter: true }
}

/// Record `n` is in group `n · step mod GROUPS + shift`, so that groups come in no order.
fn log(step: i64, shift: i64, padding: usize, groups: i64) -> Log {
    let event = |n: i64| Event {
        id: Some(n.to_string()),
        event_time: Some(n % 1_000),
        rules: Vec::new(),
        filter: true,
        group: vec![Some(format!("{:05}{:padding$}", (n * step) % groups + shift, "")), None],
        values: vec![Some(1), Some(i128::from(n))],
    };
    let records = (0..groups).map(|n| Record { offset: n, log_time: 0, decodable: Some(event(n)) });
    Log::new(&setting().params, records.collect())
}

/// What a lane says that reads `log` in fetches of `fetch` records and is drained then.
fn said(program: &Arc<Program>, log: &Log, fetch: usize) -> Vec<Emission> {
    let mut said = Said::default();
    let mut drive = Drive::start(log, program).expect("text can be compared");
    let mut cutting = Cutting::new(vec![(fetch, 0)]);
    drive.run(&[], &mut cutting, |step| said.add(step.emissions)).expect("nothing overflows");
    said.add(drive.lane.decree(EventTime(1_000)).expect("nothing overflows").emissions);
    said.items
}

/// The parts, and the seal that closes the window.
fn parts_and_seal(said: &[Emission]) -> (Vec<Partial>, Seal) {
    let part = |item: &Emission| if let Emission::Partial(partial) = item { Some(partial.clone()) } else { None };
    let seal = |item: &Emission| if let Emission::Seal(seal) = item { Some(seal.clone()) } else { None };
    (said.iter().filter_map(part).collect(), said.iter().rev().find_map(seal).expect("it was drained"))
}

/// Takes in everything, the parts of each partition in the order that `shuffle` leaves them in.
fn publish(program: &Arc<Program>, lanes: &[Vec<Emission>], shuffle: impl Fn(&mut Vec<Partial>)) -> Collector {
    let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), lanes.len()));
    let mut at = 0;
    for (partition, said) in (0..).zip(lanes) {
        let mut from = || {
            at += 1;
            Message { at: Offset(at - 1), partition: Partition(partition), incarnation: 1 }
        };
        let (mut parts, seal) = parts_and_seal(said);
        shuffle(&mut parts);
        for part in parts {
            collector.partial(from(), part);
        }
        collector.seal(from(), &seal);
    }
    collector
}

fn only(mut collector: Collector) -> Published {
    let mut published = collector.complete().expect("nothing overflows");
    assert_eq!(published.len(), 1, "one window is complete");
    published.remove(0)
}

#[test]
fn many_groups_make_parts_in_the_order_of_the_groups() {
    let program = program(&setting());
    let logs = [log(7_919, 0, 0, GROUPS), log(4_099, 100, 0, GROUPS)];
    let lanes = logs.each_ref().map(|log| said(&program, log, usize::MAX));
    for (log, lane) in logs.iter().zip(&lanes) {
        let (parts, seal) = parts_and_seal(lane);
        assert_eq!(parts.iter().map(|part| part.part).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(seal.closed.iter().map(|closed| closed.parts).collect::<Vec<_>>(), [3]);
        let groups: Vec<_> = parts.iter().flat_map(|part| read_partial(&part.rows)).map(|(group, _)| group).collect();
        assert!(groups.len() as i64 == GROUPS && groups.is_sorted_by(|a, b| a < b), "in the order of the groups");
        assert_eq!(said(&program, log, 1_234), *lane, "cut otherwise");
    }

    let published = only(publish(&program, &lanes, |_| {}));
    let rows = read_gold(&published.rows);
    assert_eq!(rows.len() as i64, GROUPS + 100);
    assert!(rows.is_sorted_by(|a, b| a.group < b.group));
    assert_eq!(rows.iter().map(|row| row.records as i64).sum::<i64>(), 2 * GROUPS);
    let sums: i128 = rows.iter().filter_map(|row| row.args[1].sum).sum();
    assert_eq!(sums, i128::from(GROUPS * (GROUPS - 1)));
    assert_eq!(only(publish(&program, &lanes, |parts| parts.reverse())), published, "whatever order they arrive in");
}

#[test]
fn long_groups_make_small_parts() {
    let program = program(&setting());
    let lane = said(&program, &log(7, 0, 2_000, 400), usize::MAX);
    let (parts, _) = parts_and_seal(&lane);
    let rows: Vec<_> = parts.iter().map(|part| part.rows.num_rows()).collect();
    assert!(rows.len() > 2 && rows.iter().all(|rows| *rows < 200), "{rows:?}");
    let gold = read_gold(&only(publish(&program, &[lane], |_| {})).rows);
    assert_eq!(gold.len(), 400);
}

#[test]
fn a_window_with_a_missing_part_waits() {
    let program = program(&setting());
    let lane = said(&program, &log(7_919, 0, 0, GROUPS), usize::MAX);
    for missing in 0..3 {
        let without = |parts: &mut Vec<Partial>| drop(parts.remove(missing));
        let mut collector = publish(&program, std::slice::from_ref(&lane), without);
        assert_eq!(collector.complete().expect("nothing overflows"), []);
        let waiting: Vec<_> = collector.waiting().map(|(window, unsealed)| (window.start.0, unsealed)).collect();
        assert_eq!(waiting, [(0, Vec::new())], "everybody sealed it, and yet");
        let from = Message { at: Offset(99), partition: Partition(0), incarnation: 1 };
        collector.partial(from, parts_and_seal(&lane).0.remove(missing));
        only(collector);
    }
}

/// A message in pieces counts at its last one, and a restart reads it again from its first, with what was known there: also a message of
/// another partition that lies between, and whose sender was replaced before the last piece.
#[test]
fn a_message_in_pieces_is_read_again_from_its_first_piece() {
    let program = program(&setting());
    let lanes = [7, 11].map(|step| said(&program, &log(step, 0, 0, 50), usize::MAX));
    let [one, other] = lanes.each_ref().map(|lane| parts_and_seal(lane));
    let from = |at, partition, incarnation| Message { at: Offset(at), partition: Partition(partition), incarnation };
    let part = |from: &(Vec<Partial>, Seal)| from.0[0].clone();
    let tell = |collector: &mut Collector, since: i64, until: i64| {
        for at in since..until {
            match at {
                // The first piece of partition 0's part.
                3 => collector.hold([(Partition(0), 1, Offset(3))].into_iter()),
                4 => collector.partial(from(4, 1, 1), part(&other)),
                5 => collector.seal(from(5, 1, 1), &other.1),
                6 => collector.fence(from(6, 1, 2)),
                // The last one.
                7 => {
                    collector.partial(from(7, 0, 1), part(&one));
                    collector.hold([].into_iter());
                }
                8 => collector.seal(from(8, 0, 1), &one.1),
                _ => {}
            }
            collector.advance(Offset(at + 1));
        }
    };
    let mut undisturbed = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), 2));
    tell(&mut undisturbed, 0, 9);
    let published = only(undisturbed);
    for killed in 0..9 {
        let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), 2));
        tell(&mut collector, 0, killed);
        let progress = collector.progress();
        let first = if killed > 3 { 3 } else { killed };
        assert_eq!((progress.position, progress.anchor), (Offset(killed), Offset(first)), "killed before {killed}");
        let mut again = Collector::resume(program.clone(), &progress);
        tell(&mut again, progress.anchor.0, 9);
        assert_eq!(only(again), published, "killed before {killed}");
    }
}

#[test]
fn parts_that_differ_from_what_their_seal_names_are_not_published() {
    let program = program(&setting());
    let lane = said(&program, &log(7_919, 0, 0, GROUPS), usize::MAX);
    let swapped = |parts: &mut Vec<Partial>| {
        parts[0].part = 1;
        parts[1].part = 0;
    };
    let mut collector = publish(&program, &[lane], swapped);
    assert_eq!(collector.complete().expect("nothing overflows"), []);
}

#[test]
fn two_partials_that_cannot_both_be_true_stop_their_window_alone() {
    let program = program(&setting());
    let said_of = |step| said(&program, &log(step, 0, 0, 50), usize::MAX);
    let (one, other) = (said_of(7), said_of(11));
    let (parts, seal) = parts_and_seal(&one);
    let mut collector = publish(&program, &[one], |_| {});
    let from = |at| Message { at: Offset(at), partition: Partition(0), incarnation: 1 };
    collector.partial(from(50), parts[0].clone());
    collector.seal(from(51), &seal);
    assert_eq!(collector.divergences(), [], "the same again is no contradiction");
    collector.partial(from(52), parts_and_seal(&other).0.remove(0));
    assert_eq!(collector.divergences().len(), 1);
    assert_eq!(collector.complete().expect("nothing overflows"), [], "stopped");
    let later = Seal { until: EventTime(5_000), closed: Vec::new(), ..seal };
    collector.seal(from(53), &later);
    assert_eq!(collector.complete().expect("nothing overflows"), [], "for ever");
    assert_eq!(collector.published_until(), EventTime(0));
}

/// The name of a file carries the digest: other rows, or rows of other records, are another file.
#[test]
fn the_digest_is_that_of_the_rows_and_of_where_they_came_from() {
    let program = program(&setting());
    let digest = |lanes: &[Vec<Emission>]| only(publish(&program, lanes, |_| {})).digest;
    let said_of = |step| said(&program, &log(step, 0, 0, 50), usize::MAX);
    let one = digest(&[said_of(7), said_of(7)]);
    assert_eq!(one, digest(&[said_of(7), said_of(7)]));
    assert_ne!(one, digest(&[said_of(7), said_of(11)]), "the values of two groups are exchanged");

    // The same rows, of records one offset later.
    let early = log(7, 0, 0, 50);
    let mut records = early.records.clone();
    for record in &mut records {
        record.offset += 1;
    }
    let late = Log::new(&setting().params, records);
    let [early, late] = [early, late].map(|log| only(publish(&program, &[said(&program, &log, usize::MAX)], |_| {})));
    assert_eq!(early.rows, late.rows);
    assert_ne!(early.digest, late.digest);
}

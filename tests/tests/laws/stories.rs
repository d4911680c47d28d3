//! What once was wrong in the core, each as short as it gets.

use std::sync::Arc;

use stream_core::{
    Collector, CollectorProgress, Decreed, Emission, EventTime, Message, Offset, Partial, Partition, Program, Seal,
};
use tests::model::{Decree, Event, Params, Record};
use tests::worlds::{Cutting, Drive, Log, Setting, program, undisturbed};

/// Windows of ten milliseconds that close as soon as a record lies past their end.
fn setting() -> Setting {
    let params = Params {
        delay: 0,
        max_future_skew: 100,
        window: 10,
        window_offset: 0,
        batch_interval: 1000,
        batch_max_records: 1000,
        dead_letter: Vec::new(),
    };
    Setting { params, outputs: 1, late_to_dead_letter: true }
}

/// One event at each of `times`.
fn log(times: &[i64]) -> Log {
    log_of(&times.iter().map(|time| (*time, 1)).collect::<Vec<_>>())
}

/// One event for each (event time, value).
fn log_of(events: &[(i64, i128)]) -> Log {
    let event = |n: i64, time: i64, value: i128| Event {
        id: Some(format!("id {n}")),
        event_time: Some(time),
        rules: Vec::new(),
        filter: true,
        group: vec![None, None],
        values: vec![Some(1), Some(value)],
    };
    let record = |(n, (time, value)): (i64, &(i64, i128))| {
        let decodable = Some(event(n, *time, *value));
        Record { offset: n, log_time: n, decodable }
    };
    Log::new(&setting().params, (0..).zip(events).map(record).collect())
}

fn seals(emissions: &[Emission]) -> Vec<i64> {
    emissions
        .iter()
        .filter_map(|item| if let Emission::Seal(seal) = item { Some(seal.until.0) } else { None })
        .collect()
}

/// An empty partition is decreed to, and its owner dies between the commit and the seal.
fn decreed_and_dead(log: &Log) -> Decreed {
    let mut drive = Drive::start(log, &program(&setting())).expect("text can be compared");
    drive.lane.decree(EventTime(100)).expect("nothing overflows")
}

#[test]
fn a_commit_does_not_forget_a_decree_that_is_still_to_be_sent() {
    let log = log(&[]);
    let Decreed { progress, emissions } = decreed_and_dead(&log);
    assert_eq!(seals(&emissions.items), [100]);

    let mut heir = Drive::resume(&log, &program(&setting()), &progress).expect("text can be compared");
    assert_eq!(heir.lane.progress(), progress, "nothing has changed yet");
    let said = heir.step(0, &mut Cutting::whole()).expect("nothing overflows");
    assert_eq!(said.items, emissions.items);
    assert!(!heir.lane.progress().decree_pending);
}

#[test]
fn a_decree_right_after_one_that_is_still_to_be_sent_takes_it_in() {
    let log = log(&[]);
    let Decreed { progress, .. } = decreed_and_dead(&log);
    for (next, expected) in [(50, 100), (100, 100), (150, 150)] {
        let mut heir = Drive::resume(&log, &program(&setting()), &progress).expect("text can be compared");
        let decreed = heir.lane.decree(EventTime(next)).expect("nothing overflows");
        assert_eq!(decreed.progress.watermark, EventTime(expected), "it does not go back");
        assert_eq!(seals(&decreed.emissions.items), [expected]);
        let mut third = Drive::resume(&log, &program(&setting()), &decreed.progress).expect("text can be compared");
        let said = third.step(0, &mut Cutting::whole()).expect("nothing overflows");
        assert_eq!(said.items, decreed.emissions.items, "and comes again");
    }
}

#[test]
fn decrees_at_one_position_are_committed_as_one() {
    let log = log(&[1]);
    let mut drive = Drive::start(&log, &program(&setting())).expect("text can be compared");
    drive.step(1, &mut Cutting::whole()).expect("nothing overflows");
    for watermark in 2..9 {
        drive.lane.decree(EventTime(watermark)).expect("nothing overflows");
        assert_eq!(drive.lane.progress().decrees.len(), 1, "the window is still open");
    }
    drive.lane.decree(EventTime(10)).expect("nothing overflows");
    assert_eq!(drive.lane.progress().decrees, [], "nothing is open, the anchor holds everything");
}

/// What a partition sends that reads events at `times` and is drained then.
fn sent(program: &Arc<Program>, times: &[i64]) -> Vec<Emission> {
    sent_of(program, &log(times))
}

fn sent_of(program: &Arc<Program>, log: &Log) -> Vec<Emission> {
    let drain = Decree::after(&log.records, 100);
    undisturbed(log, program, &[drain], Cutting::whole()).expect("nothing overflows").items
}

/// A publisher, and the offset of its next message.
struct Publisher {
    collector: Collector,
    at: i64,
}

impl Publisher {
    fn resume(program: &Arc<Program>, progress: &CollectorProgress) -> Self {
        Self { collector: Collector::resume(program.clone(), progress), at: progress.anchor.0 }
    }

    fn from(&mut self, partition: i32, incarnation: u64) -> Message {
        self.at += 1;
        Message { at: Offset(self.at - 1), partition: Partition(partition), incarnation }
    }

    fn take_in(&mut self, partition: i32, incarnation: u64, sent: &[Emission]) {
        for item in sent {
            match item {
                Emission::Partial(partial) => {
                    let from = self.from(partition, incarnation);
                    self.collector.partial(from, Partial::clone(partial));
                }
                Emission::Seal(seal) => {
                    let from = self.from(partition, incarnation);
                    self.collector.seal(from, &Seal::clone(seal));
                }
                Emission::Report(_) => {}
            }
        }
    }

    fn fence(&mut self, partition: i32, incarnation: u64) {
        let from = self.from(partition, incarnation);
        self.collector.fence(from);
    }
}

/// What it sent as the old owner is not to be thrown away because the messages are read a second time.
#[test]
fn what_a_partition_sent_before_it_moved_counts_after_a_restart_too() {
    let program = program(&setting());
    let (first, second) = (sent(&program, &[1]), sent(&program, &[2]));
    let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 2));
    publisher.take_in(0, 1, &first);
    publisher.fence(0, 2);
    let committed = publisher.collector.progress();

    let mut heir = Publisher::resume(&program, &committed);
    heir.take_in(0, 1, &first);
    heir.fence(0, 2);
    heir.take_in(0, 1, &first);
    heir.take_in(1, 1, &second);
    let complete = heir.collector.complete().expect("nothing overflows");
    let sources: Vec<_> = complete.iter().map(|window| window.sources.len()).collect();
    assert_eq!(sources, [2], "one window, of both partitions");
    assert_eq!(heir.collector.progress().incarnations, [0, 0], "as it was before the window's first message");
    heir.collector.published(complete[0].window);
    assert_eq!(heir.collector.progress().incarnations, [2, 0], "as it is now");
}

/// A later window is written while an earlier one cannot be.
#[test]
fn a_window_that_is_published_before_an_earlier_one_stays_published() {
    let program = program(&setting());
    let (first, second) = (sent(&program, &[11]), sent(&program, &[1, 12]));
    let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 2));
    publisher.take_in(0, 1, &first);
    publisher.take_in(1, 1, &second);
    let complete = publisher.collector.complete().expect("nothing overflows");
    assert_eq!(complete.len(), 2);
    publisher.collector.published(complete[1].window);
    publisher.take_in(0, 1, &first);
    assert_eq!(
        publisher.collector.complete().expect("nothing overflows"),
        [],
        "a part that comes again changes nothing"
    );

    let committed = publisher.collector.progress();
    let mut heir = Publisher::resume(&program, &committed);
    heir.take_in(0, 1, &first);
    heir.take_in(1, 1, &second);
    heir.take_in(0, 1, &first);
    let again = heir.collector.complete().expect("nothing overflows");
    assert_eq!(again, complete, "the same windows with the same digests");
    for window in &again {
        heir.collector.published(window.window);
    }
    let end = heir.collector.progress();
    assert_eq!((end.anchor, end.published_until), (end.position, EventTime(100)));
}

/// Whatever it is: reports are asked about as well.
#[test]
fn what_a_former_owner_sends_after_the_fence_does_not_count() {
    let program = program(&setting());
    let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 2));
    publisher.fence(0, 2);
    let mut admits = |partition, incarnation| {
        let from = publisher.from(partition, incarnation);
        publisher.collector.admits(from)
    };
    assert!(!admits(0, 1), "the former owner");
    assert!(admits(0, 2), "the owner");
    assert!(admits(0, 3), "its successor, before the fence");
    assert!(admits(1, 1), "another partition");
    assert!(!admits(2, 9), "a partition that nobody knows");
}

#[test]
fn a_fence_of_a_partition_that_nobody_knows_is_left_out() {
    let program = program(&setting());
    let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 1));
    publisher.fence(7, 1);
    assert_eq!(publisher.collector.progress().incarnations, [0]);
}

#[test]
fn a_total_that_overflows_does_not_hold_up_the_windows_before_it() {
    let program = program(&setting());
    let large = i128::from(i64::MAX);
    let log = log_of(&[(1, 1), (12, large), (13, large), (25, 1)]);
    let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 1));
    publisher.take_in(0, 1, &sent_of(&program, &log));
    let complete = publisher.collector.complete().expect("the first window fits");
    assert_eq!(complete.iter().map(|window| window.window.start.0).collect::<Vec<_>>(), [0]);
    publisher.collector.published(complete[0].window);
    let error = publisher.collector.complete().expect_err("the second does not");
    assert_eq!(error.to_string(), "measure 'sum_v1' overflows in the window from 10 to 20");
    assert_eq!(publisher.collector.progress().published_until, EventTime(10));
}

//! What once was wrong in the core, each as short as it gets.

use std::sync::Arc;

use stream_core::{
    Collector, CollectorProgress, Decreed, Emission, EventTime, Loss, Message, Offset, Overflow, Partial, Partition,
    Program, Progress, Seal,
};
use tests::model::{Decree, Doubt, Event, Params, Record};
use tests::worlds::{Cutting, Drive, Log, Sent, Setting, program, take_in, to_output, undisturbed};

/// Windows of ten milliseconds that close as soon as a record lies past their end.
fn setting() -> Setting {
    let params = Params {
        delay: 0,
        max_future_skew: 100,
        earliest: -1_000_000_000,
        doubt: Doubt::NONE,
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

fn event(n: i64, time: i64, value: i128) -> Event {
    Event {
        id: Some(format!("id {n}")),
        event_time: Some(time),
        rules: Vec::new(),
        filter: true,
        group: vec![None, None],
        values: vec![Some(1), Some(value)],
    }
}

/// One event for each (event time, value).
fn log_of(events: &[(i64, i128)]) -> Log {
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
fn a_total_that_does_not_fit_holds_up_no_window() {
    let program = program(&setting());
    let large = i128::from(i64::MAX);
    let log = log_of(&[(1, 1), (12, large), (13, large), (25, 1)]);
    let publish = || {
        let mut publisher = Publisher::resume(&program, &CollectorProgress::start(Offset(0), 1));
        publisher.take_in(0, 1, &sent_of(&program, &log));
        publisher.collector.complete().expect("every total is kept")
    };
    let complete = publish();
    assert_eq!(complete.iter().map(|window| window.window.start.0).collect::<Vec<_>>(), [0, 10, 20]);
    let overflow: Vec<_> = complete.iter().map(|window| window.overflow.clone()).collect();
    assert_eq!(overflow, [vec![], vec![Overflow { measure: "sum_v1".to_owned(), row: 0 }], vec![]]);
    assert_eq!(publish(), complete, "it is the same again");
}

/// Everything that two partitions tell, of which the first seals a window, loses something and goes on; then seals one window more than
/// the `.1` messages that are looked at.
fn told_around_a_loss(program: &Arc<Program>) -> (Vec<(Message, Sent)>, usize) {
    let messages =
        |times: &[i64]| sent(program, times).iter().filter_map(|item| to_output(item, 0)).collect::<Vec<_>>();
    let (mut own, other) = (messages(&[1, 11, 21, 31]), messages(&[2, 12, 22, 32]));
    let (from, to, until) = (Offset(0), Offset(1), Some(EventTime(20)));
    let loss = Loss { from, to, position: to, after: EventTime(10), until, over: true };
    // A seal up to 0, and then a part and a seal for each window.
    let Sent::Seal(second) = &mut own[4] else { panic!("{:?} is no seal", own[4]) };
    second.lost.push(loss);
    let (last, behind) = (own.split_off(7), own.split_off(3));
    let looked_at = own.len() + 2 + other.len() + behind.len();
    let told = own.into_iter().map(|sent| (0, 1, sent)).chain([(0, 2, Sent::Fence), (0, 2, Sent::Loss(loss))]);
    let told = told.chain(other.into_iter().map(|sent| (1, 1, sent)));
    let told = told.chain(behind.into_iter().chain(last).map(|sent| (0, 2, sent)));
    let message = |(at, (partition, incarnation, sent))| {
        (Message { at: Offset(at), partition: Partition(partition), incarnation }, sent)
    };
    ((0..).zip(told).map(message).collect(), looked_at)
}

/// A seal that names a loss is read again when the loss itself is forgotten, because every window is published that it concerns. Then it
/// is not to be taken for a new one, before which all was sealed that is sealed by now.
#[test]
fn a_window_keeps_its_parts_when_the_seal_of_a_loss_is_read_again() {
    let program = program(&setting());
    let (told, looked_at) = told_around_a_loss(&program);
    let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), 2));
    told[..looked_at].iter().for_each(|message| take_in(&mut collector, message));
    let complete = collector.complete().expect("nothing overflows");
    assert_eq!(complete.iter().map(|window| window.lost.len()).collect::<Vec<_>>(), [0, 1, 0]);
    for window in &complete {
        collector.published(window.window);
    }
    told[looked_at..].iter().for_each(|message| take_in(&mut collector, message));
    let committed = collector.progress();
    let wanted = collector.complete().expect("nothing overflows");
    assert_eq!((committed.doubts.len(), wanted[0].sources.len()), (0, 2));

    let mut heir = Collector::resume(program, &committed);
    told[committed.anchor.0 as usize..].iter().for_each(|message| take_in(&mut heir, message));
    assert_eq!(heir.complete().expect("nothing overflows"), wanted);
}

/// A record is not too far ahead at exactly the allowed skew, and then it begins a window where that is a boundary.
#[test]
fn a_lost_record_may_have_been_as_far_ahead_as_is_allowed() {
    let program = program(&setting());
    let record = |offset, time| Record { offset, log_time: 10, decodable: Some(event(offset, time, 1)) };
    let log = Log::new(&setting().params, vec![record(0, 110), record(1, 105)]);
    let rest = Progress::start(Offset(0)).without_records_before(Offset(1), &program);
    let mut drive = Drive::resume(&log, &program, &rest).expect("text can be compared");
    let mut said = Vec::new();
    let drain = Decree::after(&log.records, 200);
    drive.run(&[drain], &mut Cutting::whole(), |step| said.extend(step.emissions.items)).expect("nothing overflows");
    let Some(Emission::Seal(seal)) = said.last() else { panic!("{said:?} ends with a seal") };
    assert_eq!(seal.lost.iter().map(|loss| loss.until).collect::<Vec<_>>(), [Some(EventTime(120))]);
}

/// The first owner of a new meaning finds a log of which the meaning before had needed more: its own windows may lack that too.
#[test]
fn a_meaning_that_begins_on_a_log_without_its_beginning_has_lost_what_the_one_before_has() {
    let program = program(&setting());
    let log = log(&[15, 25]);
    let before = Progress { position: Offset(1), ..Progress::start(Offset(0)) };
    let begun = Progress::join(Offset(1), EventTime(10)).begun_without(&before, Offset(1), &program);
    let mut drive = Drive::resume(&log, &program, &begun).expect("text can be compared");
    let mut said = Vec::new();
    let drain = Decree::after(&log.records, 200);
    drive.run(&[drain], &mut Cutting::whole(), |step| said.extend(step.emissions.items)).expect("nothing overflows");
    let Some(Emission::Seal(seal)) = said.iter().find(|item| matches!(item, Emission::Seal(_))) else {
        panic!("{said:?} has a seal")
    };
    let named: Vec<_> = seal.lost.iter().map(|loss| (loss.from, loss.to, loss.unread(), loss.after)).collect();
    assert_eq!(named, [(Offset(0), Offset(1), 0, EventTime(10))]);
}

/// An owner has told of a batch that a decree ends, and dies before it commits that: its heir, who lacks the first of the records, does not tell
/// of the others again.
#[test]
fn a_batch_that_was_open_at_a_loss_has_no_second_report() {
    let program = program(&setting());
    let log = log(&[5, 6, 7]);
    let reports = |emissions: &[Emission]| {
        let report =
            |item: &Emission| if let Emission::Report(report) = item { Some((report.first, report.end)) } else { None };
        emissions.iter().filter_map(report).collect::<Vec<_>>()
    };
    let mut drive = Drive::start(&log, &program).expect("text can be compared");
    drive.step(3, &mut Cutting::whole()).expect("nothing overflows");
    let Decreed { progress, emissions } = drive.lane.decree(EventTime(100)).expect("nothing overflows");
    assert_eq!((reports(&emissions.items), progress.decree_pending), (vec![(Offset(0), Offset(3))], true));

    let rest = progress.without_records_before(Offset(1), &program);
    let mut heir = Drive::resume(&log, &program, &rest).expect("text can be compared");
    let said = heir.step(3, &mut Cutting::whole()).expect("nothing overflows");
    assert_eq!((reports(&said.items), seals(&said.items)), (vec![], vec![100]));
}

use stream_core::{CollectorProgress, Doubt, Lost, Partition};

use super::*;

fn committed(progress: Progress) -> CommittedProgress {
    CommittedProgress { progress, topic_id: None, revision: Some(1), idle: false, before: None }
}

fn decree(at: i64) -> Decree {
    Decree { at: Offset(at), watermark: EventTime(-at) }
}

fn loss(until: Option<i64>) -> Loss {
    let until = until.map(EventTime);
    Loss { from: Offset(3), to: Offset(9), position: Offset(5), after: EventTime(-300), until, over: until.is_some() }
}

fn busy() -> Progress {
    let anchor =
        Point { offset: Offset(5), watermark: EventTime(-3), log_time: LogTime(9), batch: Some(BatchKey(1, 0)) };
    let history = History(u64::MAX);
    let decrees = vec![decree(6), decree(7)];
    Progress { anchor, decrees, decree_pending: true, history, ..Progress::start(Offset(7)) }
}

#[test]
fn progress_comes_back_from_its_text() {
    let idle = CommittedProgress { topic_id: Some("00ff".to_owned()), idle: true, ..committed(busy()) };
    let volumes = committed(Progress { volumes: vec![12, 0, u64::MAX], ..busy() });
    let ahead = Progress { position: Offset(5), ..busy() };
    let leaving = |before: &CommittedProgress, now: Progress| {
        let before = BeforeProgress { progress: before.progress.clone(), since: Offset(6) };
        CommittedProgress { before: Some(before), ..committed(now) }
    };
    let lost = Progress { losses: vec![loss(Some(900)), loss(None)], volumes: vec![7], ..busy() };
    let both_lost = leaving(&committed(lost.clone()), Progress { position: Offset(5), ..lost.clone() });
    let before_lost = leaving(&committed(lost.clone()), Progress { position: Offset(5), ..busy() });
    let both = leaving(&committed(busy()), ahead.clone());
    let both_with_volumes = leaving(&volumes, Progress { volumes: vec![3], ..ahead });
    let changed = [both, both_with_volumes, committed(lost), both_lost, before_lost];
    for committed in
        [committed(Progress::start(Offset(7))), committed(busy()), idle, volumes].into_iter().chain(changed)
    {
        assert_eq!(decode(Offset(7), &encode(&committed)), Ok(committed));
    }
}

/// As version 0.1.0 wrote it.
#[test]
fn the_first_version_is_still_read() {
    let old = decode(Offset(7), "1 5 -3 9 1 0 -9223372036854775808 -9223372036854775808 0 1 6 -6 7 -7");
    let history = History(0).with(&decree(6)).with(&decree(7));
    let expected = CommittedProgress { revision: None, ..committed(Progress { history, ..busy() }) };
    assert_eq!(old, Ok(expected));
}

/// A partition that is idle again and again without its anchor moving on stops being closed by decree before a commit is
/// too long for a broker.
#[test]
fn there_is_always_room_for_one_more_decree() {
    let mut idle = CommittedProgress { topic_id: Some("f".repeat(32)), ..committed(busy()) };
    idle.progress.position = Offset(i64::MAX);
    let mut made = 0;
    while idle.has_room() {
        made += 1;
        let at = Offset(1_000_000_000_000 + made * 1_000_000);
        idle.progress.decrees.push(Decree { at, watermark: EventTime(1_700_000_000_000 + made * 86_400_000) });
    }
    assert!(made > 150, "{made} decrees");
    idle.progress.decrees.push(Decree { at: Offset(i64::MAX), watermark: EventTime::NEVER });
    assert!(encode(&idle).len() <= MOST_BYTES);
}

#[test]
fn publish_progress_comes_back_from_its_text() {
    let start = CollectorProgress::start(Offset(7), 3);
    let (meaning, before, overflow) = (None, None, None);
    let mut committed = CommittedPublish { progress: start.clone(), files: [None, None], meaning, before, overflow };
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
    committed.progress.published_until = EventTime(600);
    (committed.progress.lost_until, committed.progress.is_cut) = (EventTime(300), true);
    committed.progress.sealed = vec![EventTime(900), EventTime::NEVER, EventTime(600)];
    committed.files = [Some("gold/a/w.parquet".to_owned()), None];
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
    (committed.meaning, committed.before) = (Some(2), Some(start));
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
    let lost = Lost { partition: Partition(1), from: Offset(3), to: Offset(9) };
    let doubts = |until| vec![Doubt { lost, at: Offset(6), after: EventTime(-300), until: EventTime(until) }; 2];
    committed.progress.doubts = doubts(-300);
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
    (committed.meaning, committed.before) = (None, None);
    committed.progress.doubts = doubts(900);
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed.clone()));
    committed.overflow = Some("gold/a/date=2026-12-01/w.parquet".to_owned());
    assert_eq!(decode_publish(Offset(7), &encode_publish(&committed), 3), Ok(committed));
}

#[test]
fn foreign_metadata_is_refused() {
    let foreign = |found: &str| Err(ProgressError::OtherVersion { found: found.into(), newest: 5 });
    assert_eq!(decode(Offset(0), ""), foreign(""));
    assert_eq!(decode(Offset(0), "6 x"), foreign("6"));
    assert_eq!(decode(Offset(0), "1 x"), Err(ProgressError::ParseField { field: 1, text: "x".into() }));
}

//! Which verdict a record gets, and in which order the reasons are asked.

use super::teller::{Log, plain, verdicts};
use crate::model::Verdict::{Counted, Duplicate, Filtered, Invalid, Late, Undecodable};
use crate::model::{Answer, Broken, Params};

#[test]
fn late_is_decided_by_the_window_not_by_the_record() {
    let log = Log::new().event("a", 24).event("b", 10).event("c", 9);
    // The watermark is 19. 10 is behind it, but its window [10, 20) is open; [0, 10) has closed.
    assert_eq!(log.verdicts(), [Counted, Counted, Late]);

    let log = log.event("d", 25).event("e", 19);
    assert_eq!(log.verdicts()[3..], [Counted, Late], "watermark 20 has reached the end of [10, 20)");
}

#[test]
fn duplicates_meet_across_open_windows_and_part_when_the_first_closes() {
    let log = Log::new().event("a", 3).event("a", 12);
    assert_eq!(log.verdicts(), [Counted, Duplicate], "[0, 10) is open and remembers a");

    let closed_between = Log::new().event("a", 3).event("b", 15).event("a", 12);
    assert_eq!(closed_between.verdicts(), [Counted, Counted, Counted], "[0, 10) took its memory with it");
}

#[test]
fn a_duplicate_is_remembered_in_its_own_window() {
    let log = Log::new().event("a", 3).event("a", 12).event("b", 15).event("a", 13);
    // At the last record [0, 10) is closed; the duplicate at 12 keeps a alive in [10, 20).
    assert_eq!(log.verdicts(), [Counted, Duplicate, Counted, Duplicate]);
}

#[test]
fn filtered_moves_the_watermark_and_is_forgotten() {
    let log = Log::new().event("a", 3).filtered().event("a", 4).event("b", 15).filtered().event("c", 9);
    assert_eq!(log.verdicts(), [Filtered, Counted, Filtered, Late]);
    assert_eq!(log.read().left.open.len(), 0, "b opened no window");
}

#[test]
fn filtered_comes_before_late_and_invalid_before_filtered() {
    let params = Params { dead_letter: vec![true], ..plain() };
    let log = Log::new().event("a", 30).answers(&[Answer::Passes]);
    let log = log.event("b", 1).filtered().answers(&[Answer::Passes]);
    let log = log.event("c", 1).filtered().answers(&[Answer::Violated]);
    assert_eq!(verdicts(&log.read_as(&params)), [Counted, Filtered, Invalid(Broken::Rule(0))]);
}

#[test]
fn late_comes_before_duplicate() {
    let log = Log::new().event("a", 22).event("a", 26).event("a", 3);
    assert_eq!(log.verdicts(), [Counted, Duplicate, Late], "a is known, but [0, 10) is over");
}

#[test]
fn refused_records_neither_move_the_watermark_nor_are_remembered() {
    let params = Params { max_future_skew: 2, dead_letter: vec![true], ..plain() };
    let passes = [Answer::Passes];
    let log =
        Log::new().event("a", 30).logged(3).answers(&passes).event("a", 30).logged(30).answers(&[Answer::Violated]);
    let log = log.undecodable().event("a", 4).logged(30).answers(&passes);
    let future = Invalid(Broken::EventTimeFuture);
    assert_eq!(verdicts(&log.read_as(&params)), [future, Invalid(Broken::Rule(0)), Undecodable, Counted]);
}

#[test]
fn the_skew_itself_is_allowed() {
    let params = Params { max_future_skew: 2, ..plain() };
    let log = Log::new().event("a", 12).logged(10).event("b", 13).logged(10);
    assert_eq!(verdicts(&log.read_as(&params)), [Counted, Invalid(Broken::EventTimeFuture)]);
}

#[test]
fn the_first_broken_rule_names_the_verdict() {
    let params = Params { max_future_skew: 2, dead_letter: vec![false, true, true], ..plain() };
    let all = [Answer::Violated; 3];
    let log = Log::new().event("a", 1).answers(&all).but(|event| (event.event_time, event.id) = (None, None));
    let log = log.event("b", 9).logged(1).answers(&all).but(|event| event.id = None);
    let log = log.event("c", 1).answers(&all).but(|event| event.id = None);
    let log = log.event("d", 1).answers(&all);
    let log = log.event("e", 1).answers(&[Answer::Violated, Answer::Skipped, Answer::Violated]);
    let log = log.event("f", 1).answers(&[Answer::Violated, Answer::Skipped, Answer::Passes]);
    let expected = [
        Invalid(Broken::EventTimeMissing),
        Invalid(Broken::EventTimeFuture),
        Invalid(Broken::EventIdMissing),
        Invalid(Broken::Rule(1)), // rule 0 only reports
        Invalid(Broken::Rule(2)), // a skipped rule passes
        Counted,
    ];
    assert_eq!(verdicts(&log.read_as(&params)), expected);
}

#[test]
fn dead_letters_take_the_late_ones_only_if_asked() {
    let outcome = Log::new().event("a", 30).undecodable().event("b", 1).read();
    assert_eq!((outcome.dead_letters(false), outcome.dead_letters(true)), (vec![1], vec![1, 2]));
}

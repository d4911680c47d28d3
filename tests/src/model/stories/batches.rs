//! Where batches are cut, and what their reports count.

use super::teller::{Log, plain, verdicts};
use crate::model::Verdict::Counted;
use crate::model::{Answer, Decree, Ledger, Params, RuleCount, run, run_with_decrees};

#[test]
fn rules_are_counted_over_every_decodable_record() {
    let params = Params { dead_letter: vec![true, false], ..plain() };
    let log = Log::new().event("a", 30).answers(&[Answer::Passes, Answer::Violated]);
    let log = log.event("b", 3).answers(&[Answer::Violated, Answer::Violated]); // refused, still counted by both
    let log = log.event("c", 3).answers(&[Answer::Skipped, Answer::Passes]); // late
    let log = log.event("d", 3).filtered().answers(&[Answer::Passes, Answer::Skipped]).undecodable();
    let outcome = run(&log.records, &params, Some(0));
    let by_hand = |evaluated, violations, skipped| RuleCount { evaluated, violations, skipped };
    assert_eq!(outcome.batches[0].rules, [by_hand(3, 1, 1), by_hand(3, 2, 1)]);
}

#[test]
fn batches_are_cut_where_log_time_or_offset_changes_its_bucket() {
    let params = Params { batch_interval: 10, batch_max_records: 4, ..plain() };
    let log = Log::new().event("a", 8).event("b", 9).gap(1).event("c", 10).event("d", 10).gap(3).event("e", 19);
    let outcome = run_with_decrees(&log.records, &params, &[Decree { at: 10, to: 0 }]);
    let told: Vec<_> = outcome.batches.iter().map(|b| (b.first, b.end, b.known_at, b.ledger.gaps)).collect();
    // b → c by time (gap at 2 belongs to the first), c → d by offset 4, d → e by offset 8, then the drain at 10.
    assert_eq!(told, [(0, 3, 4, 1), (3, 4, 5, 0), (4, 8, 9, 3), (8, 10, 10, 1)]);
    let expected = Ledger { consumed: 5, counted: 5, gaps: 5, ..Ledger::default() };
    assert_eq!(outcome.ledger, expected);
    assert!(outcome.left.batch.is_none());
}

#[test]
fn log_time_is_the_running_maximum() {
    let params = Params { batch_interval: 10, max_future_skew: 0, ..plain() };
    let log = Log::new().event("a", 1).logged(12).event("b", 11).logged(3).event("c", 13).logged(13);
    assert_eq!(verdicts(&log.read_as(&params)), [Counted; 3], "b's log time is 12, so 11 is no future");
    assert!(log.read_as(&params).batches.is_empty(), "12, 12, 13: one batch, still open");
}

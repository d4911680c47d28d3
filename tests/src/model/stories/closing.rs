//! When windows close and seals rise: by records, by decrees, by a drain.

use super::teller::{Log, counted, plain, seals, verdicts, window};
use crate::model::Verdict::{Counted, Late};
use crate::model::{Decree, Params, publish, run, run_with_decrees};

#[test]
fn window_closes_when_the_watermark_reaches_its_end() {
    let before = Log::new().event("a", 3).event("b", 14);
    assert_eq!(counted(&before.read(), 0), None, "watermark 9: [0, 10) is open");

    let after = before.event("c", 15);
    assert_eq!(counted(&after.read(), 0), Some(1), "watermark 10 is the end, and reaching it is enough");
    assert_eq!(after.read().partials.len(), 1, "[10, 20) stays open");
}

#[test]
fn a_record_never_closes_its_window_before_it_is_counted() {
    let no_delay = Params { delay: 0, window: 1, ..plain() };
    let log = Log::new().event("a", 5).event("b", 5).event("c", 6);
    assert_eq!(verdicts(&log.read_as(&no_delay)), [Counted, Counted, Counted], "5 < [5, 6).end");
    assert_eq!(seals(&log.read_as(&no_delay)), [(1, 5, vec![]), (3, 6, vec![5])]);
}

#[test]
fn a_window_of_duplicates_only_closes_with_an_empty_partial() {
    let outcome = Log::new().event("a", 3).event("a", 12).event("b", 25).read();
    assert_eq!(seals(&outcome), [(1, -10, vec![]), (2, 0, vec![]), (3, 20, vec![0, 10])]);
    assert_eq!(counted(&outcome, 10), Some(0), "opened by the duplicate, closed with nothing in it");
    assert!(!publish(&[outcome]).contains_key(&window(10)), "no rows, no file");
}

#[test]
fn the_seal_rises_with_or_without_windows_and_only_at_boundaries() {
    let log = Log::new().event("a", 26).filtered().event("b", 29).event("c", 36).event("d", 68);
    // Watermarks 21, 24, 31, 63: a seal for 20, none for 24, one for 30 that closes [20, 30), one leap to 60.
    assert_eq!(seals(&log.read()), [(1, 20, vec![]), (3, 30, vec![20]), (4, 60, vec![30])]);
}

#[test]
fn windows_before_the_epoch_floor_downwards_and_offsets_shift_them() {
    let log = Log::new().event("a", -3).event("b", -14).event("c", 5);
    // Watermark -8 when b comes: its window [-20, -10) is over. Watermark 0 in the end closes [-10, 0).
    assert_eq!(log.verdicts(), [Counted, Late, Counted]);
    assert_eq!(seals(&log.read()), [(1, -10, vec![]), (3, 0, vec![-10])]);

    let shifted = Params { window_offset: 3, ..plain() };
    assert_eq!(shifted.window_of(2), window(-7));
    assert_eq!(shifted.window_of(3), window(3));
}

#[test]
fn a_drain_closes_what_ends_by_its_target() {
    let log = Log::new().event("a", 3).event("b", 12);
    let outcome = run(&log.records, &plain(), Some(10));
    assert_eq!(seals(&outcome), [(1, -10, vec![]), (2, 0, vec![]), (2, 10, vec![0])]);
    assert_eq!(outcome.left.open.keys().copied().collect::<Vec<_>>(), [window(10)]);

    let all = run(&log.records, &plain(), Some(29));
    assert_eq!(seals(&all)[2], (2, 20, vec![0, 10]), "29 rounds down to 20");
    assert!(all.left.open.is_empty());
}

#[test]
fn a_drain_behind_the_watermark_only_ends_the_batch() {
    let log = Log::new().event("a", 30);
    let (undrained, drained) = (log.read(), run(&log.records, &plain(), Some(3)));
    assert_eq!((drained.seals, drained.left.watermark), (undrained.seals, undrained.left.watermark));
    assert_eq!((undrained.batches.len(), drained.batches.len()), (0, 1));
}

#[test]
fn a_drain_seals_an_empty_partition() {
    let outcome = run(&[], &plain(), Some(47));
    assert_eq!(seals(&outcome), [(0, 40, vec![])]);
    assert!(outcome.batches.is_empty());
}

#[test]
fn records_after_a_decree_meet_its_watermark() {
    let log = Log::new().event("a", 3).event("b", 4).event("c", 12);
    let outcome = run_with_decrees(&log.records, &plain(), &[Decree { at: 1, to: 11 }]);
    assert_eq!(verdicts(&outcome), [Counted, Late, Counted]);
    assert_eq!(seals(&outcome), [(1, -10, vec![]), (1, 10, vec![0])]);
    assert_eq!(outcome.batches.len(), 1, "the decree ended the batch of a");
}

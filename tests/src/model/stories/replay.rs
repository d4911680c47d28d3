//! Why a partition is read again from its anchor, and not from less.

use super::teller::{Log, plain, window};
use crate::model::History;
use crate::model::Verdict::Counted;

#[test]
fn resuming_at_the_commit_forgets_and_resuming_at_the_anchor_does_not() {
    let log = Log::new().event("a", 3).event("a", 4).event("b", 15);
    let whole = History::new(&plain(), &log.records, &[]);
    let commit = 1;

    let at_commit = History::resume(&plain(), &log.records, &[], whole.anchor_at(commit));
    assert_eq!(at_commit.verdicts()[0], (1, Counted), "the first a is forgotten: counted twice");

    let anchor = whole.rebuild_point(commit).anchor;
    assert_eq!(anchor.offset, 0);
    let rebuilt = History::resume(&plain(), &log.records, &[], anchor);
    assert_eq!(rebuilt.verdicts(), whole.verdicts());
    assert_eq!(rebuilt.state(commit), whole.state(commit));
}

#[test]
fn right_verdicts_are_not_yet_right_windows() {
    // a is counted in [0, 10), its copy is a duplicate in [10, 20). At 3 only [10, 20) is open, from offset 1 on.
    let log = Log::new().event("a", 3).event("a", 12).event("b", 15);
    let whole = History::new(&plain(), &log.records, &[]);
    let point = whole.rebuild_point(3);
    assert_eq!((point.for_verdicts, point.for_windows), (1, 0));

    let too_short = History::resume(&plain(), &log.records, &[], whole.anchor_at(1));
    let copies = |history: &History| history.state(3).open[&window(10)].groups.values().map(|s| s.records).sum::<u64>();
    assert_eq!((copies(&whole), copies(&too_short)), (1, 2), "replayed from A(3), the copy counts");
    let rebuilt = History::resume(&plain(), &log.records, &[], point.anchor);
    assert_eq!(rebuilt.state(3), whole.state(3));
}

#[test]
fn the_open_batch_reaches_further_back_than_the_windows() {
    // One batch for all. At 4 only [50, 60) is open, but the batch counted a duplicate at offset 1.
    let log = Log::new().event("a", 3).event("a", 12).event("b", 40).event("c", 55);
    let whole = History::new(&plain(), &log.records, &[]);
    let point = whole.rebuild_point(4);
    assert_eq!((point.for_verdicts, point.for_windows, point.for_batch, point.anchor.offset), (3, 2, 0, 0));
}

//! Owns what a partition's queue has handed out, and notices when the client goes on from the wrong place.
//!
//! A rebalance pauses and resumes what a member keeps, and the client (librdkafka 2.12) does not always go on where it was:
//! - it counts the message "the log ends at E" like a record E and goes on at E + 1. The record E is left out, or, if it is
//!   not written yet, the client asks for an offset that is not there and reads no more;
//! - a partition that was started while others were paused begins anew, so its records come twice.
//!
//! Kept true: no record is handed out twice, and none is left out behind an end that was told. Other gaps are the log's own.

/// What has been handed out.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The offset after the last record or end that was handed out.
    next: i64,
    /// Whether that was an end, and reading has not been set back to it yet.
    at_end: bool,
}

/// What is to be done with what the client gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Go {
    /// Hand out the records from this offset on.
    OnFrom(i64),
    /// Hand out nothing, and have the client read again from this offset.
    Back(i64),
}

impl Order {
    /// Judges one fetch by the offset of its first record, and the offset that the client asked for in vain.
    pub(super) fn judge(&self, first: Option<i64>, missing: Option<i64>) -> Go {
        let leaves_out = first.is_some_and(|first| first > self.next) || missing == Some(self.next + 1);
        if self.at_end && leaves_out { Go::Back(self.next) } else { Go::OnFrom(self.next) }
    }

    /// A fetch was handed out: its last record, and the end that it told.
    pub(super) fn hand_out(&mut self, last: Option<i64>, end: Option<i64>) {
        let after = last.map_or(self.next, |last| self.next.max(last + 1));
        if after > self.next {
            (self.next, self.at_end) = (after, false);
        }
        if let Some(end) = end.filter(|end| *end >= self.next) {
            (self.next, self.at_end) = (end, true);
        }
    }

    /// The client reads from the end that was told; what comes now is what the log holds.
    pub(super) fn went_back(&mut self) {
        self.at_end = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(last: i64, end: Option<i64>) -> Order {
        let mut order = Order::default();
        order.hand_out(Some(last), end);
        order
    }

    #[test]
    fn records_go_on_behind_an_end() {
        let order = after(9, Some(10));
        assert_eq!(order.judge(Some(10), None), Go::OnFrom(10));
        assert_eq!(order.judge(None, None), Go::OnFrom(10));
    }

    #[test]
    fn what_was_left_out_behind_an_end_is_read_again_once() {
        let mut order = after(9, Some(10));
        assert_eq!(order.judge(Some(11), None), Go::Back(10));
        assert_eq!(order.judge(None, Some(11)), Go::Back(10));
        order.went_back();
        // The log has a gap there.
        assert_eq!(order.judge(Some(11), None), Go::OnFrom(10));
    }

    #[test]
    fn a_gap_between_records_is_the_logs_own() {
        assert_eq!(after(9, None).judge(Some(12), None), Go::OnFrom(10));
        // Records came after the end was told, so it is an end no more.
        let mut order = after(9, Some(10));
        order.hand_out(Some(10), None);
        assert_eq!(order.judge(Some(13), None), Go::OnFrom(11));
    }

    #[test]
    fn what_was_handed_out_is_not_handed_out_again() {
        let mut order = after(9, None);
        assert_eq!(order.judge(Some(0), None), Go::OnFrom(10));
        order.hand_out(Some(3), Some(4));
        assert_eq!(order.judge(Some(4), None), Go::OnFrom(10));
    }

    #[test]
    fn an_offset_that_is_gone_is_told_unless_it_is_just_behind_an_end() {
        assert_eq!(after(9, None).judge(None, Some(11)), Go::OnFrom(10));
        assert_eq!(after(9, Some(10)).judge(None, Some(77)), Go::OnFrom(10));
    }
}

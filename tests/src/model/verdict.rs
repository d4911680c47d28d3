//! The verdict of a record, and the part of it that looks at nothing but the record and its log time.

use super::{Answer, Event, Params};

/// What becomes of a record; exactly one applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It does not decode. Dead letter.
    Undecodable,
    /// It breaks a rule that refuses records. Dead letter.
    Invalid(Broken),
    /// The filter is not true.
    Filtered,
    /// Its window's end was reached before it came.
    Late,
    /// Its id was already seen in a window that is still open.
    Duplicate,
    /// Folded into its window.
    Counted,
}

/// The rule that an invalid record breaks: the first one in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broken {
    /// `event-time-missing`
    EventTimeMissing,
    /// `event-time-range`
    EventTimeRange,
    /// `event-time-future`
    EventTimeFuture,
    /// `event-id-missing`
    EventIdMissing,
    /// The user's rule with this index in manifest order.
    Rule(usize),
}

impl Broken {
    /// The reserved name, or the index for a user's rule.
    ///
    /// # Errors
    /// The index of the user's rule, whose name only the manifest knows.
    pub fn reserved_name(self) -> Result<&'static str, usize> {
        match self {
            Self::EventTimeMissing => Ok("event-time-missing"),
            Self::EventTimeRange => Ok("event-time-range"),
            Self::EventTimeFuture => Ok("event-time-future"),
            Self::EventIdMissing => Ok("event-id-missing"),
            Self::Rule(index) => Err(index),
        }
    }
}

/// The rule that refuses `event`, whose log time is `log_time`.
pub(super) fn broken(params: &Params, event: &Event, log_time: i64) -> Option<Broken> {
    let Some(event_time) = event.event_time else {
        return Some(Broken::EventTimeMissing);
    };
    if !params.in_calendar(event_time) {
        return Some(Broken::EventTimeRange);
    }
    if event_time > log_time + params.max_future_skew {
        return Some(Broken::EventTimeFuture);
    }
    if event.id.is_none() {
        return Some(Broken::EventIdMissing);
    }
    let refuses = |index: usize| params.dead_letter[index] && event.rules[index] == Answer::Violated;
    (0..params.dead_letter.len()).find(|index| refuses(*index)).map(Broken::Rule)
}

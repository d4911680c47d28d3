//! What a lane gives out: partials, seals and batch reports in log order, and the records that it refused.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::loss::Loss;
use crate::program::Subject;
use crate::units::{Digest, EventTime, LogTime, Offset};
use crate::window::Window;

/// Everything that one step of a lane gave out.
#[derive(Debug, Default)]
pub struct Emissions {
    /// For the partials topic, in the order of the log.
    pub items: Vec<Emission>,
    /// For the dead-letter topic, in the order of the log.
    pub refused: Vec<Refused>,
    /// Set when the lane stands still; nothing from there on was judged.
    pub halt: Option<Halt>,
    /// Offset and verdict of each record, where two lanes read side by side.
    pub(crate) verdicts: Vec<(i64, Verdict)>,
}

/// Where and why a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// The next record, which is not judged.
    pub offset: Offset,
    /// Why.
    pub cause: Cause,
}

/// Why a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The record breaks the rule with this index, whose consequence is [`crate::Consequence::Stop`].
    Rule(usize),
    /// With the record before it, more of the open batch are dead letters than [`crate::Guard`] allows.
    Runaway {
        /// Dead letters of the batch.
        letters: u64,
        /// Its records, but for ignored ones.
        records: u64,
    },
}

impl Emissions {
    /// Adds what was given out after this.
    pub(crate) fn append(&mut self, next: Self) {
        self.items.extend(next.items);
        self.refused.extend(next.refused);
        self.halt = next.halt;
    }

    /// Whether nothing was given out.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.refused.is_empty()
    }
}

/// Something for the partials topic.
#[derive(Debug, Clone, PartialEq)]
pub enum Emission {
    /// State of one closed window.
    Partial(Partial),
    /// The partition promises nothing more for windows that end by then.
    Seal(Seal),
    /// The quality of a finished batch.
    Report(BatchReport),
}

/// A part of a closed window's aggregate state, sorted by group.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// The window.
    pub window: Window,
    /// The partition of the partials topic to which its groups belong.
    pub output: u32,
    /// Its number, from zero, among the parts of this window and output.
    pub part: u32,
    /// Grouping columns and states, as [`crate::Program::partial_schema`] says.
    pub rows: RecordBatch,
    /// Of the rows' content.
    pub digest: Digest,
}

/// A seal: no record after it is counted in a window that ends at or before `until`.
#[derive(Debug, Clone, PartialEq)]
pub struct Seal {
    /// The seal before it, or [`EventTime::NEVER`]: of windows that end after it, up to `until`, this one tells everything.
    pub after: EventTime,
    /// The seal, a boundary of the window grid.
    pub until: EventTime,
    /// The position at which it was reached: after the record that moved the watermark.
    pub at: Offset,
    /// The windows that it closes, by start; for each output with at least one part.
    pub closed: Vec<ClosedWindow>,
    /// What the log has lost that windows up to `until` may lack.
    pub lost: Vec<Loss>,
}

/// What a seal says of one closed window and output, so that a missing or foreign part is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedWindow {
    /// The window.
    pub window: Window,
    /// The partition of the partials topic.
    pub output: u32,
    /// How many parts belong to it.
    pub parts: u32,
    /// Records counted in this window on this partition, all outputs together.
    pub records: u64,
    /// The first remembered record.
    pub first: Offset,
    /// The position at which the window closed.
    pub end: Offset,
    /// Over the parts' digests in order.
    pub digest: Digest,
}

/// Which of the seven verdicts a record got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Can not be decoded.
    Undecodable,
    /// Breaks a rule, or its event id or event time is unusable.
    Invalid,
    /// The filter is not true.
    Filtered,
    /// Its window had already ended on the watermark.
    Late,
    /// Its id was already seen in an open window.
    Duplicate,
    /// Folded into its window.
    Counted,
    /// It has no value, and the pipeline ignores such records.
    Ignored,
}

/// How many records got each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Indexed by [`Verdict`].
    counts: [u64; 7],
}

impl Verdicts {
    /// Counts one more.
    #[inline]
    pub fn add(&mut self, verdict: Verdict) {
        self.counts[verdict as usize] += 1;
    }

    /// How many records got `verdict`.
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.counts[verdict as usize]
    }

    /// All records.
    pub fn consumed(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The records that are not ignored.
    pub fn records(&self) -> u64 {
        self.consumed() - self.of(Verdict::Ignored)
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }
}

/// The quality of the records of one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchReport {
    /// Its first record; with the partition it names the batch.
    pub first: Offset,
    /// The first record of the next batch, or the position at which a decree ended this one.
    pub end: Offset,
    /// Log time of the first record.
    pub first_log_time: LogTime,
    /// Log time of the last record.
    pub last_log_time: LogTime,
    /// The verdicts; with `gaps` they add up to `end - first` (law L1).
    pub verdicts: Verdicts,
    /// Offsets that held no record.
    pub gaps: u64,
    /// For each rule of the program, in its order.
    pub rules: Vec<RuleCounts>,
    /// Ingest time minus event time of the decodable records.
    pub latency: crate::latency::Latency,
    /// For each of the program's [`crate::Program::subjects`]: of rules and the filter over all decodable records, of groups and
    /// measures over the counted ones.
    pub valueless: Vec<Valueless>,
    /// Why records were refused, by the first record of each kind. Records that the meaning after this one judged are not among them.
    pub refusals: Vec<Refusal>,
    /// Some of the records that broke a rule or for which an expression has no value.
    pub samples: Vec<Sample>,
}

/// For how many records an expression has no usable value although nothing that it reads is missing. A record is in one at the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valueless {
    /// The value can not be computed.
    pub no_value: u64,
    /// The value, or a floating-point field that a null comes from, is NaN or infinite.
    pub not_finite: u64,
}

/// Records of a batch that were refused for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The first of them.
    pub offset: Offset,
    /// Why that was refused.
    pub reason: Reason,
    /// How many there are.
    pub records: u64,
}

/// How the decodable records of a batch stand to one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounts {
    /// Records for which the rule said true or false.
    pub evaluated: u64,
    /// Records for which it said false.
    pub violations: u64,
    /// Records for which it said nothing (null).
    pub skipped: u64,
}

/// What a sample is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Why {
    /// The rule is broken.
    Violation,
    /// The expression can not be computed.
    NoValue,
    /// The value, or one that was read, is NaN or infinite.
    NotFinite,
}

/// A record that broke a rule, or for which an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The rule, or the expression.
    pub subject: Subject,
    /// Which of the two.
    pub why: Why,
    /// The record.
    pub offset: Offset,
    /// Its event id as text, when it has one.
    pub event_id: Option<String>,
    /// The fields that the rule or the expression is about, separated by commas.
    pub field: Option<String>,
    /// The value of the field, or `name=value` of several; nothing when the only one is null.
    pub value: Option<String>,
}

/// A record for the dead-letter topic. Its bytes are with the caller, found by offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The record.
    pub offset: Offset,
    /// Why.
    pub reason: Reason,
}

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// It can not be decoded.
    Undecodable {
        /// A stable word for what was wrong.
        kind: String,
        /// What was wrong.
        message: String,
    },
    /// It breaks the rule with this index.
    Rule(usize),
    /// It has no event id.
    EventIdMissing,
    /// A grouping value, or a text that a measure keeps, is longer than [`crate::MOST_VALUE`].
    ValueTooLarge,
    /// It has no event time.
    EventTimeMissing,
    /// Its event time is a text that is no time with a zone.
    EventTimeFormat {
        /// The text.
        text: String,
    },
    /// Its event time lies before the earliest one that is allowed, or its window reaches beyond the calendar.
    EventTimeRange {
        /// The event time.
        event_time: EventTime,
        /// The number in the record, if it is one.
        written: Option<i64>,
    },
    /// Its event time lies too far ahead of its log time.
    EventTimeFuture {
        /// The event time.
        event_time: EventTime,
        /// The log time.
        log_time: LogTime,
        /// The number in the record, if it is one.
        written: Option<i64>,
    },
    /// Its window had ended on the watermark.
    Late {
        /// The end of its window.
        window_end: EventTime,
        /// The watermark just before the record.
        watermark: EventTime,
    },
}

impl Reason {
    /// Whether both are the same but for the record.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undecodable { kind: mine, .. }, Self::Undecodable { kind, .. }) => mine == kind,
            (Self::Rule(mine), Self::Rule(rule)) => mine == rule,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

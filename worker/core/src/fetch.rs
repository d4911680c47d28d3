//! What a lane is fed: the decoded records of one fetch, in offset order.

use arrow_array::RecordBatch;

use crate::units::{LogTime, Offset};

/// The records that one poll returned for one partition.
#[derive(Debug)]
pub struct Fetch<'a> {
    /// The decodable records, in the pipeline's reader schema.
    pub rows: &'a RecordBatch,
    /// Offset of each row, rising.
    pub offsets: &'a [i64],
    /// Log time of each row, milliseconds.
    pub log_times: &'a [i64],
    /// The records that can not be decoded, in offset order.
    pub undecodable: &'a [Undecodable],
    /// The position after the fetch: past its last record.
    pub end: Offset,
}

/// A part of a fetch.
pub(crate) struct Part<'a> {
    rows: RecordBatch,
    pub offsets: &'a [i64],
    log_times: &'a [i64],
    undecodable: &'a [Undecodable],
    end: Offset,
}

impl<'a> Fetch<'a> {
    /// The records from `from` to before `to`, and the gap behind them.
    pub(crate) fn part(&self, from: Offset, to: Offset) -> Part<'a> {
        let row = |at: Offset| self.offsets.partition_point(|offset| *offset < at.0);
        let bad = |at: Offset| self.undecodable.partition_point(|bad| bad.offset < at);
        let (rows, bads) = (row(from)..row(to), bad(from)..bad(to));
        Part {
            rows: self.rows.slice(rows.start, rows.len()),
            offsets: &self.offsets[rows.clone()],
            log_times: &self.log_times[rows],
            undecodable: &self.undecodable[bads],
            end: self.end.min(to).max(from),
        }
    }
}

impl Part<'_> {
    /// As a fetch of its own.
    pub(crate) fn fetch(&self) -> Fetch<'_> {
        let Self { rows, offsets, log_times, undecodable, end } = self;
        Fetch { rows, offsets, log_times, undecodable, end: *end }
    }
}

/// A record that can not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stands.
    pub offset: Offset,
    /// Its log time.
    pub log_time: LogTime,
    /// A stable word for what is wrong with it, for counting.
    pub kind: &'static str,
    /// What is wrong with it.
    pub reason: String,
    /// Whether it has no value at all (a tombstone).
    pub is_null: bool,
}

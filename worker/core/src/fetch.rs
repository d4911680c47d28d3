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

/// A record that can not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stands.
    pub offset: Offset,
    /// Its log time.
    pub log_time: LogTime,
    /// What is wrong with it.
    pub reason: String,
}

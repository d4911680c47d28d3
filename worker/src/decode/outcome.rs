//! Owns the words for what came out of one fetch: rows, or reasons why not.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use stream_core::{LogTime, Offset};
use thiserror::Error;

use super::RegistryUnreachable;
use super::framing::SchemaKey;

/// One fetch, decoded. `offsets` and `log_times` have one entry per row of `batch`.
#[derive(Debug)]
pub struct Decoded {
    /// The rows in offset order, in the reader's Arrow schema.
    pub batch: RecordBatch,
    /// Offset of each row.
    pub offsets: Vec<i64>,
    /// Log time of each row, milliseconds UTC.
    pub log_times: Vec<i64>,
    /// The records that are not rows, in offset order.
    pub undecodable: Vec<Undecodable>,
}

impl Decoded {
    /// The records that are not rows, as a lane takes them: the reason with its code, as it stands in the dead letter.
    pub fn poison(&self) -> Vec<stream_core::Undecodable> {
        let of = |bad: &Undecodable| stream_core::Undecodable {
            offset: Offset(bad.offset),
            log_time: LogTime(bad.log_time),
            kind: bad.reason.code(),
            reason: format!("{}: {}", bad.reason.code(), bad.reason),
            is_null: bad.reason == Reason::NullValue,
        };
        self.undecodable.iter().map(of).collect()
    }

    /// Where in the fetch row `row` came from.
    pub fn fetch_index(&self, row: usize) -> usize {
        // `index - i` is the number of rows before the i-th undecodable record, and it never falls.
        let mut before = 0;
        let mut beyond = self.undecodable.len();
        while before < beyond {
            let middle = before.midpoint(beyond);
            if self.undecodable[middle].index - middle <= row {
                before = middle + 1;
            } else {
                beyond = middle;
            }
        }
        row + before
    }
}

/// A record that cannot become a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Position in the fetch.
    pub index: usize,
    /// Offset in the partition.
    pub offset: i64,
    /// Log time, milliseconds UTC.
    pub log_time: i64,
    /// Why.
    pub reason: Reason,
}

/// Why a record cannot become a row. The text form is the message of the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The record has no value (a tombstone).
    NullValue,
    /// The value does not begin with byte 0 and no header names a schema.
    BadMagic(u8),
    /// The value is shorter than the five bytes of its prefix, or the schema header has no known form.
    TooShort(usize),
    /// The registry has no schema of this id or GUID.
    UnknownSchema(SchemaKey),
    /// The writer schema does not resolve to the reader schema.
    Unresolvable {
        /// The writer schema's id or GUID.
        key: SchemaKey,
        /// What does not fit.
        message: Arc<str>,
    },
    /// The body breaks the writer schema.
    Malformed(String),
    /// Decoding the body takes more than its size allows.
    OverBudget(String),
    /// The body is complete and this many bytes follow.
    TrailingBytes(usize),
}

impl Reason {
    /// A stable word per kind, for counting and grouping.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NullValue => "null-value",
            Self::BadMagic(_) => "bad-magic",
            Self::TooShort(_) => "too-short",
            Self::UnknownSchema(_) => "unknown-schema",
            Self::Unresolvable { .. } => "unresolvable",
            Self::Malformed(_) => "malformed",
            Self::OverBudget(_) => "over-budget",
            Self::TrailingBytes(_) => "trailing-bytes",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullValue => write!(f, "the value is null"),
            Self::BadMagic(byte) => write!(
                f,
                "the value begins with byte {byte}, expected 0 and a 4-byte schema id, or the header '__value_schema_id'"
            ),
            Self::TooShort(len) => {
                write!(f, "the schema prefix has {len} bytes, expected byte 0 and a 4-byte schema id")
            }
            Self::UnknownSchema(key @ SchemaKey::Id(_)) => write!(f, "the registry has no schema with id {key}"),
            Self::UnknownSchema(key) => write!(f, "the registry has no schema with guid {key}"),
            Self::Unresolvable { key, message } => {
                write!(f, "writer schema {key} does not resolve to the reader schema: {message}")
            }
            Self::Malformed(message) | Self::OverBudget(message) => write!(f, "{message}"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes follow the end of the record"),
        }
    }
}

/// A whole fetch could not be decoded; nothing of it was taken, the same fetch can be decoded again.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A schema could not be asked for. The environment must act; retry.
    #[error("schema {key} could not be asked for: {source}")]
    AskRegistry {
        /// The schema's id or GUID.
        key: SchemaKey,
        /// What happened.
        source: RegistryUnreachable,
    },
    /// The pieces do not fit the reader's Arrow schema. A bug; do not retry.
    #[error("the decoded columns do not fit the reader schema: {source}")]
    Assemble {
        /// What Arrow says.
        #[from]
        source: arrow::error::ArrowError,
    },
    /// Records were lost or doubled on the way. A bug; do not retry.
    #[error("{records} records gave {rows} rows")]
    CountRows {
        /// Rows that came out.
        rows: usize,
        /// Records that should have become rows.
        records: usize,
    },
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    #[test]
    fn rows_find_their_place_in_the_fetch() {
        let bad = |index| Undecodable { index, offset: 0, log_time: 0, reason: Reason::NullValue };
        let mut decoded = Decoded {
            batch: RecordBatch::new_empty(Arc::new(Schema::empty())),
            offsets: vec![],
            log_times: vec![],
            undecodable: vec![],
        };
        assert_eq!(decoded.fetch_index(3), 3);
        decoded.undecodable = vec![bad(0), bad(2), bad(3), bad(7)];
        let places: Vec<_> = (0..6).map(|row| decoded.fetch_index(row)).collect();
        assert_eq!(places, [1, 4, 5, 6, 8, 9]);
    }
}

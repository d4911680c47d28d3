//! A record held in memory.

use worker::decode::Framed;
use worker::source::batch::{Timestamp, TimestampKind};

/// The time that all records have.
pub const NOW: i64 = 1_795_392_000_000;

/// A record of one topic partition.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pub offset: i64,
    pub value: Option<Vec<u8>>,
    pub header: Option<Vec<u8>>,
}

impl Framed for Held {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp { ms: NOW, kind: TimestampKind::LogAppend }
    }

    fn payload(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn schema_header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }
}

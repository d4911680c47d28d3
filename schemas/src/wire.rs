//! The values of the partials topic: version byte, kind byte, length of the header (u32, little endian), header (JSON), body.
//!
//! A partial has a body: its rows as one Arrow IPC stream. So has a piece of a record that is larger than a message may be, see [`pieces`].
//! Readers refuse other versions and kinds; a value that is
//! cut short or too long is an error, never half a record. Times are milliseconds since the epoch, UTC.

pub mod pieces;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::report::{Ledger, RefusalReport};

/// The version that this code writes, and the only one that it reads.
pub const VERSION: u8 = 1;
/// Header that carries the kind's name, so that other tools can tell records apart.
pub const KIND_HEADER: &str = "sluice.kind";
/// Header that carries the revision of the pipeline's meaning.
pub const REVISION_HEADER: &str = "sluice.revision";
/// Header that carries the incarnation of the source partition.
pub const INCARNATION_HEADER: &str = "sluice.incarnation";

/// A record of the partials topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Who sent it.
    pub from: Sender,
    /// What it says.
    pub content: Content,
}

/// The lane that sent a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Source partition.
    pub partition: i32,
    /// How often that partition had been taken over.
    pub incarnation: u64,
    /// Revision of the pipeline's meaning.
    pub revision: i64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A part of a closed window's state, with its rows as Arrow IPC.
    Partial(PartialHeader, Vec<u8>),
    /// Nothing more will come for windows that end by then.
    Seal(SealBody),
    /// The quality of one batch.
    Report(BatchBody),
    /// Lower incarnations of this partition are void from here on.
    Fence,
    /// The partition's log had lost records that were needed: what was not sealed before is void, and goes on without them.
    Loss(LossBody),
    /// Some of the encoded bytes of a record that is larger than a message may be.
    Piece(PieceHeader, Vec<u8>),
}

/// Which part of which window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialHeader {
    /// Start of the window.
    pub start: i64,
    /// End of the window.
    pub end: i64,
    /// Number of the part.
    pub part: u32,
    /// Digest of the rows, 32 hexadecimal digits.
    pub digest: String,
}

/// Which piece of which record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceHeader {
    /// Number of the piece, from zero.
    pub piece: u32,
    /// How many pieces the record is in.
    pub pieces: u32,
    /// Bytes of all of them together.
    pub bytes: u64,
    /// Of these bytes: the first 16 of BLAKE3, 32 hexadecimal digits.
    pub digest: String,
}

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealBody {
    /// The seal before it: of windows that end later, up to `until`, this one tells everything. `i64::MIN` in a partition's first
    /// seal; absent in those of versions that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// Windows that end by then are closed.
    pub until: i64,
    /// The position at which the seal was reached.
    pub at: i64,
    /// The windows that it closes and that have a part in this partition of the topic.
    pub closed: Vec<ClosedBody>,
    /// What the log has lost that windows between the two seals may lack; each `until` is at most this seal's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LossBody>,
}

/// Records that were needed and gone from a source partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossBody {
    /// The first record that was needed. `from` is the sender, beside it in the header.
    #[serde(rename = "from_offset")]
    pub from: i64,
    /// The first that was there.
    #[serde(rename = "to_offset")]
    pub to: i64,
    /// Records from here on had not been judged.
    pub position: i64,
    /// Windows that end by then had been closed, and are whole.
    pub after: i64,
    /// Windows that start then or later are whole; absent when that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// A closed window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedBody {
    /// Start of the window.
    pub start: i64,
    /// End of the window.
    pub end: i64,
    /// Parts that belong to it here.
    pub parts: u32,
    /// Records counted in it on the source partition.
    pub records: u64,
    /// Its first remembered record.
    pub first_offset: i64,
    /// The position at which it closed.
    pub end_offset: i64,
    /// Digest over the parts, 32 hexadecimal digits.
    pub digest: String,
}

/// The quality of one batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchBody {
    /// First record.
    pub first_offset: i64,
    /// Position after the batch.
    pub end_offset: i64,
    /// Log time of the first record.
    pub first_log_time: i64,
    /// Log time of the last record.
    pub last_log_time: i64,
    /// Verdicts.
    pub ledger: Ledger,
    /// Offsets that held no record.
    pub gaps: u64,
    /// Per rule.
    pub rules: Vec<RuleBody>,
    /// Latency histogram: (bucket, count).
    pub latency: Vec<(usize, u64)>,
    /// The filter, groups and measures that had no usable value for some record.
    pub expressions: Vec<ExpressionBody>,
    /// Why records went to the dead letters.
    pub refusals: Vec<RefusalBody>,
    /// Records that broke a rule, or for which an expression has no value.
    pub samples: Vec<SampleBody>,
}

/// An expression that had no usable value for some record although nothing that it reads is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressionBody {
    /// `filter`, `group` or `measure`.
    pub kind: String,
    /// The column's name; `filter` for the filter.
    pub name: String,
    /// Records for which it cannot be computed.
    pub no_value: u64,
    /// Records whose value, or a floating-point field that was read, is NaN or infinite.
    pub not_finite: u64,
}

/// Records that went to the dead letters for one kind of reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalBody {
    /// `Undecodable`, `Invalid` or `Late`, as in the dead letter.
    pub verdict: String,
    /// The rule that was broken, or a stable word for what cannot be decoded; `late` for late records.
    pub reason: String,
    /// How many.
    pub records: u64,
    /// The first of them.
    pub offset: i64,
    /// Its dead letter's message, cut.
    pub message: String,
}

/// How a batch stands to one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleBody {
    /// The rule's name.
    pub name: String,
    /// Hash of its meaning.
    pub fingerprint: String,
    /// Records for which it said true or false.
    pub evaluated: u64,
    /// Records for which it said false.
    pub violations: u64,
    /// Records for which it said nothing.
    pub skipped: u64,
    /// Those of them for which it cannot be computed.
    pub no_value: u64,
    /// Those of them where a floating-point field that it reads is NaN or infinite.
    pub not_finite: u64,
}

/// A record that broke a rule, or for which an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleBody {
    /// `rule`, `filter`, `group` or `measure`.
    pub kind: String,
    /// The name of the rule or the column; `filter` for the filter.
    pub name: String,
    /// `violation`, `no-value` or `not-finite`.
    pub why: String,
    /// The record.
    pub offset: i64,
    /// Its event id.
    pub event_id: Option<String>,
    /// The fields that the rule or the expression is about.
    pub field: Option<String>,
    /// Their values; redacted ones say so.
    pub value: Option<String>,
}

/// A value that is no record of the partials topic.
#[derive(Debug, Error)]
pub enum WireError {
    /// It ends too early.
    #[error("the value has {found} bytes, expected at least {wanted}")]
    TooShort {
        /// Bytes there are.
        found: usize,
        /// Bytes needed.
        wanted: usize,
    },
    /// Another version wrote it.
    #[error("the value has format version {found}, this build reads version {VERSION}")]
    OtherVersion {
        /// Its version.
        found: u8,
    },
    /// There is no such kind.
    #[error("the value has kind {found}, expected 1 to 6")]
    UnknownKind {
        /// Its kind.
        found: u8,
    },
    /// The header does not parse.
    #[error("the header does not parse: {source}")]
    ParseHeader {
        /// Why.
        #[from]
        source: serde_json::Error,
    },
    /// Bytes follow where none belong.
    #[error("{count} bytes follow the header of a record that has no body")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A piece that does not follow on the one before it, or pieces that are no record together.
    #[error("piece {piece} of {pieces} does not belong to the pieces before it")]
    BadPiece {
        /// Its number.
        piece: u32,
        /// How many there are.
        pieces: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Header<T> {
    from: Sender,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

impl RefusalBody {
    /// As a report of `partition`.
    pub fn report(self, partition: i32) -> RefusalReport {
        let Self { verdict, reason, records, offset, message } = self;
        RefusalReport { verdict, reason, records, partition, offset, message }
    }
}

impl Content {
    /// The kind's name, for the header.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Partial(..) => "partial",
            Self::Seal(_) => "seal",
            Self::Report(_) => "report",
            Self::Fence => "fence",
            Self::Loss(_) => "loss",
            Self::Piece(..) => "piece",
        }
    }
}

impl Record {
    /// The record as bytes.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let from = self.from;
        let empty: &[u8] = &[];
        let (kind, header, body) = match &self.content {
            Content::Partial(body, rows) => (1, serde_json::to_vec(&Header { from, body })?, rows.as_slice()),
            Content::Seal(body) => (2, serde_json::to_vec(&Header { from, body })?, empty),
            Content::Report(body) => (3, serde_json::to_vec(&Header { from, body })?, empty),
            Content::Fence => (4, serde_json::to_vec(&Header { from, body: Nothing {} })?, empty),
            Content::Loss(body) => (5, serde_json::to_vec(&Header { from, body })?, empty),
            Content::Piece(body, bytes) => (6, serde_json::to_vec(&Header { from, body })?, bytes.as_slice()),
        };
        let mut bytes = Vec::with_capacity(6 + header.len() + body.len());
        bytes.extend([VERSION, kind]);
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        bytes.extend(body);
        Ok(bytes)
    }

    /// The record that `value` holds.
    pub fn decode(value: &[u8]) -> Result<Self, WireError> {
        let too_short = |wanted| WireError::TooShort { found: value.len(), wanted };
        let (prefix, rest) = value.split_at_checked(6).ok_or_else(|| too_short(6))?;
        if prefix[0] != VERSION {
            return Err(WireError::OtherVersion { found: prefix[0] });
        }
        let length = u32::from_le_bytes([prefix[2], prefix[3], prefix[4], prefix[5]]) as usize;
        let (header, body) = rest.split_at_checked(length).ok_or_else(|| too_short(6_usize.saturating_add(length)))?;
        let kind = prefix[1];
        if !matches!(kind, 1 | 6) && !body.is_empty() {
            return Err(WireError::TrailingBytes { count: body.len() });
        }
        let (from, content) = match kind {
            1 => parse(header, |partial| Content::Partial(partial, body.to_vec()))?,
            2 => parse(header, Content::Seal)?,
            3 => parse(header, Content::Report)?,
            4 => parse(header, |Nothing {}| Content::Fence)?,
            5 => parse(header, Content::Loss)?,
            6 => parse(header, |piece| Content::Piece(piece, body.to_vec()))?,
            found => return Err(WireError::UnknownKind { found }),
        };
        Ok(Self { from, content })
    }
}

fn parse<T: DeserializeOwned>(header: &[u8], make: impl FnOnce(T) -> Content) -> Result<(Sender, Content), WireError> {
    let header: Header<T> = serde_json::from_slice(header)?;
    Ok((header.from, make(header.body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Record {
        let closed = ClosedBody {
            start: 0,
            end: 300,
            parts: 1,
            records: 7,
            first_offset: 3,
            end_offset: 11,
            digest: "00".repeat(16),
        };
        Record {
            from: Sender { partition: 2, incarnation: 1, revision: 1 },
            content: Content::Seal(SealBody {
                after: Some(i64::MIN),
                until: 300,
                at: 11,
                closed: vec![closed],
                lost: Vec::new(),
            }),
        }
    }

    #[test]
    fn a_record_comes_back_from_its_bytes() {
        let partial = PartialHeader { start: 0, end: 300, part: 0, digest: "ab".repeat(16) };
        let loss = Content::Loss(LossBody { from: 3, to: 9, position: 5, after: 300, until: None });
        for content in [seal().content, Content::Partial(partial, vec![1, 2, 3]), Content::Fence, loss] {
            let record = Record { content, ..seal() };
            let bytes = record.encode().expect("encodes");
            assert_eq!(Record::decode(&bytes).expect("decodes"), record);
        }
    }

    #[test]
    fn cut_or_foreign_values_are_refused() {
        let bytes = seal().encode().expect("encodes");
        for length in 0..bytes.len() {
            assert!(Record::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
        let changed = |at: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            Record::decode(&changed).map_err(|error| error.to_string())
        };
        assert_eq!(changed(0, 9), Err("the value has format version 9, this build reads version 1".into()));
        assert_eq!(changed(1, 9), Err("the value has kind 9, expected 1 to 6".into()));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(Record::decode(&longer), Err(WireError::TrailingBytes { count: 1 })));
    }
}

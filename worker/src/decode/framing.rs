//! Owns the framing: which schema wrote a value, and where its Avro body begins.
//!
//! Two forms are known: byte 0 and a big-endian 4-byte id before the body; or the header `__value_schema_id`, holding
//! byte 0 and the id (or byte 1 and a 16-byte GUID) with a bare body as value. The header wins, because a bare body may begin with byte 0.

use std::ffi::CStr;
use std::fmt;

use super::Reason;
use crate::source::batch::{Record, Timestamp};

/// The header that names the schema of an unprefixed value.
pub const VALUE_SCHEMA_HEADER: &CStr = c"__value_schema_id";

/// Bytes of the prefix: the magic byte and the id.
pub const PREFIX: usize = 5;

/// What decoding needs to know of a record.
pub trait Framed {
    /// Position in the partition.
    fn offset(&self) -> i64;
    /// When it was written, and by whose clock.
    fn timestamp(&self) -> Timestamp;
    /// The value; `None` is null.
    fn payload(&self) -> Option<&[u8]>;
    /// The value of the last header `__value_schema_id`.
    fn schema_header(&self) -> Option<&[u8]>;
}

impl Framed for Record {
    fn offset(&self) -> i64 {
        self.offset()
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp()
    }

    fn payload(&self) -> Option<&[u8]> {
        self.payload()
    }

    fn schema_header(&self) -> Option<&[u8]> {
        self.last_header(VALUE_SCHEMA_HEADER)
    }
}

/// What a schema is known by in its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// A number that the registry gave.
    Id(u32),
    /// A GUID that follows from the schema.
    Guid([u8; 16]),
}

/// `7`, or `7f6c9d2e-1111-2222-3333-444455556666`.
impl fmt::Display for SchemaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Guid(guid) => {
                for (at, byte) in guid.iter().enumerate() {
                    let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{dash}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// A value taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The writer schema's name.
    pub key: SchemaKey,
    /// The Avro body.
    pub body: &'a [u8],
    /// Prefix and body together, when they are so in the value; `None` when a header named the schema.
    pub prefixed: Option<&'a [u8]>,
}

/// Takes a record's value apart.
pub fn frame<R: Framed>(record: &R) -> Result<Frame<'_>, Reason> {
    let payload = record.payload().ok_or(Reason::NullValue)?;
    if let Some(header) = record.schema_header() {
        return Ok(Frame { key: key_of_header(header)?, body: payload, prefixed: None });
    }
    match payload {
        [0, a, b, c, d, body @ ..] => {
            let key = SchemaKey::Id(u32::from_be_bytes([*a, *b, *c, *d]));
            Ok(Frame { key, body, prefixed: Some(payload) })
        }
        [] | [0, ..] => Err(Reason::TooShort(payload.len())),
        [magic, ..] => Err(Reason::BadMagic(*magic)),
    }
}

fn key_of_header(header: &[u8]) -> Result<SchemaKey, Reason> {
    match header {
        [0, a, b, c, d] => Ok(SchemaKey::Id(u32::from_be_bytes([*a, *b, *c, *d]))),
        [1, guid @ ..] => match guid.try_into() {
            Ok(guid) => Ok(SchemaKey::Guid(guid)),
            Err(_) => Err(Reason::TooShort(header.len())),
        },
        [] | [0, ..] => Err(Reason::TooShort(header.len())),
        [magic, ..] => Err(Reason::BadMagic(*magic)),
    }
}

/// Puts the prefix before a bare body, into `scratch`.
pub fn prefixed<'s>(scratch: &'s mut Vec<u8>, id: u32, body: &[u8]) -> &'s [u8] {
    scratch.clear();
    scratch.push(0);
    scratch.extend_from_slice(&id.to_be_bytes());
    scratch.extend_from_slice(body);
    scratch
}

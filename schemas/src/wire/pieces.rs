//! A record that is larger than a message may be travels in pieces: messages of kind 6 that carry its encoded bytes in order.
//!
//! What a record says, and all by which it is recognised, does not depend on how it is cut: a sender may cut the same record otherwise the
//! next time. What is kept true: no message of [`split`] is above the limit, and a [`Joiner`] that reads them all gives the very
//! record, once, at its last piece. A record of which a piece is missing is never given.
//!
//! A sender sends the pieces of a record one after the other; messages of other senders may lie between them. A sender that ended
//! amid a record never completes it: its successor says the same again, and what is open of a lower incarnation is dropped as soon as a
//! higher one is heard.

use std::collections::BTreeMap;

use super::{Content, PieceHeader, Record, Sender, WireError};

/// The smallest limit that can be kept: room for a piece's header and some of its bytes.
pub const LEAST: usize = 512;
/// Most bytes of a record that is put together.
pub const MOST_JOINED: u64 = 256 * 1024 * 1024;

/// Room for the six bytes and the header of a piece, whatever its numbers.
const HEAD: usize = 320;

/// The values that carry `record`, none above `most` bytes; at least [`LEAST`] is taken for the limit.
///
/// # Errors
/// The record cannot be encoded. A bug.
pub fn split(record: &Record, most: usize) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    let whole = record.encode()?;
    let most = most.max(LEAST);
    if whole.len() <= most {
        return Ok(vec![whole]);
    }
    let (digest, room) = (digest(&whole), most - HEAD);
    let pieces = whole.len().div_ceil(room) as u32;
    let piece = |(piece, bytes): (u32, &[u8])| {
        let header = PieceHeader { piece, pieces, bytes: whole.len() as u64, digest: digest.clone() };
        Record { from: record.from, content: Content::Piece(header, bytes.to_vec()) }.encode()
    };
    (0..).zip(whole.chunks(room)).map(piece).collect()
}

/// The first 16 bytes of BLAKE3, in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}

/// Reads the messages of one partition of the partials topic in their order, and puts pieces together.
#[derive(Debug, Default)]
pub struct Joiner {
    /// The record that each source partition is in the middle of.
    open: BTreeMap<i32, Open>,
}

#[derive(Debug)]
struct Open {
    from: Sender,
    pieces: u32,
    length: u64,
    digest: String,
    /// Where its first piece is.
    first: i64,
    /// The next piece.
    next: u32,
    bytes: Vec<u8>,
}

impl Joiner {
    /// The record that the message at offset `at` is, or completes; nothing for a piece that completes none. A piece whose record
    /// began before reading did is passed over.
    ///
    /// # Errors
    /// The message is no record, a piece does not follow on the one before it, or the pieces are no record together.
    pub fn take(&mut self, at: i64, value: &[u8]) -> Result<Option<Record>, WireError> {
        let Record { from, content } = Record::decode(value)?;
        self.open.retain(|partition, open| *partition != from.partition || open.from.incarnation >= from.incarnation);
        match content {
            Content::Piece(header, bytes) => self.piece(at, from, header, &bytes),
            content => Ok(Some(Record { from, content })),
        }
    }

    /// The records that are in pieces of which some are still to come: who sends them, and where their first piece is.
    pub fn open(&self) -> impl Iterator<Item = (Sender, i64)> + '_ {
        self.open.values().map(|open| (open.from, open.first))
    }

    fn piece(&mut self, at: i64, from: Sender, header: PieceHeader, bytes: &[u8]) -> Result<Option<Record>, WireError> {
        let PieceHeader { piece, pieces, bytes: length, digest } = header;
        if piece >= pieces || u64::from(pieces) > length || length > MOST_JOINED {
            return Err(WireError::BadPiece { piece, pieces });
        }
        match self.open.get(&from.partition) {
            // An earlier owner's, amid those of its successor.
            Some(open) if open.from.incarnation > from.incarnation => return Ok(None),
            Some(open) if open.from == from && (open.pieces, &open.digest) == (pieces, &digest) => {
                if piece < open.next {
                    // It was sent again.
                    return Ok(None);
                }
            }
            _ if piece == 0 => {
                let open = Open { from, pieces, length, digest, first: at, next: 0, bytes: Vec::new() };
                self.open.insert(from.partition, open);
            }
            None => return Ok(None),
            Some(_) => {
                self.open.remove(&from.partition);
                return Err(WireError::BadPiece { piece, pieces });
            }
        }
        self.append(from, piece, bytes)
    }

    fn append(&mut self, from: Sender, piece: u32, bytes: &[u8]) -> Result<Option<Record>, WireError> {
        let Some(mut open) = self.open.remove(&from.partition) else { return Ok(None) };
        let (pieces, follows) = (open.pieces, piece == open.next);
        let fits = (open.bytes.len() + bytes.len()) as u64 <= open.length;
        if !follows || !fits || bytes.is_empty() {
            return Err(WireError::BadPiece { piece, pieces });
        }
        open.bytes.extend_from_slice(bytes);
        open.next += 1;
        if open.next < pieces {
            self.open.insert(from.partition, open);
            return Ok(None);
        }
        if open.bytes.len() as u64 != open.length || digest(&open.bytes) != open.digest {
            return Err(WireError::BadPiece { piece, pieces });
        }
        match Record::decode(&open.bytes)? {
            Record { content: Content::Piece(..), .. } => Err(WireError::BadPiece { piece, pieces }),
            record if record.from != from => Err(WireError::BadPiece { piece, pieces }),
            record => Ok(Some(record)),
        }
    }
}

#[cfg(test)]
mod tests;

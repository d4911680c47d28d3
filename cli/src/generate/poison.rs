//! Values that no schema decodes, made from good ones.
//!
//! Keeps true: every spoiled value is undecodable for a reader that follows the framing and the schema to the last byte.

use super::dice::Dice;
use super::encode::FRAME;

/// Ways to spoil a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poison {
    /// Cut somewhere before its end, possibly inside the framing.
    Truncated,
    /// JSON text where the magic byte should be.
    WrongMagic,
    /// A schema id that the registry does not know.
    UnknownSchema,
    /// No value at all (a tombstone).
    Null,
    /// A whole event and some bytes after it.
    TrailingBytes,
}

/// All ways, in the order in which they take turns.
pub const POISONS: [Poison; 5] =
    [Poison::Truncated, Poison::WrongMagic, Poison::UnknownSchema, Poison::Null, Poison::TrailingBytes];

/// A schema id that no registry hands out soon.
const UNKNOWN_ID: u32 = 0x7fff_fff0;

/// Spoils the framed event in `value`; false means that the record is to have no value.
pub fn spoil(poison: Poison, value: &mut Vec<u8>, dice: &mut Dice) -> bool {
    match poison {
        Poison::Truncated => value.truncate(1 + dice.below(value.len() as u64 - 1) as usize),
        Poison::WrongMagic => {
            value.clear();
            value.extend_from_slice(br#"{"event_id":"not avro"}"#);
        }
        Poison::UnknownSchema => value[1..FRAME].copy_from_slice(&UNKNOWN_ID.to_be_bytes()),
        Poison::Null => return false,
        Poison::TrailingBytes => value.extend_from_slice(&[0xff; 3]),
    }
    true
}

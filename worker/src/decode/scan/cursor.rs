//! Owns reading Avro's primitives from a slice, never past its end.

use super::Flaw;

const STOP_BITS: u64 = 0x8080_8080_8080_8080;

/// A position in a body.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// Bytes not read yet.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, need: u64) -> Result<&'a [u8], Flaw> {
        let left = self.rest.len();
        if need > left as u64 {
            return Err(Flaw::Ends { need, left });
        }
        let (taken, rest) = self.rest.split_at(need as usize);
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn skip(&mut self, need: u64) -> Result<(), Flaw> {
        self.take(need).map(drop)
    }

    /// A variable-length number, before zig-zag.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Flaw> {
        match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0u64;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7F) << (7 * place);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit alone.
                if place == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(Flaw::Varint)
    }

    pub(super) fn long(&mut self) -> Result<i64, Flaw> {
        self.varint().map(unzigzag)
    }

    /// Passes a long without computing it.
    #[inline]
    pub(super) fn skip_long(&mut self) -> Result<(), Flaw> {
        if let Some(word) = self.rest.first_chunk::<8>() {
            let stops = !u64::from_le_bytes(*word) & STOP_BITS;
            if stops != 0 {
                self.rest = &self.rest[stops.trailing_zeros() as usize / 8 + 1..];
                return Ok(());
            }
        }
        self.varint().map(drop)
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<(), Flaw> {
        let value = self.varint()?;
        u32::try_from(value).map(drop).map_err(|_| Flaw::IntRange)
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<(), Flaw> {
        match self.take(1)? {
            [0 | 1] => Ok(()),
            other => Err(Flaw::Boolean(other[0])),
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let len = unzigzag(self.varint()?);
        let need = u64::try_from(len).map_err(|_| Flaw::NegativeLength(len))?;
        self.take(need)
    }

    #[inline]
    pub(super) fn string(&mut self) -> Result<(), Flaw> {
        let text = self.bytes()?;
        if is_ascii(text) || std::str::from_utf8(text).is_ok() { Ok(()) } else { Err(Flaw::Utf8) }
    }
}

/// Zig-zag: 0, -1, 1, -2 … are written 0, 1, 2, 3 …
#[inline]
pub(super) fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Short strings are the rule: words of eight, the last one overlapping.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let mut high = u64::from_le_bytes(*last);
        for word in text.as_chunks::<8>().0 {
            high |= u64::from_le_bytes(*word);
        }
        high & STOP_BITS == 0
    } else {
        text.iter().fold(0, |high, byte| high | byte) < 0x80
    }
}

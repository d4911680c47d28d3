//! Owns reading Avro's primitives from a slice, never past its end.

use super::{Flaw, MOST_NESTED, steps};

const STOP_BITS: u64 = 0x8080_8080_8080_8080;

/// A position in a body.
pub(in crate::decode) struct Cursor<'a> {
    rest: &'a [u8],
    /// All steps that the body may take, and those that are left.
    most: usize,
    steps: usize,
    /// Values that have begun and not ended.
    nested: u32,
    /// Bytes above 127 that were passed outside strings.
    high: usize,
    reads_text: bool,
}

impl<'a> Cursor<'a> {
    /// Strings are passed by their length alone.
    pub(in crate::decode) fn skipping_text(body: &'a [u8]) -> Self {
        let most = steps(body.len());
        Self { rest: body, most, steps: most, nested: 0, high: 0, reads_text: false }
    }

    /// Strings must be UTF-8.
    pub(super) fn reading_text(body: &'a [u8]) -> Self {
        Self { reads_text: true, ..Self::skipping_text(body) }
    }

    /// Takes one step, for what may take no bytes.
    #[inline]
    pub(super) fn step(&mut self) -> Result<(), Flaw> {
        self.steps = self.steps.checked_sub(1).ok_or(Flaw::Steps { most: self.most })?;
        Ok(())
    }

    /// Whether so many steps are left.
    pub(super) fn has_steps(&self, count: u64) -> Result<(), Flaw> {
        if count > self.steps as u64 { Err(Flaw::Steps { most: self.most }) } else { Ok(()) }
    }

    /// Goes into a value that holds others, which is a step.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), Flaw> {
        self.nested += 1;
        if self.nested > MOST_NESTED {
            return Err(Flaw::Nested);
        }
        self.step()
    }

    /// Leaves it.
    #[inline]
    pub(super) fn leave(&mut self) {
        self.nested -= 1;
    }

    /// Bytes not read yet, from which on what is read next can be cut.
    #[inline]
    pub(in crate::decode) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes not read yet.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Bytes above 127 that were passed outside strings.
    #[inline]
    pub(super) fn high_outside_text(&self) -> usize {
        self.high
    }

    #[inline]
    fn cut(&mut self, need: u64) -> Result<&'a [u8], Flaw> {
        let left = self.rest.len();
        if need > left as u64 {
            return Err(Flaw::Ends { need, left });
        }
        let (taken, rest) = self.rest.split_at(need as usize);
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes that are no string.
    #[inline]
    pub(super) fn take(&mut self, need: u64) -> Result<&'a [u8], Flaw> {
        let taken = self.cut(need)?;
        self.high += high_bytes(taken);
        Ok(taken)
    }

    #[inline]
    fn length(&mut self) -> Result<u64, Flaw> {
        let len = unzigzag(self.varint()?);
        u64::try_from(len).map_err(|_| Flaw::NegativeLength(len))
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
        if let Some(word) = self.rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let stops = !word & STOP_BITS;
            if stops != 0 {
                let before = stops.trailing_zeros() as usize / 8;
                self.rest = &self.rest[before + 1..];
                // All bytes of a number but its last are above 127.
                self.high += before;
                return Ok(joined(word & (u64::MAX >> (56 - 8 * before))));
            }
        }
        self.longest_varint()
    }

    /// Byte by byte: near the end of the body, or of more than eight bytes.
    fn longest_varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0u64;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7F) << (7 * place);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit alone.
                if place == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[place + 1..];
                self.high += place;
                return Ok(value);
            }
        }
        Err(Flaw::Varint)
    }

    pub(in crate::decode) fn long(&mut self) -> Result<i64, Flaw> {
        self.varint().map(unzigzag)
    }

    /// Passes a long without computing it.
    #[inline]
    pub(super) fn skip_long(&mut self) -> Result<(), Flaw> {
        if let Some(word) = self.rest.first_chunk::<8>() {
            let stops = !u64::from_le_bytes(*word) & STOP_BITS;
            if stops != 0 {
                let before = stops.trailing_zeros() as usize / 8;
                self.rest = &self.rest[before + 1..];
                self.high += before;
                return Ok(());
            }
        }
        self.varint().map(drop)
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32, Flaw> {
        let value = self.varint()?;
        let value = u32::try_from(value).map_err(|_| Flaw::IntRange)?;
        Ok(unzigzag(u64::from(value)) as i32)
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, Flaw> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            other => Err(Flaw::Boolean(other[0])),
        }
    }

    /// `N` bytes that are no string.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let taken = self.take(N as u64)?;
        Ok(taken.try_into().expect("as many bytes were taken"))
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let need = self.length()?;
        self.take(need)
    }

    #[inline]
    pub(in crate::decode) fn text(&mut self) -> Result<&'a [u8], Flaw> {
        let need = self.length()?;
        let text = self.cut(need)?;
        if self.reads_text && std::str::from_utf8(text).is_err() {
            return Err(Flaw::Utf8);
        }
        Ok(text)
    }
}

/// The low seven bits of each of eight bytes, put together.
#[inline]
fn joined(word: u64) -> u64 {
    let word = word & !STOP_BITS;
    let word = (word & 0x007F_007F_007F_007F) | ((word & 0x7F00_7F00_7F00_7F00) >> 1);
    let word = (word & 0x0000_3FFF_0000_3FFF) | ((word & 0x3FFF_0000_3FFF_0000) >> 2);
    (word & 0x0FFF_FFFF) | ((word & 0x0FFF_FFFF_0000_0000) >> 4)
}

/// Zig-zag: 0, -1, 1, -2 … are written 0, 1, 2, 3 …
#[inline]
pub(super) fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Appends a number in zig-zag, seven bits a byte.
pub(in crate::decode) fn zigzag(out: &mut Vec<u8>, value: i64) {
    let mut left = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while left > 0x7F {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// How many bytes are above 127: words of eight at a time, one counter per byte of the word.
#[inline]
pub(super) fn high_bytes(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut count = rest.iter().map(|byte| usize::from(byte >> 7)).sum();
    // A lane counts to 255 before it must be emptied.
    for words in words.chunks(255) {
        let lanes: u64 = words.iter().map(|word| (u64::from_le_bytes(*word) & STOP_BITS) >> 7).sum();
        count += ((lanes & 0x00FF_00FF_00FF_00FF) + ((lanes >> 8) & 0x00FF_00FF_00FF_00FF))
            .wrapping_mul(0x0001_0001_0001_0001) as usize
            >> 48;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::{Cursor, high_bytes};

    #[test]
    fn numbers_of_every_length_are_read_at_every_distance_from_the_end() {
        for bits in 0..64 {
            for value in [1u64 << bits, (1 << bits) - 1, u64::MAX >> bits, 0x0123_4567_89AB_CDEF >> bits] {
                let mut encoded = Vec::new();
                let mut rest = value;
                while rest >= 0x80 {
                    encoded.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                encoded.push(rest as u8);
                let length = encoded.len();
                for after in 0..9 {
                    encoded.resize(length + after, 0xFF);
                    let mut cursor = Cursor::skipping_text(&encoded);
                    assert_eq!(cursor.varint(), Ok(value));
                    assert_eq!((cursor.left(), cursor.high_outside_text()), (after, length - 1));
                }
            }
        }
    }

    #[test]
    fn bytes_above_127_are_counted() {
        for len in 0..5000usize {
            let bytes: Vec<u8> = (0..len).map(|at| if at % 3 == 0 { 0x80 + (at % 128) as u8 } else { 0x7F }).collect();
            assert_eq!(high_bytes(&bytes), len.div_ceil(3));
        }
        assert_eq!(high_bytes(&[0xFF; 5000]), 5000);
    }
}

//! Owns reading Avro's primitives from a slice, never past its end.

use super::Flaw;

const STOP_BITS: u64 = 0x8080_8080_8080_8080;

/// A position in a body.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// Bytes above 127 that were passed outside strings.
    high: usize,
    reads_text: bool,
}

impl<'a> Cursor<'a> {
    /// Strings are passed by their length alone.
    pub(super) fn skipping_text(body: &'a [u8]) -> Self {
        Self { rest: body, high: 0, reads_text: false }
    }

    /// Strings must be UTF-8.
    pub(super) fn reading_text(body: &'a [u8]) -> Self {
        Self { reads_text: true, ..Self::skipping_text(body) }
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
        let mut value = 0u64;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7F) << (7 * place);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit alone.
                if place == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[place + 1..];
                // All bytes of a number but its last are above 127.
                self.high += place;
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
                let before = stops.trailing_zeros() as usize / 8;
                self.rest = &self.rest[before + 1..];
                self.high += before;
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
        let need = self.length()?;
        self.take(need)
    }

    #[inline]
    pub(super) fn string(&mut self) -> Result<(), Flaw> {
        let need = self.length()?;
        let text = self.cut(need)?;
        if self.reads_text && std::str::from_utf8(text).is_err() {
            return Err(Flaw::Utf8);
        }
        Ok(())
    }
}

/// Zig-zag: 0, -1, 1, -2 … are written 0, 1, 2, 3 …
#[inline]
pub(super) fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
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
    use super::high_bytes;

    #[test]
    fn bytes_above_127_are_counted() {
        for len in 0..5000usize {
            let bytes: Vec<u8> = (0..len).map(|at| if at % 3 == 0 { 0x80 + (at % 128) as u8 } else { 0x7F }).collect();
            assert_eq!(high_bytes(&bytes), len.div_ceil(3));
        }
        assert_eq!(high_bytes(&[0xFF; 5000]), 5000);
    }
}

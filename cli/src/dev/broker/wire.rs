//! The primitive types of the Kafka protocol, read from a request and written to a response.
//!
//! A [`Reader`] never panics and never allocates more than the frame it reads: every length is checked against what is
//! left. "Compact" forms and tags belong to the versions that Kafka calls flexible.
//! Source: the Kafka protocol guide, section "Protocol Primitive Types".

use thiserror::Error;

/// Why a request cannot be read, or answered. The connection that sent it is closed, as Kafka does.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum WireError {
    /// The frame ends before the field does.
    #[error("request ends {missing} bytes early")]
    Short { missing: usize },
    /// A length or a varint that no client would send.
    #[error("request carries an impossible length")]
    Length,
    /// A request that was not offered, or not in this version.
    #[error("request {api} in version {version} is not served")]
    Unserved { api: i16, version: i16 },
    /// The records that it asks for cannot be read from the log's file.
    #[error("the log cannot be read: {0}")]
    Log(std::io::ErrorKind),
    /// A name that is not UTF-8.
    #[error("request carries a name that is not utf-8")]
    Utf8,
}

pub(super) type Read<T> = Result<T, WireError>;

/// What is left of a request.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(WireError::Short { missing: count - self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(super) fn bool(&mut self) -> Read<bool> {
        Ok(self.fixed::<1>()?[0] != 0)
    }

    pub(super) fn i8(&mut self) -> Read<i8> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    pub(super) fn i16(&mut self) -> Read<i16> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    pub(super) fn i32(&mut self) -> Read<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    pub(super) fn uuid(&mut self) -> Read<[u8; 16]> {
        self.fixed()
    }

    fn text(&mut self, length: usize) -> Read<String> {
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| WireError::Utf8)
    }

    pub(super) fn nullable_string(&mut self) -> Read<Option<String>> {
        match self.i16()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| WireError::Length)?;
                self.text(length).map(Some)
            }
        }
    }

    pub(super) fn string(&mut self) -> Read<String> {
        self.nullable_string()?.ok_or(WireError::Length)
    }

    pub(super) fn nullable_bytes(&mut self) -> Read<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| WireError::Length)?;
                self.take(length).map(Some)
            }
        }
    }

    pub(super) fn bytes(&mut self) -> Read<&'a [u8]> {
        self.nullable_bytes()?.ok_or(WireError::Length)
    }

    pub(super) fn nullable_array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Read<T>) -> Read<Option<Vec<T>>> {
        match self.i32()? {
            -1 => Ok(None),
            count => {
                let count = usize::try_from(count).map_err(|_| WireError::Length)?;
                (0..count).map(|_| item(self)).collect::<Read<Vec<T>>>().map(Some)
            }
        }
    }

    pub(super) fn array<T>(&mut self, item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        self.nullable_array(item)?.ok_or(WireError::Length)
    }

    fn unsigned_varint(&mut self) -> Read<usize> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.fixed::<1>()?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value as usize);
            }
        }
        Err(WireError::Length)
    }

    pub(super) fn compact_nullable_string(&mut self) -> Read<Option<String>> {
        match self.unsigned_varint()?.checked_sub(1) {
            None => Ok(None),
            Some(length) => self.text(length).map(Some),
        }
    }

    pub(super) fn compact_nullable_array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Option<Vec<T>>> {
        match self.unsigned_varint()?.checked_sub(1) {
            None => Ok(None),
            Some(count) => (0..count).map(|_| item(self)).collect::<Read<Vec<T>>>().map(Some),
        }
    }

    /// Tagged fields are optional by definition; none of those that clients send matters here.
    pub(super) fn skip_tags(&mut self) -> Read<()> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            self.take(length)?;
        }
        Ok(())
    }
}

/// A response under construction.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn uuid(&mut self, value: [u8; 16]) {
        self.bytes.extend_from_slice(&value);
    }

    pub(super) fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            None => self.i16(-1),
            Some(text) => {
                self.i16(text.len() as i16);
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
    }

    pub(super) fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.i32(value.len() as i32);
        self.bytes.extend_from_slice(value);
    }

    /// A byte field of this length, which `fill` writes in place, or an empty one if it fails.
    pub(super) fn bytes_from<E>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        self.i32(length as i32);
        self.bytes.resize(start + 4 + length, 0);
        let filled = fill(&mut self.bytes[start + 4..]);
        if filled.is_err() {
            self.bytes.truncate(start);
            self.i32(0);
        }
        filled
    }

    pub(super) fn array<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.i32(items.len() as i32);
        for value in items {
            item(self, value);
        }
    }

    fn unsigned_varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn compact_nullable_string(&mut self, value: Option<&str>) {
        self.unsigned_varint(value.map_or(0, |text| text.len() + 1));
        self.bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
    }

    pub(super) fn compact_array<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.unsigned_varint(items.len() + 1);
        for value in items {
            item(self, value);
        }
    }

    pub(super) fn no_tags(&mut self) {
        self.bytes.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_frame_is_refused_and_allocates_nothing() {
        let mut frame = i32::MAX.to_be_bytes().to_vec();
        frame.push(1);
        let missing = i32::MAX as usize - 1;
        assert_eq!(Reader::new(&frame).bytes(), Err(WireError::Short { missing }));
        assert!(Reader::new(&frame).array(Reader::i64).is_err());
    }

    #[test]
    fn compact_forms_read_back_what_was_written() {
        let mut writer = Writer::default();
        let long = "x".repeat(300);
        writer.compact_array(&["", "abc", &long], |w, text| {
            w.compact_nullable_string(Some(text));
        });
        writer.compact_nullable_string(None);
        writer.no_tags();
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let texts = reader.compact_nullable_array(Reader::compact_nullable_string);
        assert_eq!(texts, Ok(Some(vec![Some(String::new()), Some("abc".into()), Some(long)])));
        assert_eq!(reader.compact_nullable_string(), Ok(None));
        assert_eq!(reader.skip_tags(), Ok(()));
        assert!(reader.i8().is_err());
    }
}

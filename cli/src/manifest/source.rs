//! The text of a manifest and the places in it.
//!
//! Keeps true: lines and columns count from 1, columns count characters, ranges are bytes of the text.

use std::ops::Range;

/// A file that was read, or text from standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it in messages.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A character's place, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl Source {
    /// A source of that name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The place of a byte; the end of the text for bytes beyond it.
    pub fn place(&self, byte: usize) -> Place {
        let before = &self.text[..self.boundary(byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The byte of a place, counting from 1; the end of the line for columns beyond it.
    pub fn byte(&self, place: Place) -> usize {
        let line_start: usize = self.text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
        let line = self.text[line_start..].split('\n').next().unwrap_or_default();
        line_start + line.char_indices().nth(place.column - 1).map_or(line.len(), |(byte, _)| byte)
    }

    /// A range that ends where its first line does, and lies within the text.
    pub fn first_line(&self, range: &Range<usize>) -> Range<usize> {
        let (start, end) = (self.boundary(range.start), self.boundary(range.end));
        let line = self.text[start..end.max(start)].split('\n').next().unwrap_or_default();
        start..start + line.trim_end().len()
    }

    fn boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_bytes_are_inverse() {
        let source = Source::new("x", "a: 'ü'\nb: c\n");
        assert_eq!(source.place(0), Place { line: 1, column: 1 });
        assert_eq!(source.place(6), Place { line: 1, column: 6 }, "columns count characters");
        assert_eq!(source.place(11), Place { line: 2, column: 4 });
        assert_eq!(source.byte(Place { line: 2, column: 4 }), 11);
        assert_eq!(source.byte(Place { line: 1, column: 99 }), 7);
        assert_eq!(source.place(99), Place { line: 3, column: 1 });
    }
}

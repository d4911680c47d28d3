//! Checks an Avro body against its writer schema without building anything.
//!
//! A body that passes is one complete record, to the byte: lengths stay inside, union branches and enum symbols exist, strings are
//! UTF-8, booleans are 0 or 1, decimals fit their precision, nothing follows. So a decoder that then appends it column by column
//! does not fail halfway. No allocation unless the body is refused. Encoding: Avro 1.11.1 specification, "Binary encoding".

mod agree;
mod compile;
mod cursor;
pub(super) mod rows;

pub use compile::SchemaError;

use std::fmt;

use super::Reason;
use cursor::Cursor;

/// Items of an array or map that take no bytes: more than this is refused, because a few bytes could claim any number.
const MAX_WEIGHTLESS_ITEMS: u64 = 65_536;

/// The binary layout of one Avro type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Null,
    Boolean,
    Int(Option<Unit>),
    Long(Option<Unit>),
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(u64),
    /// Unscaled two's-complement; `size` when fixed.
    Decimal {
        size: Option<usize>,
        precision: u32,
        scale: u32,
        /// Values of up to this many bytes always fit.
        sure: usize,
    },
    Array(Box<Shape>, Weight),
    Map(Box<Shape>),
    Record(Box<[Field]>),
    /// Two branches of which the one at `null` is null.
    Optional {
        null: u64,
        some: Box<Shape>,
    },
    Union(Box<[Shape]>),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: Box<str>,
    /// Other names that a reader accepts.
    aliases: Box<[Box<str>]>,
    shape: Shape,
}

/// What a number counts, as its logical type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit(&'static str);

/// Whether an item of an array takes at least a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Some,
    None,
}

/// What is wrong with a body, without words yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Ends { need: u64, left: usize },
    Varint,
    IntRange,
    Boolean(u8),
    NegativeLength(i64),
    Utf8,
    Branch { index: i64, branches: usize },
    Symbol { index: i64, symbols: u64 },
    Block,
    Digits { precision: u32 },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends { need, left } => write!(f, "needs {need} bytes, {left} are left"),
            Self::Varint => write!(f, "the number does not end within 64 bits or the value"),
            Self::IntRange => write!(f, "the number does not fit 32 bits"),
            Self::Boolean(byte) => write!(f, "a boolean is 0 or 1, found {byte}"),
            Self::NegativeLength(len) => write!(f, "the length is negative ({len})"),
            Self::Utf8 => write!(f, "the string is not UTF-8"),
            Self::Branch { index, branches } => {
                write!(f, "union branch {index} does not exist, there are {branches}")
            }
            Self::Symbol { index, symbols } => {
                write!(f, "enum symbol {index} does not exist, there are {symbols}")
            }
            Self::Block => write!(f, "the block's count or size does not fit its items"),
            Self::Digits { precision } => {
                write!(f, "the decimal has more than {precision} digits")
            }
        }
    }
}

/// The check for one writer schema.
#[derive(Clone, Debug)]
pub struct Scanner {
    fields: Box<[Field]>,
}

impl Scanner {
    /// Compiles the check from the schema's JSON; the schema must be a record and not contain itself.
    pub fn compile(schema: &str) -> Result<Self, SchemaError> {
        Ok(Self { fields: compile::record_fields(schema)? })
    }

    /// Whether numbers written by this schema mean the same when `reader` reads them; the error names the field. (Whether the
    /// types resolve at all is arrow-avro's to say; it takes no notice of units and scales.)
    pub fn agrees_with(&self, reader: &Self) -> Result<(), String> {
        agree::fields(&self.fields, &reader.fields)
    }

    /// Whether `body` is exactly one record.
    pub fn check(&self, body: &[u8]) -> Result<(), Reason> {
        // Most text is ASCII. Then every byte above 127 is outside the strings, and counting is cheaper than looking at each string.
        let mut quick = Cursor::skipping_text(body);
        let walked = self.fields.iter().try_for_each(|field| walk(&field.shape, &mut quick));
        if walked.is_ok() && quick.left() == 0 && quick.high_outside_text() == cursor::high_bytes(body) {
            return Ok(());
        }
        self.check_slowly(body)
    }

    /// The same with a look at each string, and with words for what is wrong.
    fn check_slowly(&self, body: &[u8]) -> Result<(), Reason> {
        let mut cursor = Cursor::reading_text(body);
        for field in &self.fields {
            if let Err(flaw) = walk(&field.shape, &mut cursor) {
                return Err(Reason::Malformed(format!("field '{}': {flaw}", field.name)));
            }
        }
        match cursor.left() {
            0 => Ok(()),
            left => Err(Reason::TrailingBytes(left)),
        }
    }
}

fn walk(mut shape: &Shape, cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
    if let Shape::Optional { null, some } = shape {
        let branch = cursor.varint()?;
        // Branch 0 is written 0, branch 1 is written 2.
        if branch == null * 2 {
            return Ok(());
        }
        if branch != (1 - null) * 2 {
            return Err(Flaw::Branch { index: cursor::unzigzag(branch), branches: 2 });
        }
        shape = some;
    }
    match shape {
        Shape::String => cursor.text().map(drop),
        Shape::Long(_) => cursor.skip_long(),
        Shape::Int(_) => cursor.int().map(drop),
        Shape::Null => Ok(()),
        Shape::Boolean => cursor.boolean().map(drop),
        Shape::Float => cursor.take(4).map(drop),
        Shape::Double => cursor.take(8).map(drop),
        Shape::Fixed(size) => cursor.take(*size as u64).map(drop),
        Shape::Bytes => cursor.bytes().map(drop),
        Shape::Decimal { size, precision, sure, .. } => {
            let unscaled = match size {
                Some(size) => cursor.take(*size as u64)?,
                None => cursor.bytes()?,
            };
            if unscaled.len() <= *sure || digits_fit(unscaled, *precision) {
                Ok(())
            } else {
                Err(Flaw::Digits { precision: *precision })
            }
        }
        other => walk_nested(other, cursor),
    }
}

#[inline(never)]
fn walk_nested(shape: &Shape, cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
    match shape {
        Shape::Enum(symbols) => index_below(cursor, *symbols).map(drop).map_err(|index| symbol(index, *symbols)),
        Shape::Record(fields) => fields.iter().try_for_each(|field| walk(&field.shape, cursor)),
        Shape::Union(branches) => {
            let index = index_below(cursor, branches.len() as u64).map_err(|index| branch(index, branches.len()))?;
            walk(&branches[index], cursor)
        }
        Shape::Array(item, weight) => blocks(cursor, *weight, |cursor| walk(item, cursor)),
        Shape::Map(value) => blocks(cursor, Weight::Some, |cursor| {
            cursor.text()?;
            walk(value, cursor)
        }),
        simple => walk(simple, cursor),
    }
}

/// Reads a zero-based index; the error is the index that is out of range, or the flaw in the number.
fn index_below(cursor: &mut Cursor<'_>, count: u64) -> Result<usize, Result<i64, Flaw>> {
    let index = cursor.long().map_err(Err)?;
    match usize::try_from(index) {
        Ok(found) if (found as u64) < count => Ok(found),
        _ => Err(Ok(index)),
    }
}

fn symbol(index: Result<i64, Flaw>, symbols: u64) -> Flaw {
    index.map_or_else(|flaw| flaw, |index| Flaw::Symbol { index, symbols })
}

fn branch(index: Result<i64, Flaw>, branches: usize) -> Flaw {
    index.map_or_else(|flaw| flaw, |index| Flaw::Branch { index, branches })
}

/// Walks the blocks of an array or map up to the empty one.
fn blocks(
    cursor: &mut Cursor<'_>,
    weight: Weight,
    mut item: impl FnMut(&mut Cursor<'_>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let mut weightless = 0;
    loop {
        let count = cursor.long()?;
        if count == 0 {
            return Ok(());
        }
        // A negative count is followed by the block's size in bytes.
        let left_after = match count {
            ..0 => {
                let size = u64::try_from(cursor.long()?).map_err(|_| Flaw::Block)?;
                let left = cursor.left() as u64;
                Some(left.checked_sub(size).ok_or(Flaw::Ends { need: size, left: cursor.left() })?)
            }
            _ => None,
        };
        let count = count.unsigned_abs();
        let fits = match weight {
            Weight::Some => count <= cursor.left() as u64,
            Weight::None => {
                weightless += count.min(MAX_WEIGHTLESS_ITEMS + 1);
                weightless <= MAX_WEIGHTLESS_ITEMS
            }
        };
        if !fits {
            return Err(Flaw::Block);
        }
        for _ in 0..count {
            item(cursor)?;
        }
        if left_after.is_some_and(|left| left != cursor.left() as u64) {
            return Err(Flaw::Block);
        }
    }
}

/// Whether a big-endian two's-complement number has at most `precision` decimal digits.
fn digits_fit(unscaled: &[u8], precision: u32) -> bool {
    let Some(limit) = 10u128.checked_pow(precision) else {
        return unscaled.len() <= 32;
    };
    let negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let filler = if negative { 0xFF } else { 0 };
    let (extension, kept) = unscaled.split_at(unscaled.len().saturating_sub(16));
    if extension.iter().any(|byte| *byte != filler) {
        return false;
    }
    let mut wide = [filler; 16];
    wide[16 - kept.len()..].copy_from_slice(kept);
    let value = i128::from_be_bytes(wide);
    (value < 0) == negative && value.unsigned_abs() < limit
}

#[cfg(test)]
mod tests;

//! Checks an Avro body against its writer schema without building anything.
//!
//! A body that passes is one complete record, to the byte: lengths stay inside, union branches and enum symbols exist, strings are
//! UTF-8, booleans are 0 or 1, decimals fit their precision, nothing follows. So a decoder that then appends it column by column
//! does not fail halfway. No allocation unless the body is refused. Encoding: Avro 1.11.1 specification, "Binary encoding".
//!
//! The work is bounded by the body's size: what takes no bytes of it costs steps, of which there are so many ([`steps`]), and values
//! nest at most [`MOST_NESTED`] deep, whatever the schema.

pub(super) mod agree;
mod compile;
pub(super) mod cursor;
pub(super) mod rows;

use std::fmt;
use std::sync::Arc;

use plan::avro::{Schema, SchemaError, TypeId};

use super::Reason;
use cursor::Cursor;

/// Steps that any body may take: as many items without bytes.
const LEAST_STEPS: usize = 65_536;
/// Further steps for each byte.
const STEPS_PER_BYTE: usize = 16;
/// Values inside each other, each in the one before: a list that is made of links, a tree of answers.
pub const MOST_NESTED: u32 = 512;

/// Steps that a body of so many bytes may take.
pub fn steps(bytes: usize) -> usize {
    bytes.saturating_mul(STEPS_PER_BYTE).saturating_add(LEAST_STEPS)
}

/// The binary layout of one Avro type.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(u64),
    Enum(u64),
    /// Unscaled two's-complement; `size` when fixed.
    Decimal {
        size: Option<u64>,
        precision: u32,
        /// Values of up to this many bytes always fit.
        sure: usize,
    },
    Array(TypeId, Weight),
    Map(TypeId),
    Record(Box<[TypeId]>),
    /// Two branches of which the one at `null` is null.
    Optional {
        null: u64,
        some: TypeId,
    },
    Union(Box<[TypeId]>),
}

/// Whether an item of an array takes at least a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Some,
    None,
}

/// What is wrong with a body, without words yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Flaw {
    Ends {
        need: u64,
        left: usize,
    },
    Varint,
    IntRange,
    Boolean(u8),
    NegativeLength(i64),
    Utf8,
    Branch {
        index: i64,
        branches: usize,
    },
    Symbol {
        index: i64,
        symbols: u64,
    },
    Block,
    Digits {
        precision: u32,
    },
    /// More steps than the body's size allows.
    Steps {
        most: usize,
    },
    Nested,
}

impl Flaw {
    /// Whether the body may be good, and takes too much.
    fn is_cost(self) -> bool {
        matches!(self, Self::Steps { .. } | Self::Nested)
    }
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
            Self::Steps { most } => {
                write!(f, "items without bytes make more than the {most} steps that are allowed for the value's size")
            }
            Self::Nested => write!(f, "more than {MOST_NESTED} values are inside each other"),
        }
    }
}

/// The check for one writer schema.
#[derive(Clone, Debug)]
pub struct Scanner {
    schema: Arc<Schema>,
    shapes: Box<[Shape]>,
}

impl Scanner {
    /// Compiles the check from the schema's JSON; the schema must be a record.
    pub fn compile(schema: &str) -> Result<Self, SchemaError> {
        Self::of(Schema::parse(schema)?.into())
    }

    /// Compiles the check of a schema, which must be a record.
    pub fn of(schema: Arc<Schema>) -> Result<Self, SchemaError> {
        schema.record()?;
        Ok(Self { shapes: compile::shapes(&schema), schema })
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether numbers written by this schema mean the same when `reader` reads them; the error names the field. (Whether the
    /// types resolve at all is arrow-avro's to say; it takes no notice of units and scales.)
    pub fn agrees_with(&self, reader: &Schema) -> Result<(), String> {
        agree::records(&self.schema, reader)
    }

    fn fields(&self) -> &[plan::avro::Field] {
        self.schema.record().unwrap_or_default()
    }

    /// Whether `body` is exactly one record.
    pub fn check(&self, body: &[u8]) -> Result<(), Reason> {
        // Most text is ASCII. Then every byte above 127 is outside the strings, and counting is cheaper than looking at each string.
        let mut quick = Cursor::skipping_text(body);
        let walked = self.fields().iter().try_for_each(|field| self.walk(field.of, &mut quick));
        if walked.is_ok() && quick.left() == 0 && quick.high_outside_text() == cursor::high_bytes(body) {
            return Ok(());
        }
        self.check_slowly(body)
    }

    /// The same with a look at each string, and with words for what is wrong.
    fn check_slowly(&self, body: &[u8]) -> Result<(), Reason> {
        let mut cursor = Cursor::reading_text(body);
        for field in self.fields() {
            if let Err(flaw) = self.walk(field.of, &mut cursor) {
                let words = format!("field '{}': {flaw}", field.name);
                return Err(if flaw.is_cost() { Reason::OverBudget(words) } else { Reason::Malformed(words) });
            }
        }
        match cursor.left() {
            0 => Ok(()),
            left => Err(Reason::TrailingBytes(left)),
        }
    }

    /// Passes a value of a type.
    pub(in crate::decode) fn walk(&self, id: TypeId, cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
        let mut shape = &self.shapes[id.index()];
        if let Shape::Optional { null, some } = shape {
            let branch = cursor.varint()?;
            // Branch 0 is written 0, branch 1 is written 2.
            if branch == null * 2 {
                return Ok(());
            }
            if branch != (1 - null) * 2 {
                return Err(Flaw::Branch { index: cursor::unzigzag(branch), branches: 2 });
            }
            shape = &self.shapes[some.index()];
        }
        match shape {
            Shape::String => cursor.text().map(drop),
            Shape::Long => cursor.skip_long(),
            Shape::Int => cursor.int().map(drop),
            Shape::Null | Shape::Fixed(0) => cursor.step(),
            Shape::Boolean => cursor.boolean().map(drop),
            Shape::Float => cursor.take(4).map(drop),
            Shape::Double => cursor.take(8).map(drop),
            Shape::Fixed(size) => cursor.take(*size).map(drop),
            Shape::Bytes => cursor.bytes().map(drop),
            Shape::Decimal { size, precision, sure } => {
                let unscaled = match size {
                    Some(size) => cursor.take(*size)?,
                    None => cursor.bytes()?,
                };
                if unscaled.len() <= *sure || digits_fit(unscaled, *precision) {
                    Ok(())
                } else {
                    Err(Flaw::Digits { precision: *precision })
                }
            }
            nested => {
                cursor.enter()?;
                self.walk_nested(nested, cursor)?;
                cursor.leave();
                Ok(())
            }
        }
    }

    /// Walks the items of an array or the entries of a map.
    pub(in crate::decode) fn items(
        &self,
        id: TypeId,
        cursor: &mut Cursor<'_>,
        next: impl FnMut(Part, &mut Cursor<'_>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        let weight = if let Shape::Array(_, weight) = self.shapes[id.index()] { weight } else { Weight::Some };
        blocks(cursor, weight, next)
    }

    #[inline(never)]
    fn walk_nested(&self, shape: &Shape, cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
        match shape {
            Shape::Enum(symbols) => index_below(cursor, *symbols).map(drop).map_err(|index| symbol(index, *symbols)),
            Shape::Record(fields) => fields.iter().try_for_each(|field| self.walk(*field, cursor)),
            Shape::Union(branches) => {
                let index =
                    index_below(cursor, branches.len() as u64).map_err(|index| branch(index, branches.len()))?;
                self.walk(branches[index], cursor)
            }
            Shape::Array(item, weight) => blocks(cursor, *weight, |part, cursor| match part {
                Part::Begin(_) => Ok(()),
                Part::Item => self.walk(*item, cursor),
            }),
            Shape::Map(value) => blocks(cursor, Weight::Some, |part, cursor| match part {
                Part::Begin(_) => Ok(()),
                Part::Item => {
                    cursor.text()?;
                    self.walk(*value, cursor)
                }
            }),
            // A union that holds nothing but another one, which is no Avro.
            Shape::Optional { null, some } => {
                let index = index_below(cursor, 2).map_err(|index| branch(index, 2))?;
                if index as u64 == *null { Ok(()) } else { self.walk(*some, cursor) }
            }
            _ => unreachable!("plain values are passed where they are met"),
        }
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

/// What comes next in an array or map.
pub(in crate::decode) enum Part {
    /// A block of so many items.
    Begin(u64),
    /// One of them.
    Item,
}

/// Walks the blocks of an array or map up to the empty one.
fn blocks(
    cursor: &mut Cursor<'_>,
    weight: Weight,
    mut next: impl FnMut(Part, &mut Cursor<'_>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
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
        match weight {
            Weight::Some if count > cursor.left() as u64 => return Err(Flaw::Block),
            Weight::None => cursor.has_steps(count)?,
            Weight::Some => {}
        }
        next(Part::Begin(count), cursor)?;
        for _ in 0..count {
            next(Part::Item, cursor)?;
        }
        if left_after.is_some_and(|left| left != cursor.left() as u64) {
            return Err(Flaw::Block);
        }
    }
}

/// Whether a big-endian two's-complement number has at most `precision` decimal digits.
fn digits_fit(unscaled: &[u8], precision: u32) -> bool {
    let Some(limit) = 10u128.checked_pow(precision) else {
        // The widest column has 32 bytes and 76 digits; what has more is passed only.
        return unscaled.len() <= 32 || precision > 76;
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

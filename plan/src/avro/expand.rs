//! Types written out for a library that keeps a copy for each place, within bounds.

use std::fmt;

use serde_json::{Map, Value};

use super::{Kind, MAX_BYTES, MAX_DEPTH, MAX_EXPANDED, MAX_FIXED, Schema, TypeId};

/// Why a type cannot be read into columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has no end.
    ContainsItself(Box<str>),
    /// More types than [`MAX_EXPANDED`].
    TooMany,
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A union that no value has.
    NoBranches,
    /// A fixed above [`MAX_FIXED`].
    TooWide(u64),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContainsItself(name) => write!(f, "type '{name}' contains itself, which no column can hold"),
            Self::TooMany => write!(f, "it has more than {MAX_EXPANDED} types when it is written out"),
            Self::TooLong => write!(f, "it has more than {MAX_BYTES} bytes when it is written out"),
            Self::TooDeep => write!(f, "it has more than {MAX_DEPTH} types inside each other"),
            Self::NoBranches => write!(f, "it has a union without branches"),
            Self::TooWide(size) => write!(f, "it has a fixed of {size} bytes, allowed are {MAX_FIXED}"),
        }
    }
}

/// What is left of the types and bytes that may be written out.
#[derive(Clone, Debug)]
pub struct Room {
    types: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { types: MAX_EXPANDED, bytes: MAX_BYTES }
    }
}

impl Room {
    /// Takes what one type needs, without those in it.
    ///
    /// # Errors
    /// Too little is left, or the type can have no column.
    pub fn take(&mut self, schema: &Schema, id: TypeId) -> Result<(), Unreadable> {
        self.types = self.types.checked_sub(1).ok_or(Unreadable::TooMany)?;
        self.bytes = self.bytes.checked_sub(schema.bytes_of(id)).ok_or(Unreadable::TooLong)?;
        match &schema.get(id).kind {
            Kind::Union(branches) if branches.is_empty() => Err(Unreadable::NoBranches),
            Kind::Fixed(size) if *size > MAX_FIXED => Err(Unreadable::TooWide(*size)),
            _ => Ok(()),
        }
    }
}

/// The bounds while types are written out.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    room: Room,
    path: Vec<TypeId>,
}

impl Expansion {
    /// Goes into a type; every call that is well needs one of [`Expansion::leave`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn enter(&mut self, schema: &Schema, id: TypeId) -> Result<(), Unreadable> {
        if self.path.contains(&id) {
            return Err(Unreadable::ContainsItself(schema.get(id).names.first().cloned().unwrap_or_default()));
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        self.room.take(schema, id)?;
        self.path.push(id);
        Ok(())
    }

    /// How many types were entered.
    pub fn used(&self) -> usize {
        MAX_EXPANDED - self.room.types
    }

    /// Leaves the type that was entered last.
    pub fn leave(&mut self) {
        self.path.pop();
    }
}

impl Schema {
    /// A type as a library takes it that has no names: each place holds the whole type, under its full name.
    ///
    /// # Errors
    /// It cannot be read into columns.
    pub fn expand(&self, id: TypeId, expansion: &mut Expansion) -> Result<Value, Unreadable> {
        expansion.enter(self, id)?;
        let written = match &self.get(id).kind {
            Kind::Union(branches) => {
                branches.iter().map(|branch| self.expand(*branch, expansion)).collect::<Result<_, _>>()?
            }
            Kind::Record(fields) => {
                let fields = fields.iter().map(|field| Ok(field.with_type(self.expand(field.of, expansion)?)));
                let fields = fields.collect::<Result<Vec<_>, _>>()?;
                self.plain(id, Some(("fields", fields.into())))
            }
            Kind::Array(item) => self.plain(id, Some(("items", self.expand(*item, expansion)?))),
            Kind::Map(value) => self.plain(id, Some(("values", self.expand(*value, expansion)?))),
            _ => self.plain(id, None),
        };
        expansion.leave();
        Ok(written)
    }

    /// How long the attributes of a type are, and those of its fields.
    fn bytes_of(&self, id: TypeId) -> usize {
        let length = |object: &Map<String, Value>| serde_json::to_string(object).map_or(0, |text| text.len());
        let of = self.get(id);
        let fields = if let Kind::Record(fields) = &of.kind { &fields[..] } else { &[] };
        length(&of.attributes) + fields.iter().map(|field| length(&field.attributes)).sum::<usize>()
    }
}

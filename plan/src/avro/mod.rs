//! Avro schemas: read within bounds into types that are shared and may contain themselves, and written again for the libraries.
//!
//! Keeps true: nothing here costs more than the schema's own bytes. A type that many places name is kept once, however often it would
//! stand in the schema written out; what is written out for a library ([`Schema::expand`]) is bounded and never contains itself.
//! The grammar is Avro 1.11.1's, with two things that its Java library takes too: comments, and a list of named types before the record.

mod expand;
mod fields;
mod json;
mod logical;
mod parse;
mod write;

pub use expand::{Expansion, Room, Unreadable};
pub(crate) use fields::Fields;
pub use logical::Logical;
pub use parse::SchemaError;

use serde_json::{Map, Value};

/// Most bytes of a schema's text, that of the schemas that it refers to included; and of what is read of it, written out.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of objects and lists in a schema's text.
pub const MAX_NESTING: usize = 256;
/// Most types, fields and symbols that a schema defines.
pub const MAX_PARTS: usize = 20_000;
/// Most types in what is read of a schema, each counted as often as it would stand in the schema written out.
pub const MAX_EXPANDED: usize = 4_096;
/// Most types inside each other in what is read of a schema.
pub const MAX_DEPTH: usize = 64;
/// Largest `fixed` that is read.
pub const MAX_FIXED: u64 = 1 << 20;

/// A schema of any kind.
#[derive(Clone, Debug)]
pub struct Schema {
    types: Vec<Type>,
    root: TypeId,
}

/// A type's place in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);

impl TypeId {
    /// As an index into [`Schema::types`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One type.
#[derive(Clone, Debug)]
pub struct Type {
    /// Its layout.
    pub kind: Kind,
    /// What its values mean. What makes no sense is left out, as the specification says.
    pub logical: Option<Logical>,
    /// The full names of a named type: its own, then its aliases.
    pub names: Box<[Box<str>]>,
    /// Its attributes as they were given; what holds other types is null here.
    attributes: Map<String, Value>,
}

/// A type's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// One byte.
    Boolean,
    /// 32 bits, zig-zag.
    Int,
    /// 64 bits, zig-zag.
    Long,
    /// IEEE 754, 4 bytes.
    Float,
    /// IEEE 754, 8 bytes.
    Double,
    /// Bytes behind their number.
    Bytes,
    /// UTF-8 behind its number of bytes.
    String,
    /// So many bytes.
    Fixed(u64),
    /// One of these symbols, by its place.
    Enum(Box<[Box<str>]>),
    /// Items of a type.
    Array(TypeId),
    /// Values of a type by text.
    Map(TypeId),
    /// One of these, by its place.
    Union(Box<[TypeId]>),
    /// All of these, one after the other.
    Record(Box<[Field]>),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// Other names that a reader accepts.
    pub aliases: Box<[Box<str>]>,
    /// Its type.
    pub of: TypeId,
    /// Its attributes as they were given, the type being null here.
    attributes: Map<String, Value>,
}

/// Reads JSON with comments within the bounds of this module, nested deeper than the library would at once.
///
/// # Errors
/// It is not JSON, or larger than the bounds.
pub fn read_json(text: &str) -> Result<Value, SchemaError> {
    json::read(text)
}

impl Field {
    /// Its default value, if it has one.
    pub fn default_value(&self) -> Option<&Value> {
        self.attributes.get("default")
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is not JSON or not Avro, or larger than the bounds of this module.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        Self::parse_all(&[], text)
    }

    /// Reads a schema that names types of other schemas, which come in an order in which each names only types of those before it.
    ///
    /// # Errors
    /// As [`Schema::parse`].
    pub fn parse_all(before: &[&str], text: &str) -> Result<Self, SchemaError> {
        parse::schema(before, text)
    }

    /// All types.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// The type of the whole.
    pub fn root(&self) -> TypeId {
        self.root
    }

    /// One type.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.index()]
    }

    /// The fields of the whole, if it is a record.
    ///
    /// # Errors
    /// It is another type.
    pub fn record(&self) -> Result<&[Field], SchemaError> {
        match &self.get(self.root).kind {
            Kind::Record(fields) => Ok(fields),
            _ => Err(SchemaError::Understand { message: "the schema is not a record".to_owned() }),
        }
    }

    /// The same, with the last record of a list of types as the whole. Writers of a list write a union; a reader means its last record.
    #[must_use]
    pub fn last_record(mut self) -> Self {
        if let Kind::Union(branches) = &self.get(self.root).kind {
            let records = |id: &&TypeId| matches!(self.get(**id).kind, Kind::Record(_));
            self.root = branches.iter().rev().find(records).copied().unwrap_or(self.root);
        }
        self
    }
}

#[cfg(test)]
mod tests;

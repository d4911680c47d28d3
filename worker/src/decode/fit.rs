//! Owns what a library sees of a writer: the schema cut down to what the reader takes, and bodies cut down to that schema.
//!
//! A field that nobody reads may be of any type: it is passed by the check's own walk and never shown to arrow-avro, which keeps a copy of
//! a type for each place that names it, refuses types that contain themselves, and some that the specification allows.
//! Kept true: a cut body is one record of the cut schema, and what the reader takes of it is what it takes of the whole.

use plan::avro::{Field, Kind, Room, Schema, TypeId, Unreadable};
use serde_json::{Map, Value, json};

use super::scan::agree::{branches, taken};
use super::scan::cursor::{Cursor, zigzag};
use super::scan::{Flaw, Part, Scanner};

/// Attributes that say how bytes are read. Of a writer nothing else matters, and the rest may be anything.
const NEEDED: [&str; 9] =
    ["type", "name", "aliases", "symbols", "size", "logicalType", "precision", "scale", "default"];

/// How a value becomes one of the cut schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// As it is.
    Keep,
    /// Left out.
    Drop,
    /// An array or map of nothing.
    Empty,
    /// Field by field.
    Record(Box<[(TypeId, Cut)]>),
    /// By its branch.
    Union(Box<[(TypeId, Cut)]>),
    /// Item by item.
    Array(TypeId, Box<Cut>),
    /// Entry by entry.
    Map(TypeId, Box<Cut>),
}

/// The writer's schema as far as the reader takes it, and how bodies are cut to it.
///
/// # Errors
/// What is read cannot be a column.
pub(super) fn fit(writer: &Schema, reader: &Schema) -> Result<(Value, Cut), Unreadable> {
    Fit { writer, reader, room: Room::default() }.of(writer.root(), &[reader.root()])
}

struct Fit<'s> {
    writer: &'s Schema,
    reader: &'s Schema,
    room: Room,
}

impl Fit<'_> {
    /// A writer's type for the reader's types that may take it, none if nobody does. Ends with the reader, which contains no type in itself.
    fn of(&mut self, id: TypeId, takers: &[TypeId]) -> Result<(Value, Cut), Unreadable> {
        self.room.take(self.writer, id)?;
        let first =
            |kind: fn(&Kind) -> Option<TypeId>| takers.iter().find_map(|taker| kind(&self.reader.get(*taker).kind));
        match &self.writer.get(id).kind {
            Kind::Union(of) => {
                let branches = of.iter().map(|branch| self.of(*branch, takers)).collect::<Result<Vec<_>, _>>()?;
                let (written, cuts): (Vec<_>, Vec<_>) = branches.into_iter().unzip();
                let kept = cuts.iter().all(|cut| *cut == Cut::Keep);
                let cut = if kept { Cut::Keep } else { Cut::Union(of.iter().copied().zip(cuts).collect()) };
                Ok((written.into(), cut))
            }
            Kind::Record(fields) => {
                let taker = self.record_for(id, takers);
                self.record(id, fields, taker)
            }
            Kind::Array(item) => match first(|kind| if let Kind::Array(item) = kind { Some(*item) } else { None }) {
                Some(taker) => {
                    let (written, cut) = self.of(*item, &branches(self.reader, taker))?;
                    let cut = if cut == Cut::Keep { cut } else { Cut::Array(*item, cut.into()) };
                    Ok((self.plain(id, Some(("items", written))), cut))
                }
                None => Ok((self.plain(id, Some(("items", json!("null")))), Cut::Empty)),
            },
            Kind::Map(value) => match first(|kind| if let Kind::Map(value) = kind { Some(*value) } else { None }) {
                Some(taker) => {
                    let (written, cut) = self.of(*value, &branches(self.reader, taker))?;
                    let cut = if cut == Cut::Keep { cut } else { Cut::Map(*value, cut.into()) };
                    Ok((self.plain(id, Some(("values", written))), cut))
                }
                None => Ok((self.plain(id, Some(("values", json!("null")))), Cut::Empty)),
            },
            _ => Ok((self.plain(id, None), Cut::Keep)),
        }
    }

    /// The record that takes one of the writer's: the only one there is, else the one of its name.
    fn record_for(&self, id: TypeId, takers: &[TypeId]) -> Option<TypeId> {
        let mut records =
            takers.iter().copied().filter(|taker| matches!(self.reader.get(*taker).kind, Kind::Record(_)));
        if takers.len() == 1 {
            return records.next();
        }
        let names = &self.writer.get(id).names;
        records.find(|taker| self.reader.get(*taker).names.iter().any(|name| names.contains(name)))
    }

    fn record(&mut self, id: TypeId, fields: &[Field], taker: Option<TypeId>) -> Result<(Value, Cut), Unreadable> {
        let wanted = match taker.map(|taker| &self.reader.get(taker).kind) {
            Some(Kind::Record(wanted)) => &wanted[..],
            _ => &[],
        };
        let mut takers = vec![None; fields.len()];
        for field in wanted {
            if let Some(at) = taken(fields, field) {
                takers[at].get_or_insert(field.of);
            }
        }
        let (mut written, mut cuts) = (Vec::new(), Vec::with_capacity(fields.len()));
        for (field, taker) in fields.iter().zip(takers) {
            let Some(taker) = taker else {
                cuts.push((field.of, Cut::Drop));
                continue;
            };
            let (of, cut) = self.of(field.of, &branches(self.reader, taker))?;
            let mut object = Map::from_iter([("name".to_owned(), json!(field.name)), ("type".to_owned(), of)]);
            if !field.aliases.is_empty() {
                object.insert("aliases".to_owned(), json!(field.aliases));
            }
            written.push(Value::Object(object));
            cuts.push((field.of, cut));
        }
        let kept = cuts.iter().all(|(_, cut)| *cut == Cut::Keep);
        let cut = if kept { Cut::Keep } else { Cut::Record(cuts.into()) };
        Ok((self.plain(id, Some(("fields", written.into()))), cut))
    }

    fn plain(&self, id: TypeId, holds: Option<(&str, Value)>) -> Value {
        let mut written = self.writer.plain(id, holds);
        if let Value::Object(object) = &mut written {
            object.retain(|key, _| NEEDED.contains(&key.as_str()) || holds_types(key));
        }
        written
    }
}

fn holds_types(key: &str) -> bool {
    matches!(key, "fields" | "items" | "values")
}

impl Cut {
    /// Appends what is left of a body, which has passed the check of `scanner`.
    pub(super) fn append(&self, scanner: &Scanner, body: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
        self.value(scanner, scanner.schema().root(), &mut Cursor::skipping_text(body), out)
    }

    fn value(&self, scanner: &Scanner, id: TypeId, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        match self {
            Self::Keep => {
                let before = cursor.rest();
                scanner.walk(id, cursor)?;
                out.extend_from_slice(&before[..before.len() - cursor.rest().len()]);
            }
            Self::Drop => scanner.walk(id, cursor)?,
            Self::Empty => {
                scanner.walk(id, cursor)?;
                out.push(0);
            }
            Self::Record(fields) => {
                for (of, cut) in fields {
                    cut.value(scanner, *of, cursor, out)?;
                }
            }
            Self::Union(branches) => {
                let index = cursor.long()?;
                let missing = Flaw::Branch { index, branches: branches.len() };
                let (of, cut) = usize::try_from(index).ok().and_then(|at| branches.get(at)).ok_or(missing)?;
                zigzag(out, index);
                cut.value(scanner, *of, cursor, out)?;
            }
            Self::Array(item, cut) => {
                scanner.items(id, cursor, |part, cursor| match part {
                    Part::Begin(count) => {
                        zigzag(out, count.cast_signed());
                        Ok(())
                    }
                    Part::Item => cut.value(scanner, *item, cursor, out),
                })?;
                out.push(0);
            }
            Self::Map(value, cut) => {
                scanner.items(id, cursor, |part, cursor| match part {
                    Part::Begin(count) => {
                        zigzag(out, count.cast_signed());
                        Ok(())
                    }
                    Part::Item => {
                        let before = cursor.rest();
                        cursor.text()?;
                        out.extend_from_slice(&before[..before.len() - cursor.rest().len()]);
                        cut.value(scanner, *value, cursor, out)
                    }
                })?;
                out.push(0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

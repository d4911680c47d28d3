//! Owns whether a writer's numbers mean the same to the reader.
//!
//! A decimal of another scale or a time of another unit has the same bytes, so it resolves and is wrong by a power of ten. Avro
//! 1.11.1 "Schema Resolution" lets decimals match only with equal scale and precision; here a wider precision is fine too.

use std::collections::HashMap;

use plan::avro::{Field, Kind, Logical, Schema, TypeId};

/// Compares the fields that the reader takes.
pub(super) fn records(writer: &Schema, reader: &Schema) -> Result<(), String> {
    let (Ok(written), Ok(wanted)) = (writer.record(), reader.record()) else {
        return Err("the schema is not a record".to_owned());
    };
    Agree { writer, reader, known: HashMap::new() }.fields(written, wanted)
}

/// The writer's field that a field of the reader takes: by name, else by an alias of either, as arrow-avro matches them.
pub(in crate::decode) fn taken(written: &[Field], wanted: &Field) -> Option<usize> {
    let named = |name: &str| written.iter().position(|field| *field.name == *name);
    let called = |name: &str| {
        named(name).or_else(|| written.iter().position(|field| field.aliases.iter().any(|alias| **alias == *name)))
    };
    called(&wanted.name).or_else(|| wanted.aliases.iter().find_map(|alias| called(alias)))
}

struct Agree<'s> {
    writer: &'s Schema,
    reader: &'s Schema,
    /// What was found of two types; those that are being compared agree so far.
    known: HashMap<(TypeId, TypeId), Result<(), String>>,
}

impl Agree<'_> {
    fn fields(&mut self, written: &[Field], wanted: &[Field]) -> Result<(), String> {
        for field in wanted {
            if let Some(at) = taken(written, field) {
                let found = self.types(written[at].of, field.of);
                found.map_err(|message| format!("field '{}': {message}", field.name))?;
            }
        }
        Ok(())
    }

    fn types(&mut self, writer: TypeId, reader: TypeId) -> Result<(), String> {
        if let Some(known) = self.known.get(&(writer, reader)) {
            return known.clone();
        }
        self.known.insert((writer, reader), Ok(()));
        let found = self.compare(writer, reader);
        self.known.insert((writer, reader), found.clone());
        found
    }

    fn compare(&mut self, writer: TypeId, reader: TypeId) -> Result<(), String> {
        let (written, wanted) = (self.writer.get(writer), self.reader.get(reader));
        match (&written.kind, &wanted.kind) {
            (Kind::Record(written), Kind::Record(wanted)) => self.fields(written, wanted),
            (Kind::Array(writer), Kind::Array(reader)) | (Kind::Map(writer), Kind::Map(reader)) => {
                self.types(*writer, *reader)
            }
            (Kind::Union(_), _) | (_, Kind::Union(_)) => {
                branches(self.writer, writer).into_iter().try_for_each(|branch| self.any_of(branch, reader))
            }
            _ => meaning(&written.kind, written.logical, wanted.logical),
        }
    }

    /// A writer's branch is fine when some reader branch of its kind takes it, or none is of its kind.
    fn any_of(&mut self, writer: TypeId, reader: TypeId) -> Result<(), String> {
        let kind = family(&self.writer.get(writer).kind);
        let mut outcome = Ok(());
        for branch in branches(self.reader, reader) {
            if family(&self.reader.get(branch).kind) == kind {
                outcome = self.types(writer, branch);
                if outcome.is_ok() {
                    break;
                }
            }
        }
        outcome
    }
}

fn meaning(kind: &Kind, written: Option<Logical>, wanted: Option<Logical>) -> Result<(), String> {
    match (written, wanted) {
        (Some(Logical::Time(writer)), Some(Logical::Time(reader))) if writer != reader => {
            Err(format!("{writer} cannot be read as {reader}, expected {reader}"))
        }
        (
            Some(Logical::Decimal { precision: written, scale: writer }),
            Some(Logical::Decimal { precision: wanted, scale: reader }),
        ) => {
            if writer == reader && written <= wanted {
                return Ok(());
            }
            Err(format!(
                "decimal({written},{writer}) cannot be read as decimal({wanted},{reader}), expected scale {reader} and a \
                 precision of at most {wanted}"
            ))
        }
        (_, Some(Logical::Decimal { precision, scale }))
            if matches!(kind, Kind::Bytes | Kind::Fixed(_) | Kind::String) =>
        {
            Err(format!("bytes of unknown scale cannot be read as decimal({precision},{scale})"))
        }
        _ => Ok(()),
    }
}

/// A union's branches, or the type itself. Null branches are left out: they mean the same everywhere.
pub(in crate::decode) fn branches(schema: &Schema, id: TypeId) -> Vec<TypeId> {
    match &schema.get(id).kind {
        Kind::Union(branches) => {
            branches.iter().copied().filter(|branch| schema.get(*branch).kind != Kind::Null).collect()
        }
        _ => vec![id],
    }
}

/// Types that can be taken for each other.
fn family(kind: &Kind) -> u8 {
    match kind {
        Kind::Int | Kind::Long => 1,
        Kind::Bytes | Kind::Fixed(_) => 2,
        Kind::Record(_) => 3,
        Kind::Array(_) => 4,
        Kind::Map(_) => 5,
        _ => 0,
    }
}

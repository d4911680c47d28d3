//! Owns whether a writer's numbers mean the same to the reader.
//!
//! A decimal of another scale or a time of another unit has the same bytes, so it resolves and is wrong by a power of ten. Avro
//! 1.11.1 "Schema Resolution" lets decimals match only with equal scale and precision; here a wider precision is fine too.

use super::{Field, Shape, Unit};

/// Compares the fields that the reader takes.
pub(super) fn fields(writer: &[Field], reader: &[Field]) -> Result<(), String> {
    for wanted in reader {
        let names = |field: &&Field| field.name == wanted.name || wanted.aliases.contains(&field.name);
        if let Some(written) = writer.iter().find(names) {
            let in_field = |message| format!("field '{}': {message}", wanted.name);
            shapes(&written.shape, &wanted.shape).map_err(in_field)?;
        }
    }
    Ok(())
}

fn shapes(writer: &Shape, reader: &Shape) -> Result<(), String> {
    match (writer, reader) {
        (Shape::Record(writer), Shape::Record(reader)) => fields(writer, reader),
        (Shape::Array(writer, _), Shape::Array(reader, _)) | (Shape::Map(writer), Shape::Map(reader)) => {
            shapes(writer, reader)
        }
        (Shape::Optional { .. } | Shape::Union(_), _) | (_, Shape::Optional { .. } | Shape::Union(_)) => {
            branches(writer).try_for_each(|branch| any_of(branch, reader))
        }
        (
            Shape::Int(Some(writer)) | Shape::Long(Some(writer)),
            Shape::Int(Some(reader)) | Shape::Long(Some(reader)),
        ) if writer != reader => {
            let (Unit(writer), Unit(reader)) = (writer, reader);
            Err(format!("{writer} cannot be read as {reader}, expected {reader}"))
        }
        (
            Shape::Decimal { precision: written, scale: writer, .. },
            Shape::Decimal { precision: wanted, scale: reader, .. },
        ) if writer != reader || written > wanted => Err(format!(
            "decimal({written},{writer}) cannot be read as decimal({wanted},{reader}), expected scale {reader} and a \
             precision of at most {wanted}"
        )),
        (Shape::Bytes | Shape::Fixed(_) | Shape::String, Shape::Decimal { precision, scale, .. }) => {
            Err(format!("bytes of unknown scale cannot be read as decimal({precision},{scale})"))
        }
        _ => Ok(()),
    }
}

/// A writer's branch is fine when some reader branch of its kind takes it, or none is of its kind.
fn any_of(writer: &Shape, reader: &Shape) -> Result<(), String> {
    let mut outcome = Ok(());
    for branch in branches(reader).filter(|branch| family(branch) == family(writer)) {
        outcome = shapes(writer, branch);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// A union's branches, or the type itself. Null branches are left out: they mean the same everywhere.
fn branches(shape: &Shape) -> Box<dyn Iterator<Item = &Shape> + '_> {
    match shape {
        Shape::Optional { some, .. } => Box::new(std::iter::once(&**some)),
        Shape::Union(branches) => Box::new(branches.iter().filter(|branch| **branch != Shape::Null)),
        other => Box::new(std::iter::once(other)),
    }
}

/// Types that can be taken for each other.
fn family(shape: &Shape) -> u8 {
    match shape {
        Shape::Int(_) | Shape::Long(_) => 1,
        Shape::Bytes | Shape::Fixed(_) | Shape::Decimal { .. } => 2,
        Shape::Record(_) => 3,
        Shape::Array(..) => 4,
        Shape::Map(_) => 5,
        _ => 0,
    }
}

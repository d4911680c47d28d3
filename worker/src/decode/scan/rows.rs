//! Owns the short way from bodies to columns: flat records are appended in the very walk that checks them.
//!
//! A record schema is flat for a reader when each field that the reader takes is a primitive, a timestamp, a date or a decimal, or
//! null, of the same kind on both sides; what the reader does not take may be anything. All else goes through arrow-avro.
//! Kept true: after a refused body the columns are as they were before it; the batch equals the one that arrow-avro gives.

mod column;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use plan::avro::{Kind as Avro, Logical, Schema, TypeId};
use serde_json::Value;

use super::cursor::{self, Cursor};
use super::{Flaw, Reason, Scanner, Shape, compile};
use column::{Column, Kind};

/// The columns of one flat writer schema.
pub(in crate::decode) struct Rows {
    steps: Box<[Step]>,
    columns: Vec<Column>,
    /// Columns that the writer does not have.
    absent: Box<[usize]>,
    arrow: SchemaRef,
    count: usize,
}

/// What happens to one field of the writer, in its order.
enum Step {
    /// The reader does not take it.
    Pass(TypeId),
    /// It goes to a column.
    Take { column: usize, null: Option<u64>, kind: Kind },
}

impl Rows {
    /// The short way from `writer` to `reader`, whose Arrow form is given, if there is one. The two must resolve.
    pub(in crate::decode) fn between(writer: &Scanner, reader: &Schema, arrow: &SchemaRef) -> Option<Self> {
        let (written, wanted) = (writer.schema().record().ok()?, reader.record().ok()?);
        let mut steps: Vec<Step> = written.iter().map(|field| Step::Pass(field.of)).collect();
        let mut absent = Vec::new();
        for (column, (field, target)) in wanted.iter().zip(arrow.fields()).enumerate() {
            if !field.aliases.is_empty() {
                return None;
            }
            match written.iter().position(|written| written.name == field.name) {
                Some(place) => {
                    let (null, kind) =
                        step((writer.schema(), written[place].of), (reader, field.of), target.data_type())?;
                    steps[place] = Step::Take { column, null, kind };
                }
                // A field that the writer lacks is null when null is its default.
                None => match (optional(reader, field.of), field.default_value()) {
                    (Some((0, _)), Some(Value::Null)) => absent.push(column),
                    _ => return None,
                },
            }
        }
        let columns = wanted.iter().zip(arrow.fields());
        let columns = columns.map(|(field, target)| Column::new(reader, inner(reader, field.of), target.data_type()));
        let columns = columns.collect::<Option<_>>()?;
        Some(Self { steps: steps.into(), columns, absent: absent.into(), arrow: arrow.clone(), count: 0 })
    }

    /// Appends one body, which `scanner` (of the same writer) finds words for if it is not exactly one record.
    pub(in crate::decode) fn append(&mut self, scanner: &Scanner, body: &[u8]) -> Result<(), Reason> {
        let mut cursor = Cursor::skipping_text(body);
        let walked = self.steps.iter().try_for_each(|step| step.run(scanner, &mut self.columns, &mut cursor));
        // As in the check: what is above 127 outside the text is all that is above 127, so the text is ASCII.
        let sure = walked.is_ok() && cursor.left() == 0 && cursor.high_outside_text() == cursor::high_bytes(body);
        let checked = if sure { Ok(()) } else { scanner.check_slowly(body) };
        match checked {
            Ok(()) => {
                self.count += 1;
                self.absent.iter().for_each(|column| self.columns[*column].push_null());
            }
            Err(_) => self.columns.iter_mut().for_each(|column| column.truncate(self.count)),
        }
        checked
    }

    /// The rows appended so far, if there are any; none are left.
    pub(in crate::decode) fn flush(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = std::mem::take(&mut self.count);
        if rows == 0 {
            return Ok(None);
        }
        let fields = self.arrow.fields().iter();
        let columns = self.columns.iter_mut().zip(fields).map(|(column, field)| column.finish(field.data_type(), rows));
        RecordBatch::try_new(self.arrow.clone(), columns.collect::<Result<_, _>>()?).map(Some)
    }
}

impl Step {
    #[inline]
    fn run(&self, scanner: &Scanner, columns: &mut [Column], cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
        match self {
            Self::Pass(id) => scanner.walk(*id, cursor),
            Self::Take { column, null, kind } => {
                let column = &mut columns[*column];
                if let Some(null) = null {
                    let branch = cursor.varint()?;
                    // Branch 0 is written 0, branch 1 is written 2.
                    if branch == null * 2 {
                        column.push_null();
                        return Ok(());
                    }
                    if branch != (1 - null) * 2 {
                        return Err(Flaw::Branch { index: cursor::unzigzag(branch), branches: 2 });
                    }
                }
                column.push(kind, cursor)
            }
        }
    }
}

/// Index of the writer's null branch, if it has one, and the kind of the value.
fn step(writer: (&Schema, TypeId), reader: (&Schema, TypeId), target: &DataType) -> Option<(Option<u64>, Kind)> {
    match (optional(writer.0, writer.1), optional(reader.0, reader.1)) {
        (Some((null, some)), Some((_, wanted))) => {
            Some((Some(null), kind((writer.0, some), (reader.0, wanted), target)?))
        }
        (Some(_), None) => None,
        (None, _) => Some((None, kind(writer, (reader.0, inner(reader.0, reader.1)), target)?)),
    }
}

/// Which branch is null, and the other, if the type is such a union.
fn optional(schema: &Schema, id: TypeId) -> Option<(u64, TypeId)> {
    let Avro::Union(branches) = &schema.get(id).kind else { return None };
    match compile::union(schema, branches) {
        Shape::Optional { null, some } => Some((null, some)),
        _ => None,
    }
}

fn inner(schema: &Schema, id: TypeId) -> TypeId {
    optional(schema, id).map_or(id, |(_, some)| some)
}

/// How a value of `writer` becomes one of `reader`, when that needs no conversion. Units and scales agree already.
fn kind(writer: (&Schema, TypeId), reader: (&Schema, TypeId), target: &DataType) -> Option<Kind> {
    let (written, wanted) = (writer.0.get(writer.1), reader.0.get(reader.1));
    let decimal = |logical| matches!(logical, Some(Logical::Decimal { .. }));
    Some(match (&written.kind, &wanted.kind, target) {
        (Avro::String, Avro::String, DataType::Utf8) => Kind::Text,
        (Avro::Long, Avro::Long, DataType::Int64 | DataType::Timestamp(..)) => Kind::Long,
        (Avro::Int, Avro::Int, DataType::Int32 | DataType::Date32) => Kind::Int,
        (Avro::Boolean, Avro::Boolean, DataType::Boolean) => Kind::Boolean,
        (Avro::Float, Avro::Float, DataType::Float32) => Kind::Float,
        (Avro::Double, Avro::Double, DataType::Float64) => Kind::Double,
        (Avro::Bytes | Avro::Fixed(_), Avro::Bytes | Avro::Fixed(_), DataType::Decimal128(..))
            if decimal(written.logical) && decimal(wanted.logical) =>
        {
            let size = if let Avro::Fixed(size) = written.kind { Some(size) } else { None };
            match compile::decimal(written.logical, size)? {
                Shape::Decimal { size, precision, sure } => Kind::Decimal { size, precision, sure },
                _ => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

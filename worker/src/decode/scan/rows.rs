//! Owns the short way from bodies to columns: flat records are appended in the very walk that checks them.
//!
//! A record schema is flat for a reader when each field that the reader takes is a primitive, a timestamp, a date or a decimal, or
//! null, of the same kind on both sides; what the reader does not take may be anything. All else goes through arrow-avro.
//! Kept true: after a refused body the columns are as they were before it; the batch equals the one that arrow-avro gives.

mod column;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use serde_json::Value;

use super::cursor::{self, Cursor};
use super::{Flaw, Reason, Scanner, Shape, walk};
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
    Pass(Shape),
    /// It goes to a column.
    Take { column: usize, null: Option<u64>, kind: Kind },
}

impl Rows {
    /// The short way from `writer` to `reader`, whose JSON and Arrow form are given, if there is one. The two must resolve.
    pub(in crate::decode) fn between(
        writer: &Scanner,
        reader: &Scanner,
        json: &str,
        arrow: &SchemaRef,
    ) -> Option<Self> {
        let mut steps: Vec<Step> = writer.fields.iter().map(|field| Step::Pass(field.shape.clone())).collect();
        let json: Value = serde_json::from_str(json).ok()?;
        let mut absent = Vec::new();
        for (column, (field, target)) in reader.fields.iter().zip(arrow.fields()).enumerate() {
            if !field.aliases.is_empty() {
                return None;
            }
            match writer.fields.iter().position(|written| written.name == field.name) {
                Some(place) => {
                    let (null, kind) = step(&writer.fields[place].shape, &field.shape, target.data_type())?;
                    steps[place] = Step::Take { column, null, kind };
                }
                // A field that the writer lacks is null when null is its default.
                None => match (&field.shape, json["fields"][column].get("default")) {
                    (Shape::Optional { null: 0, .. }, Some(Value::Null)) => absent.push(column),
                    _ => return None,
                },
            }
        }
        let columns = reader.fields.iter().zip(arrow.fields());
        let columns = columns.map(|(field, target)| Column::new(inner(&field.shape), target.data_type()));
        let columns = columns.collect::<Option<_>>()?;
        Some(Self { steps: steps.into(), columns, absent: absent.into(), arrow: arrow.clone(), count: 0 })
    }

    /// Appends one body, which `scanner` (of the same writer) finds words for if it is not exactly one record.
    pub(in crate::decode) fn append(&mut self, scanner: &Scanner, body: &[u8]) -> Result<(), Reason> {
        let mut cursor = Cursor::skipping_text(body);
        let walked = self.steps.iter().try_for_each(|step| step.run(&mut self.columns, &mut cursor));
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
    fn run(&self, columns: &mut [Column], cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
        match self {
            Self::Pass(shape) => walk(shape, cursor),
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
fn step(writer: &Shape, reader: &Shape, target: &DataType) -> Option<(Option<u64>, Kind)> {
    match (writer, reader) {
        (Shape::Optional { null, some }, Shape::Optional { some: wanted, .. }) => {
            Some((Some(*null), kind(some, wanted, target)?))
        }
        (Shape::Optional { .. }, _) => None,
        (plain, reader) => Some((None, kind(plain, inner(reader), target)?)),
    }
}

fn inner(shape: &Shape) -> &Shape {
    if let Shape::Optional { some, .. } = shape { some } else { shape }
}

/// How a value of `writer` becomes one of `reader`, when that needs no conversion. Units and scales agree already.
fn kind(writer: &Shape, reader: &Shape, target: &DataType) -> Option<Kind> {
    Some(match (writer, reader, target) {
        (Shape::String, Shape::String, DataType::Utf8) => Kind::Text,
        (Shape::Long(_), Shape::Long(_), DataType::Int64 | DataType::Timestamp(..)) => Kind::Long,
        (Shape::Int(_), Shape::Int(_), DataType::Int32 | DataType::Date32) => Kind::Int,
        (Shape::Boolean, Shape::Boolean, DataType::Boolean) => Kind::Boolean,
        (Shape::Float, Shape::Float, DataType::Float32) => Kind::Float,
        (Shape::Double, Shape::Double, DataType::Float64) => Kind::Double,
        (Shape::Decimal { size, precision, sure, .. }, Shape::Decimal { .. }, DataType::Decimal128(..)) => {
            Kind::Decimal { size: *size, precision: *precision, sure: *sure }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

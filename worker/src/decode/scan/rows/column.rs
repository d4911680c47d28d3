//! Owns one growing column: values and, once there is a null, which rows have one.

use arrow::array::{ArrayData, ArrayRef, BooleanBufferBuilder, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::super::cursor::Cursor;
use super::super::{Flaw, digits_fit};
use super::{Schema, TypeId};

/// How a value is read.
pub(super) enum Kind {
    Text,
    Long,
    Int,
    Boolean,
    Float,
    Double,
    Decimal { size: Option<u64>, precision: u32, sure: usize },
}

/// A growing column.
pub(super) struct Column {
    values: Values,
    len: usize,
    /// Which rows have a value; absent while all have.
    valid: Option<BooleanBufferBuilder>,
}

enum Values {
    /// Ends of the texts, after a leading 0, and the texts.
    Text(Vec<i32>, Vec<u8>),
    Long(Vec<i64>),
    Int(Vec<i32>),
    Boolean(BooleanBufferBuilder),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Decimal(Vec<i128>),
}

impl Column {
    /// An empty column for values of a type, which become `target`; `None` if there is no such.
    pub(super) fn new(schema: &Schema, id: TypeId, target: &DataType) -> Option<Self> {
        let values = match super::kind((schema, id), (schema, id), target)? {
            Kind::Text => Values::Text(vec![0], Vec::new()),
            Kind::Long => Values::Long(Vec::new()),
            Kind::Int => Values::Int(Vec::new()),
            Kind::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Decimal { .. } => Values::Decimal(Vec::new()),
        };
        Some(Self { values, len: 0, valid: None })
    }

    /// Reads one value of `kind`, which must be the kind that the column was made for.
    #[inline]
    pub(super) fn push(&mut self, kind: &Kind, cursor: &mut Cursor<'_>) -> Result<(), Flaw> {
        match (&mut self.values, kind) {
            (Values::Text(ends, bytes), Kind::Text) => {
                bytes.extend_from_slice(cursor.text()?);
                ends.push(end(bytes.len()));
            }
            (Values::Long(values), Kind::Long) => values.push(cursor.long()?),
            (Values::Decimal(values), Kind::Decimal { size, precision, sure }) => {
                let unscaled = match size {
                    Some(size) => cursor.take(*size)?,
                    None => cursor.bytes()?,
                };
                if unscaled.len() > *sure && !digits_fit(unscaled, *precision) {
                    return Err(Flaw::Digits { precision: *precision });
                }
                values.push(number(unscaled));
            }
            (Values::Int(values), Kind::Int) => values.push(cursor.int()?),
            (Values::Boolean(values), Kind::Boolean) => values.append(cursor.boolean()?),
            (Values::Float(values), Kind::Float) => values.push(f32::from_le_bytes(cursor.array()?)),
            (Values::Double(values), Kind::Double) => values.push(f64::from_le_bytes(cursor.array()?)),
            _ => unreachable!("a column is read by the kind that it was made for"),
        }
        self.len += 1;
        if let Some(valid) = &mut self.valid {
            valid.append(true);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        let len = self.len;
        let valid = self.valid.get_or_insert_with(|| {
            let mut valid = BooleanBufferBuilder::new(len + 1);
            valid.append_n(len, true);
            valid
        });
        valid.append(false);
        match &mut self.values {
            Values::Text(ends, bytes) => ends.push(end(bytes.len())),
            Values::Long(values) => values.push(0),
            Values::Int(values) => values.push(0),
            Values::Boolean(values) => values.append(false),
            Values::Float(values) => values.push(0.0),
            Values::Double(values) => values.push(0.0),
            Values::Decimal(values) => values.push(0),
        }
        self.len += 1;
    }

    /// Takes back what was added after `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Text(ends, bytes) => {
                ends.truncate(rows + 1);
                bytes.truncate(ends.last().map_or(0, |end| *end as usize));
            }
            Values::Long(values) => values.truncate(rows),
            Values::Int(values) => values.truncate(rows),
            Values::Boolean(values) => values.truncate(rows.min(values.len())),
            Values::Float(values) => values.truncate(rows),
            Values::Double(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
        }
        self.len = self.len.min(rows);
        if let Some(valid) = &mut self.valid {
            valid.truncate(self.len);
        }
    }

    /// The `rows` values as an array of type `target`; the column is empty afterwards, with room for as many.
    pub(super) fn finish(&mut self, target: &DataType, rows: usize) -> Result<ArrayRef, ArrowError> {
        let buffers = match &mut self.values {
            Values::Text(ends, bytes) => {
                let mut fresh = Vec::with_capacity(rows + 1);
                fresh.push(0);
                vec![Buffer::from_vec(std::mem::replace(ends, fresh)), emptied(bytes)]
            }
            Values::Long(values) => vec![emptied(values)],
            Values::Int(values) => vec![emptied(values)],
            Values::Boolean(values) => vec![values.finish().into_inner()],
            Values::Float(values) => vec![emptied(values)],
            Values::Double(values) => vec![emptied(values)],
            Values::Decimal(values) => vec![emptied(values)],
        };
        self.len = 0;
        let nulls = self.valid.take().map(|mut valid| NullBuffer::new(valid.finish()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        Ok(make_array(ArrayData::builder(target.clone()).len(rows).buffers(buffers).nulls(nulls).build()?))
    }
}

/// The values as a buffer; a vector with as much room takes their place.
fn emptied<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> Buffer {
    let fresh = Vec::with_capacity(values.len());
    Buffer::from_vec(std::mem::replace(values, fresh))
}

#[inline]
fn end(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("the client queues far less than 2 GiB for one fetch")
}

/// Big-endian two's complement of as many bytes as there are; beyond 16 they only extend the sign.
#[inline]
fn number(unscaled: &[u8]) -> i128 {
    let kept = &unscaled[unscaled.len().saturating_sub(16)..];
    let negative = kept.first().is_some_and(|byte| byte & 0x80 != 0);
    if kept.len() <= 8 {
        let mut wide = [if negative { 0xFF } else { 0 }; 8];
        wide[8 - kept.len()..].copy_from_slice(kept);
        return i128::from(i64::from_be_bytes(wide));
    }
    let mut wide = [if negative { 0xFF } else { 0 }; 16];
    wide[16 - kept.len()..].copy_from_slice(kept);
    i128::from_be_bytes(wide)
}

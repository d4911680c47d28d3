//! Rows as text: what every output format starts from.
//!
//! Keeps true: numbers are written exactly and plainly, times as ISO 8601 in UTC, null is no text.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

impl Column {
    /// Whether it holds numbers.
    pub fn is_numeric(&self) -> bool {
        self.data_type.is_numeric() || matches!(self.data_type, DataType::Decimal128(..))
    }
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, one text per column.
    pub rows: Vec<Vec<Option<String>>>,
}

const TIMES: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));

impl Rows {
    /// Writes every value; there is at least one batch.
    ///
    /// # Errors
    /// A value of a kind that cannot be written.
    pub fn of(batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let schema = batches.first().map(RecordBatch::schema);
        let fields = schema.iter().flat_map(|schema| schema.fields().iter());
        let columns =
            fields.map(|field| Column { name: field.name().clone(), data_type: field.data_type().clone() }).collect();
        let mut rows = Vec::new();
        for batch in batches {
            let arrays: Vec<ArrayRef> = batch.columns().iter().map(in_utc).collect();
            let writers: Result<Vec<_>, _> =
                arrays.iter().map(|array| ArrayFormatter::try_new(array, &TIMES)).collect();
            let writers = writers?;
            for row in 0..batch.num_rows() {
                let texts = arrays.iter().zip(&writers).map(|(array, writer)| {
                    if array.is_null(row) { Ok(None) } else { writer.value(row).try_to_string().map(Some) }
                });
                rows.push(texts.collect::<Result<_, _>>()?);
            }
        }
        Ok(Self { columns, rows })
    }

    /// Position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Names the zone of times by its offset: Arrow needs a database of zones for 'UTC', but not for '+00:00'.
fn in_utc(array: &ArrayRef) -> ArrayRef {
    let DataType::Timestamp(unit, Some(_)) = array.data_type() else { return array.clone() };
    match unit {
        TimeUnit::Second => {
            std::sync::Arc::new(array.as_primitive::<TimestampSecondType>().clone().with_timezone("+00:00"))
        }
        TimeUnit::Millisecond => {
            std::sync::Arc::new(array.as_primitive::<TimestampMillisecondType>().clone().with_timezone("+00:00"))
        }
        TimeUnit::Microsecond => {
            std::sync::Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("+00:00"))
        }
        TimeUnit::Nanosecond => {
            std::sync::Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone("+00:00"))
        }
    }
}

//! Gold files as they are read back: what the footer says of their origin, and the rows.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde::Deserialize;
use thiserror::Error;

use super::overflow::Overflowed;

/// A file that is no gold file, or not any more.
#[derive(Debug, Error)]
pub enum ReadGoldError {
    /// The bytes are no Parquet.
    #[error("it is no Parquet file: {0}")]
    Parse(#[from] ParquetError),
    /// The rows cannot be read.
    #[error("its rows cannot be read: {0}")]
    ReadRows(#[from] ArrowError),
    /// The footer lacks something.
    #[error("its footer has no readable '{0}'")]
    Footer(&'static str),
}

/// What one source partition contributed to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Contribution {
    /// The partition.
    pub partition: i32,
    /// Its first record that the window remembers.
    pub first: i64,
    /// The position at which it closed the window.
    pub end: i64,
    /// Records counted.
    pub records: u64,
}

/// Records that a source partition had lost, and that a window may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Lost {
    /// The partition.
    pub partition: i32,
    /// The first offset that was needed.
    pub from: i64,
    /// The first that was there.
    pub to: i64,
}

/// A gold file.
#[derive(Clone, Debug, PartialEq)]
pub struct Gold {
    /// Start and end of the window, milliseconds.
    pub window: (i64, i64),
    /// The revision of the pipeline's meaning that made it.
    pub revision: i64,
    /// The schema by which records were read.
    pub reader_schema: String,
    /// The digest of rows and contributions.
    pub digest: String,
    /// What the source partitions contributed, by partition.
    pub sources: Vec<Contribution>,
    /// What it may lack; nothing in a whole one.
    pub lost: Vec<Lost>,
    /// The cells that are null because their values do not fit.
    pub overflow: Vec<Overflowed>,
    /// The rows.
    pub rows: RecordBatch,
}

impl Gold {
    /// The file with these bytes.
    ///
    /// # Errors
    /// It is none, or is damaged.
    pub fn read(bytes: Vec<u8>) -> Result<Self, ReadGoldError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
        let pairs = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let text = |key: &'static str| {
            let pair = pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
            pair.ok_or(ReadGoldError::Footer(key))
        };
        let window = text("sluice.window")?;
        let window = window.split_once('/').and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        let revision = text("sluice.revision")?.parse().map_err(|_| ReadGoldError::Footer("sluice.revision"))?;
        let lost = text("sluice.lost").map_or(Ok(Vec::new()), |text| serde_json::from_str(&text));
        let overflow = text("sluice.overflow").map_or(Ok(Vec::new()), |text| serde_json::from_str(&text));
        let sources = serde_json::from_str(&text("sluice.sources")?);
        let (reader_schema, digest) = (text("sluice.reader_schema")?, text("sluice.digest")?);
        let schema = builder.schema().clone();
        let batches = builder.build()?.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            window: window.ok_or(ReadGoldError::Footer("sluice.window"))?,
            revision,
            reader_schema,
            digest,
            sources: sources.map_err(|_| ReadGoldError::Footer("sluice.sources"))?,
            lost: lost.map_err(|_| ReadGoldError::Footer("sluice.lost"))?,
            overflow: overflow.map_err(|_| ReadGoldError::Footer("sluice.overflow"))?,
            rows: concat_batches(&schema, &batches)?,
        })
    }
}

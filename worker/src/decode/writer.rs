//! Owns one writer schema: its check and its arrow-avro decoder into the reader's columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_avro::errors::AvroError;
use arrow_avro::reader::{Decoder as AvroDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

use super::scan::Scanner;

/// Rows that arrow-avro may gather before it wants a flush; fetches are smaller by far.
const ROWS: usize = 1 << 30;

/// A writer schema that resolves to the reader schema.
pub(super) struct Writer {
    pub(super) id: u32,
    pub(super) scanner: Scanner,
    /// Set when arrow-avro failed on a record that passed the check; its columns are then worthless.
    pub(super) spoiled: bool,
    schema: AvroSchema,
    reader: AvroSchema,
    avro: AvroDecoder,
}

impl Writer {
    /// Resolves writer to reader; the error says what does not fit.
    pub(super) fn resolve(id: u32, schema: &str, reader: &AvroSchema, arrow: &SchemaRef) -> Result<Self, Arc<str>> {
        let compile = |schema: &str| Scanner::compile(schema).map_err(|error| error.to_string());
        let scanner = compile(schema)?;
        scanner.agrees_with(&compile(&reader.json_string)?)?;
        let schema = AvroSchema::new(schema.to_owned());
        let avro = decoder(id, &schema, reader).map_err(|error| error.to_string())?;
        let (found, wanted) = (avro.schema(), arrow);
        let same = found.fields().len() == wanted.fields().len()
            && found
                .fields()
                .iter()
                .zip(wanted.fields())
                .all(|(found, wanted)| found.name() == wanted.name() && found.data_type() == wanted.data_type());
        if !same {
            return Err(format!("it gives the columns {found}, expected {wanted}").into());
        }
        Ok(Self { id, scanner, spoiled: false, schema, reader: reader.clone(), avro })
    }

    /// Appends one checked record, prefix and body. Returns whether it was taken whole; if not, the writer is spoiled.
    pub(super) fn append(&mut self, prefixed: &[u8]) -> bool {
        let whole = matches!(self.avro.decode(prefixed), Ok(used) if used == prefixed.len());
        self.spoiled |= !whole;
        whole
    }

    /// The rows appended so far; `None` when there are none or they are spoiled.
    pub(super) fn flush(&mut self) -> Option<RecordBatch> {
        if self.spoiled {
            return None;
        }
        let flushed = self.avro.flush();
        self.spoiled = flushed.is_err();
        flushed.ok().flatten()
    }

    /// Forgets whatever was appended. A schema that resolved once resolves again; if not, the writer stays spoiled.
    pub(super) fn renew(&mut self) {
        match decoder(self.id, &self.schema, &self.reader) {
            Ok(avro) => {
                self.avro = avro;
                self.spoiled = false;
            }
            Err(_) => self.spoiled = true,
        }
    }

    /// Decodes one record alone; the error is arrow-avro's. Leaves nothing behind.
    pub(super) fn alone(&mut self, prefixed: &[u8]) -> Result<(), String> {
        let outcome = match self.avro.decode(prefixed) {
            Ok(used) if used == prefixed.len() => match self.avro.flush() {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Ok(used) => Err(format!("only {used} of {} bytes were read", prefixed.len())),
            Err(error) => Err(error.to_string()),
        };
        if outcome.is_err() {
            self.renew();
        }
        outcome
    }
}

fn decoder(id: u32, writer: &AvroSchema, reader: &AvroSchema) -> Result<AvroDecoder, AvroError> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(id), writer.clone())?;
    let decoder = ReaderBuilder::new()
        .with_batch_size(ROWS)
        .with_writer_schema_store(store)
        .with_reader_schema(reader.clone())
        .build_decoder()?;
    Ok(decoder)
}

//! Owns one writer schema: its check, and its way into the reader's columns: the short one ([`Rows`]) when the schema is flat,
//! else arrow-avro's decoder. Whether and how schemas resolve is arrow-avro's to say in either case.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_avro::errors::AvroError;
use arrow_avro::reader::{Decoder as AvroDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

use super::Reason;
use super::framing::{self, Frame};
use super::scan::Scanner;
use super::scan::rows::Rows;

/// Rows that arrow-avro may gather before it wants a flush; fetches are smaller by far.
const ROWS: usize = 1 << 30;

/// A writer schema that resolves to the reader schema.
pub(super) struct Writer {
    pub(super) id: u32,
    scanner: Scanner,
    /// The short way, if there is one.
    rows: Option<Rows>,
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
        let reader_scanner = compile(&reader.json_string)?;
        scanner.agrees_with(&reader_scanner)?;
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
        let rows = Rows::between(&scanner, &reader_scanner, &reader.json_string, arrow);
        Ok(Self { id, scanner, rows, spoiled: false, schema, reader: reader.clone(), avro })
    }

    /// Checks and appends one record. If it passes the check and still is not taken whole, the writer is spoiled.
    pub(super) fn append(&mut self, frame: &Frame<'_>, scratch: &mut Vec<u8>) -> Result<(), Reason> {
        if let Some(rows) = &mut self.rows {
            return rows.append(&self.scanner, frame.body);
        }
        self.scanner.check(frame.body)?;
        self.append_checked(frame, scratch);
        Ok(())
    }

    /// Appends one record that has passed the check, unless the writer is spoiled.
    pub(super) fn append_checked(&mut self, frame: &Frame<'_>, scratch: &mut Vec<u8>) {
        if !self.spoiled {
            let prefixed = whole(scratch, frame);
            self.spoiled = !matches!(self.avro.decode(prefixed), Ok(used) if used == prefixed.len());
        }
    }

    /// The rows appended so far; `None` when there are none or they are spoiled.
    pub(super) fn flush(&mut self) -> Option<RecordBatch> {
        if self.spoiled {
            return None;
        }
        let flushed = match &mut self.rows {
            Some(rows) => rows.flush().ok(),
            None => self.avro.flush().ok(),
        };
        self.spoiled = flushed.is_none();
        flushed.flatten()
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
    pub(super) fn alone(&mut self, frame: &Frame<'_>, scratch: &mut Vec<u8>) -> Result<(), String> {
        let prefixed = whole(scratch, frame);
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

/// Prefix and body in one piece.
fn whole<'s>(scratch: &'s mut Vec<u8>, frame: &Frame<'s>) -> &'s [u8] {
    match frame.prefixed {
        Some(prefixed) => prefixed,
        None => framing::prefixed(scratch, frame.id, frame.body),
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

//! Owns one writer schema: its check, and its way into the reader's columns: the short one ([`Rows`]) when the schema is flat,
//! else arrow-avro's decoder, which sees no more of it than the reader takes. Whether and how schemas resolve is arrow-avro's to say in either case.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow_avro::errors::AvroError;
use arrow_avro::reader::{Decoder as AvroDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use plan::avro::{Expansion, Schema};

use super::Reason;
use super::fit::{Cut, fit};
use super::framing::{self, Frame, SchemaKey};
use super::scan::Scanner;
use super::scan::rows::Rows;

/// Rows that arrow-avro may gather before it wants a flush; fetches are smaller by far.
const ROWS: usize = 1 << 30;

/// The reader schema, as it is compared and as arrow-avro takes it.
pub(super) struct Reader {
    schema: Schema,
    avro: AvroSchema,
}

impl Reader {
    /// Reads it; the error says why nothing can be read with it.
    pub(super) fn parse(text: &str) -> Result<Self, Arc<str>> {
        let schema = Schema::parse(text).map_err(|error| error.to_string())?;
        let written = schema.expand(schema.root(), &mut Expansion::default()).map_err(|error| error.to_string())?;
        Ok(Self { schema, avro: AvroSchema::new(written.to_string()) })
    }
}

/// A writer schema that resolves to the reader schema.
pub(super) struct Writer {
    /// The number that arrow-avro knows the schema by.
    id: u32,
    scanner: Scanner,
    /// The short way, if there is one.
    rows: Option<Rows>,
    /// What arrow-avro is given of a body.
    cut: Cut,
    /// arrow-avro 58.4 goes on counting the values of a union's branches behind a flush, so a decoder with unions serves one batch.
    serves_once: bool,
    /// Set when arrow-avro failed on a record that passed the check; its columns are then worthless.
    pub(super) spoiled: bool,
    schema: AvroSchema,
    reader: AvroSchema,
    avro: AvroDecoder,
}

impl Writer {
    /// Resolves writer to reader; the error says what does not fit.
    pub(super) fn resolve(key: SchemaKey, schema: &str, reader: &Reader, arrow: &SchemaRef) -> Result<Self, Arc<str>> {
        let id = if let SchemaKey::Id(id) = key { id } else { 0 };
        let scanner = Scanner::compile(schema).map_err(|error| error.to_string())?;
        scanner.agrees_with(&reader.schema)?;
        let (schema, cut) = fit(scanner.schema(), &reader.schema).map_err(|error| error.to_string())?;
        let schema = AvroSchema::new(schema.to_string());
        let avro = decoder(id, &schema, &reader.avro).map_err(|error| error.to_string())?;
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
        let rows = Rows::between(&scanner, &reader.schema, arrow);
        let serves_once = wanted.fields().iter().any(|field| has_union(field.data_type()));
        Ok(Self { id, scanner, rows, cut, serves_once, spoiled: false, schema, reader: reader.avro.clone(), avro })
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
            let decoded = whole(self.id, &self.cut, &self.scanner, scratch, frame)
                .map(|prefixed| matches!(self.avro.decode(prefixed), Ok(used) if used == prefixed.len()));
            self.spoiled = !decoded.unwrap_or(false);
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
        if self.serves_once {
            self.renew();
        }
        self.spoiled |= flushed.is_none();
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
        let prefixed = whole(self.id, &self.cut, &self.scanner, scratch, frame)?;
        let outcome = match self.avro.decode(prefixed) {
            Ok(used) if used == prefixed.len() => match self.avro.flush() {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Ok(used) => Err(format!("only {used} of {} bytes were read", prefixed.len())),
            Err(error) => Err(error.to_string()),
        };
        if outcome.is_err() || self.serves_once {
            self.renew();
        }
        outcome
    }
}

/// Prefix and what is left of the body in one piece.
fn whole<'s>(
    id: u32,
    cut: &Cut,
    scanner: &Scanner,
    scratch: &'s mut Vec<u8>,
    frame: &Frame<'s>,
) -> Result<&'s [u8], String> {
    match (frame.prefixed, cut) {
        (Some(prefixed), Cut::Keep) => Ok(prefixed),
        (_, Cut::Keep) => Ok(framing::prefixed(scratch, id, frame.body)),
        (_, cut) => {
            framing::prefixed(scratch, id, &[]);
            cut.append(scanner, frame.body, scratch).map_err(|flaw| flaw.to_string())?;
            Ok(scratch)
        }
    }
}

/// Whether a column has a union in it.
fn has_union(kind: &DataType) -> bool {
    match kind {
        DataType::Union(..) => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_union(field.data_type())),
        DataType::List(item) | DataType::Map(item, _) => has_union(item.data_type()),
        _ => false,
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

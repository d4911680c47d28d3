//! Owns the way from a fetch to columns: sort each record to its writer schema, append, put the rows back in order.
//!
//! Writers are kept apart because arrow-avro must flush at each change of schema; one batch per writer, interleaved at the end,
//! costs the same for any mixture.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;

use super::framing::{Framed, SchemaKey, frame};
use super::log_time::LogClock;
use super::outcome::{DecodeError, Decoded, Reason, Undecodable};
use super::writer::{Reader, Writer};
use super::{WriterSchema, WriterSchemas};

/// The place of a record that is no row.
const NO_WRITER: u32 = u32::MAX;

/// Decodes fetches into the reader schema. One per lane; it remembers the writer schemas it has met.
pub struct Decoder<S> {
    schemas: S,
    reader: Result<Reader, Arc<str>>,
    arrow: SchemaRef,
    writers: Vec<Writer>,
    /// Writer of each schema, or why it has none.
    known: HashMap<SchemaKey, Result<u32, Arc<str>>>,
    scratch: Vec<u8>,
}

/// What the first pass finds, one entry per record of the fetch.
#[derive(Default)]
struct Sorted {
    writers: Vec<u32>,
    offsets: Vec<i64>,
    log_times: Vec<i64>,
    reasons: Vec<(usize, Reason)>,
}

impl<S: WriterSchemas> Decoder<S> {
    /// `reader` is the reader schema's JSON and `arrow` what arrow-avro makes of it.
    pub fn new(schemas: S, reader: &str, arrow: SchemaRef) -> Self {
        Self {
            schemas,
            reader: Reader::parse(reader),
            arrow,
            writers: Vec::new(),
            known: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.arrow.clone()
    }

    /// Decodes one fetch of one partition. `clock` is that partition's; it advances only on success.
    pub fn decode<R: Framed>(&mut self, records: &[R], clock: &mut LogClock) -> Result<Decoded, DecodeError> {
        let mut running = *clock;
        let mut sorted = match self.sort(records, &mut running) {
            Ok(sorted) => sorted,
            Err(error) => {
                self.forget_rows();
                return Err(error);
            }
        };
        let pieces = self.pieces(records, &mut sorted);
        let batch = self.assemble(&pieces, &sorted);
        self.forget_rows();
        let decoded = sorted.into_decoded(batch?)?;
        *clock = running;
        Ok(decoded)
    }

    /// First pass: frame, check and append each record.
    fn sort<R: Framed>(&mut self, records: &[R], clock: &mut LogClock) -> Result<Sorted, DecodeError> {
        let mut sorted = Sorted::with_room(records.len());
        let mut last = None;
        for (index, record) in records.iter().enumerate() {
            sorted.offsets.push(record.offset());
            sorted.log_times.push(clock.advance(record.offset(), record.timestamp()));
            let outcome = match frame(record) {
                Ok(frame) => match self.writer_of(frame.key, last)? {
                    Ok(place) => {
                        last = Some((frame.key, place));
                        self.writers[place as usize].append(&frame, &mut self.scratch).map(|()| place)
                    }
                    Err(reason) => Err(reason),
                },
                Err(reason) => Err(reason),
            };
            sorted.place(index, outcome);
        }
        Ok(sorted)
    }

    /// The writer of a schema: remembered, or asked for now.
    fn writer_of(
        &mut self,
        key: SchemaKey,
        last: Option<(SchemaKey, u32)>,
    ) -> Result<Result<u32, Reason>, DecodeError> {
        if let Some((last_key, place)) = last
            && last_key == key
        {
            return Ok(Ok(place));
        }
        let known = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => match self.ask(key)? {
                Some(known) => known,
                None => return Ok(Err(Reason::UnknownSchema(key))),
            },
        };
        Ok(known.map_err(|message| Reason::Unresolvable { key, message }))
    }

    /// Asks the registry; an unknown schema is not remembered here, it may be registered later.
    fn ask(&mut self, key: SchemaKey) -> Result<Option<Result<u32, Arc<str>>>, DecodeError> {
        let answer = self.schemas.writer_schema(key).map_err(|source| DecodeError::AskRegistry { key, source })?;
        let known = match (answer, &self.reader) {
            (WriterSchema::Unknown, _) => return Ok(None),
            (WriterSchema::Unusable(message), _) => Err(message),
            (WriterSchema::Avro(_), Err(message)) => Err(message.clone()),
            (WriterSchema::Avro(schema), Ok(reader)) => {
                Writer::resolve(key, &schema, reader, &self.arrow).map(|writer| {
                    self.writers.push(writer);
                    self.writers.len() as u32 - 1
                })
            }
        };
        self.known.insert(key, known.clone());
        Ok(Some(known))
    }

    /// Second pass: one batch per writer that has rows.
    fn pieces<R: Framed>(&mut self, records: &[R], sorted: &mut Sorted) -> Vec<Option<RecordBatch>> {
        let mut pieces = Vec::with_capacity(self.writers.len());
        for place in 0..self.writers.len() {
            let mut piece = self.writers[place].flush();
            if self.writers[place].spoiled {
                piece = self.one_by_one(place as u32, records, sorted);
            }
            pieces.push(piece);
        }
        pieces
    }

    /// arrow-avro refused something that fits the writer schema (a symbol or branch that the reader lacks, a text that is no UUID):
    /// finds out which records, by decoding each alone, then decodes the others together.
    fn one_by_one<R: Framed>(&mut self, place: u32, records: &[R], sorted: &mut Sorted) -> Option<RecordBatch> {
        let writer = &mut self.writers[place as usize];
        writer.renew();
        for (index, record) in records.iter().enumerate() {
            if sorted.writers[index] != place {
                continue;
            }
            let Ok(frame) = frame(record) else { continue };
            if let Err(message) = writer.alone(&frame, &mut self.scratch) {
                let (key, message) = (frame.key, message.into());
                sorted.writers[index] = NO_WRITER;
                sorted.reasons.push((index, Reason::Unresolvable { key, message }));
            }
        }
        sorted.reasons.sort_by_key(|(index, _)| *index);
        for (index, record) in records.iter().enumerate() {
            if sorted.writers[index] == place
                && let Ok(frame) = frame(record)
            {
                writer.append_checked(&frame, &mut self.scratch);
            }
        }
        writer.flush()
    }

    /// Puts the rows of all writers into the order of the fetch.
    fn assemble(&self, pieces: &[Option<RecordBatch>], sorted: &Sorted) -> Result<RecordBatch, DecodeError> {
        let present: Vec<&RecordBatch> = pieces.iter().flatten().collect();
        let columns = match present.as_slice() {
            [] => return Ok(RecordBatch::new_empty(self.arrow.clone())),
            [only] => only.columns().to_vec(),
            several => {
                let mut compact = vec![0; pieces.len()];
                let mut next = 0;
                for (place, piece) in pieces.iter().enumerate() {
                    compact[place] = next;
                    next += usize::from(piece.is_some());
                }
                let mut taken = vec![0; several.len()];
                let order: Vec<(usize, usize)> = (sorted.writers.iter())
                    .filter(|place| **place != NO_WRITER)
                    .map(|place| {
                        let piece = compact[*place as usize];
                        taken[piece] += 1;
                        (piece, taken[piece] - 1)
                    })
                    .collect();
                interleave_record_batch(several, &order)?.columns().to_vec()
            }
        };
        Ok(RecordBatch::try_new(self.arrow.clone(), columns)?)
    }

    /// Leaves no row behind for the next fetch, whatever happened.
    fn forget_rows(&mut self) {
        for writer in &mut self.writers {
            drop(writer.flush());
            if writer.spoiled {
                writer.renew();
            }
        }
    }
}

impl Sorted {
    fn with_room(records: usize) -> Self {
        Self {
            writers: Vec::with_capacity(records),
            offsets: Vec::with_capacity(records),
            log_times: Vec::with_capacity(records),
            reasons: Vec::new(),
        }
    }

    fn place(&mut self, index: usize, outcome: Result<u32, Reason>) {
        let place = outcome.unwrap_or_else(|reason| {
            self.reasons.push((index, reason));
            NO_WRITER
        });
        self.writers.push(place);
    }

    fn into_decoded(mut self, batch: RecordBatch) -> Result<Decoded, DecodeError> {
        let undecodable: Vec<_> = std::mem::take(&mut self.reasons)
            .into_iter()
            .map(|(index, reason)| Undecodable {
                index,
                offset: self.offsets[index],
                log_time: self.log_times[index],
                reason,
            })
            .collect();
        if !undecodable.is_empty() {
            let is_row: Vec<bool> = self.writers.iter().map(|place| *place != NO_WRITER).collect();
            keep(&mut self.offsets, &is_row);
            keep(&mut self.log_times, &is_row);
        }
        if batch.num_rows() != self.offsets.len() {
            let (rows, records) = (batch.num_rows(), self.offsets.len());
            return Err(DecodeError::CountRows { rows, records });
        }
        Ok(Decoded { batch, offsets: self.offsets, log_times: self.log_times, undecodable })
    }
}

fn keep(values: &mut Vec<i64>, is_row: &[bool]) {
    let mut rows = is_row.iter();
    values.retain(|_| *rows.next().unwrap_or(&false));
}

#[cfg(test)]
mod tests;

//! Arrow IPC streams that others wrote: partials of other workers, rows of a checkpoint.
//!
//! What it keeps true: whatever the bytes are, the answer is rows or an error. Arrow's reader panics at metadata that makes no
//! sense (a schema without fields, buffers beyond the body); here such a panic ends at the stream. And it makes room for whatever
//! length a message names, so the lengths are looked at first.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;

/// What every message of a stream begins with.
const MARKER: [u8; 4] = [0xff; 4];

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is reading a stream, so that a panic would end there. For who takes every panic as a fault.
pub fn is_reading() -> bool {
    READING.get()
}

/// The columns and rows of a stream.
///
/// # Errors
/// The bytes are no stream.
pub fn read(bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    if !is_within(bytes) {
        return Err(ArrowError::IpcError("the stream names more bytes than it has".to_owned()));
    }
    READING.set(true);
    // Nothing outlives a panic but the bytes, which are not written to.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
        let schema = reader.schema();
        Ok((schema, reader.collect::<Result<Vec<_>, _>>()?))
    }));
    READING.set(false);
    read.unwrap_or_else(|_| Err(ArrowError::IpcError("the stream contradicts itself".to_owned())))
}

/// Whether every message, with its body, lies within the bytes: a marker and a length of four bytes each, the message, its body.
fn is_within(mut bytes: &[u8]) -> bool {
    while let Some((marker, rest)) = bytes.split_first_chunk::<4>() {
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return false };
        let length = u32::from_le_bytes(*length) as usize;
        if *marker != MARKER {
            return false;
        }
        if length == 0 {
            return true;
        }
        let Some((message, rest)) = rest.split_at_checked(length) else { return false };
        let Ok(message) = arrow::ipc::root_as_message(message) else { return false };
        let body = usize::try_from(message.bodyLength()).ok().and_then(|body| rest.get(body..));
        let Some(rest) = body else { return false };
        bytes = rest;
    }
    bytes.is_empty()
}

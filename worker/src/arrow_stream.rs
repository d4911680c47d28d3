//! Arrow IPC streams that others wrote: partials of other workers, rows of a checkpoint.
//!
//! What it keeps true: whatever the bytes are, the answer is rows or an error. Arrow's reader panics at metadata that makes no
//! sense (a schema without fields, buffers beyond the body); here such a panic ends at the stream.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;

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

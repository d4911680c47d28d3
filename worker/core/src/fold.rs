//! The fold of a partition: one arena of cells for all open windows, filled column by column.
//!
//! The row loop only queues (row, cell); each measure then folds the whole queue at once. A closing window gives its
//! cells back.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use crate::accumulate::{Accumulator, CellOverflow};
use crate::argument::Argument;
use crate::emission::{ClosedWindow, Partial};
use crate::error::Error;
use crate::groups::{GroupIndex, output_of};
use crate::open::OpenWindow;
use crate::program::Program;
use crate::units::{Digest, Offset};

/// Most rows of one part of a partial.
const PART_ROWS: usize = 4096;
/// Most bytes of grouping values in one part, so that a part stays well below a broker's largest message.
const PART_BYTES: usize = 256 * 1024;

/// Accumulators and the queue of rows to fold.
pub(crate) struct Fold {
    accumulators: Vec<Accumulator>,
    cells: u32,
    free: Vec<u32>,
    queued_rows: Vec<u32>,
    queued_cells: Vec<u32>,
    schema: SchemaRef,
    outputs: u32,
}

/// The measure and cell whose state would not fit.
pub(crate) struct Overflow {
    pub measure: usize,
    pub cell: u32,
}

impl Fold {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            accumulators: program.measures.iter().map(Accumulator::new).collect(),
            cells: 0,
            free: Vec::new(),
            queued_rows: Vec::new(),
            queued_cells: Vec::new(),
            schema: program.partial_schema(),
            outputs: program.outputs,
        }
    }

    /// How many cells there are, taken or free.
    pub(crate) fn cells(&self) -> usize {
        self.cells as usize
    }

    /// An empty cell.
    pub(crate) fn take_cell(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.cells += 1;
            self.cells - 1
        })
    }

    /// Queues a row of the fetch at hand.
    #[inline]
    pub(crate) fn queue(&mut self, row: usize, cell: u32) {
        self.queued_rows.push(row as u32);
        self.queued_cells.push(cell);
    }

    /// Folds what is queued; must be called before the fetch that the rows belong to is left.
    pub(crate) fn settle(&mut self, arguments: &[Argument]) -> Result<(), Overflow> {
        for (measure, (accumulator, argument)) in self.accumulators.iter_mut().zip(arguments).enumerate() {
            accumulator.resize(self.cells as usize);
            accumulator
                .fold(&self.queued_cells, &self.queued_rows, argument)
                .map_err(|CellOverflow(cell)| Overflow { measure, cell })?;
        }
        self.queued_rows.clear();
        self.queued_cells.clear();
        Ok(())
    }

    /// Gives back the cells of a closed window without a word.
    pub(crate) fn release(&mut self, open: &OpenWindow) {
        for (_, cell) in open.groups() {
            self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(cell));
            self.free.push(cell);
        }
    }

    /// The partials of a closed window, and what its seal says of them; by output, then by group.
    pub(crate) fn partials(
        &self,
        open: &OpenWindow,
        end: Offset,
        groups: &GroupIndex,
    ) -> Result<(Vec<Partial>, Vec<ClosedWindow>), Error> {
        let mut rows: Vec<(u32, &[u8], u32)> = open
            .groups()
            .map(|(group, cell)| {
                let bytes = groups.bytes(group);
                (output_of(bytes, self.outputs), bytes, cell)
            })
            .collect();
        rows.sort_unstable();
        let (mut partials, mut closed) = (Vec::new(), Vec::new());
        for of_output in rows.chunk_by(|a, b| a.0 == b.0) {
            let output = of_output[0].0;
            let mut hasher = blake3::Hasher::new();
            let mut parts = 0;
            for range in parts_of(of_output) {
                let rows = self.rows(&of_output[range], groups)?;
                let digest = digest_rows(&rows)?;
                hasher.update(&digest.0);
                partials.push(Partial { window: open.window, output, part: parts, rows, digest });
                parts += 1;
            }
            let (window, records, first) = (open.window, open.records, open.first.offset);
            let digest = Digest::of(&hasher);
            closed.push(ClosedWindow { window, output, parts, records, first, end, digest });
        }
        Ok((partials, closed))
    }

    fn rows(&self, rows: &[(u32, &[u8], u32)], groups: &GroupIndex) -> Result<RecordBatch, Error> {
        let cells: Vec<u32> = rows.iter().map(|(_, _, cell)| *cell).collect();
        let mut columns: Vec<ArrayRef> = groups.columns(rows.iter().map(|(_, bytes, _)| *bytes))?;
        columns.extend(self.accumulators.iter().flat_map(|accumulator| accumulator.state(&cells)));
        batch(self.schema.clone(), columns, rows.len())
    }
}

/// A batch also when there is no column at all.
pub(crate) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, Error> {
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(Error::arrow("put columns together"))
}

/// Cuts the groups of one output into parts.
fn parts_of(rows: &[(u32, &[u8], u32)]) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (index, (_, key, _)) in rows.iter().enumerate() {
        if index > from && (index - from == PART_ROWS || bytes + key.len() > PART_BYTES) {
            parts.push(from..index);
            (from, bytes) = (index, 0);
        }
        bytes += key.len();
    }
    parts.push(from..rows.len());
    parts
}

/// The digest of rows: over their number and the canonical bytes of each.
pub(crate) fn digest_rows(rows: &RecordBatch) -> Result<Digest, Error> {
    use arrow_row::{RowConverter, SortField};
    let fields = rows.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(Error::arrow("digest rows"))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(rows.num_rows() as u64).to_le_bytes());
    for row in &converter.convert_columns(rows.columns()).map_err(Error::arrow("digest rows"))? {
        hasher.update(&(row.data().len() as u64).to_le_bytes());
        hasher.update(row.data());
    }
    Ok(Digest::of(&hasher))
}

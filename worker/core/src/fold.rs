//! The fold of a partition: one arena of cells for all open windows, filled column by column.
//!
//! The row loop only queues (row, cell); each measure then folds the whole queue at once. A closing window gives its
//! cells back.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use crate::accumulate::Accumulator;
use crate::argument::Argument;
use crate::emission::{ClosedWindow, Partial};
use crate::error::Error;
use crate::groups::{GroupIndex, output_of};
use crate::open::OpenWindow;
use crate::program::Program;
use crate::units::{Digest, Offset};

/// Most rows of one part of a partial.
const PART_ROWS: usize = 4096;
/// Most bytes of grouping values and texts in one part, unless a group alone has more. Decides how many parts a window has, and so is a
/// constant; how messages are cut does not depend on it.
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
    /// Since checkpoints are kept: whether a cell has changed since the last one.
    changed: Option<Vec<bool>>,
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
            changed: None,
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
    pub(crate) fn settle(&mut self, arguments: &[Argument]) {
        for (accumulator, argument) in self.accumulators.iter_mut().zip(arguments) {
            accumulator.resize(self.cells as usize);
            accumulator.fold(&self.queued_cells, &self.queued_rows, argument);
        }
        if let Some(changed) = &mut self.changed {
            changed.resize(self.cells as usize, false);
            self.queued_cells.iter().for_each(|cell| changed[*cell as usize] = true);
        }
        self.queued_rows.clear();
        self.queued_cells.clear();
    }

    /// Gives back the cells of a closed window without a word.
    pub(crate) fn release(&mut self, open: &OpenWindow) {
        for (_, cell) in open.groups() {
            self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(cell));
            self.free.push(cell);
            if let Some(changed) = self.changed.as_mut().and_then(|changed| changed.get_mut(cell as usize)) {
                *changed = false;
            }
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
            for range in self.parts_of(of_output) {
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

    /// The state of a window's cells that have changed since the last call, or of all; from the first call on it is known which.
    pub(crate) fn save(&mut self, open: &OpenWindow, all: bool, groups: &GroupIndex) -> Result<RecordBatch, Error> {
        let changed = self.changed.get_or_insert_default();
        changed.resize(self.cells as usize, false);
        let mut rows = Vec::new();
        for (group, cell) in open.groups() {
            if std::mem::take(&mut changed[cell as usize]) || all {
                rows.push((0, groups.bytes(group), cell));
            }
        }
        self.rows(&rows, groups)
    }

    /// Puts rows that were saved in the place of what the window's cells hold.
    pub(crate) fn restore(
        &mut self,
        open: &mut OpenWindow,
        rows: &RecordBatch,
        program: &Program,
        groups: &mut GroupIndex,
    ) -> Result<(), Error> {
        let (keys, mut states) = rows.columns().split_at(program.groups.len());
        let numbers = groups.number(keys, rows.num_rows())?;
        let cells: Vec<u32> = numbers.iter().map(|group| open.cell(*group, || self.take_cell())).collect();
        for (measure, accumulator) in program.measures.iter().zip(&mut self.accumulators) {
            let (state, rest) = states.split_at(measure.state_types().len());
            accumulator.resize(self.cells as usize);
            for cell in &cells {
                accumulator.clear(*cell);
            }
            accumulator.merge(&cells, state);
            states = rest;
        }
        Ok(())
    }

    /// Cuts the groups of one output into parts.
    fn parts_of(&self, rows: &[(u32, &[u8], u32)]) -> Vec<std::ops::Range<usize>> {
        let mut parts = Vec::new();
        let (mut from, mut bytes) = (0, 0);
        for (index, (_, key, cell)) in rows.iter().enumerate() {
            let texts: usize = self.accumulators.iter().map(|accumulator| accumulator.text_bytes(*cell)).sum();
            let own = key.len() + texts;
            if index > from && (index - from == PART_ROWS || bytes + own > PART_BYTES) {
                parts.push(from..index);
                (from, bytes) = (index, 0);
            }
            bytes += own;
        }
        parts.push(from..rows.len());
        parts
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

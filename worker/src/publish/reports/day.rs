//! The file of one day: the rows of its batches, by partition and offset.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use parquet::errors::ParquetError;
use xxhash_rust::xxh3::xxh3_128;

use super::super::table::{encode, instant};
use super::{Batch, DAY, METRICS, Reports, ReportsError, TREES};

impl Reports<'_> {
    /// Puts batches of a day into its file, unless they are in it; how many were not.
    pub(super) fn roll_up(&self, day: i64, batches: &[Batch]) -> Result<usize, ReportsError> {
        let mut rolled_up = 0;
        for (tree, file) in TREES {
            let folder = format!("{}/{tree}/day={}", self.folder, instant(day * DAY, "%Y-%m-%d"));
            let known = self.known(&folder)?;
            // Another version of Sluice may have written other columns: those go into a file of their own.
            let mut kinds: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
            for batch in batches.iter().filter(|batch| !known.contains(&batch_id(**batch))) {
                let path = self.path(tree, *batch, file);
                match self.rows(&path)? {
                    Some(rows) => kinds.entry(format!("{:?}", rows.schema())).or_default().push(rows),
                    None if tree == METRICS => return Err(ReportsError::Vanished { path, batch: *batch }),
                    None => {}
                }
            }
            for rows in kinds.values() {
                let bytes = join(rows).map_err(|source| ReportsError::Parse { path: folder.clone(), source })?;
                let name = xxh3_128(&bytes);
                self.archive.create(&format!("{folder}/{name:032x}.parquet"), &bytes)?;
            }
            rolled_up = kinds.values().map(Vec::len).sum();
        }
        Ok(rolled_up)
    }

    /// The batches that the files of a day hold. What a worker that was killed while it wrote has left is removed.
    fn known(&self, folder: &str) -> Result<BTreeSet<String>, ReportsError> {
        let mut known = BTreeSet::new();
        for name in self.archive.names(folder)? {
            let path = format!("{folder}/{name}");
            if !name.ends_with(".parquet") {
                self.archive.remove(&path)?;
                continue;
            }
            let rows = self.rows(&path)?;
            let ids = rows.as_ref().and_then(|rows| rows.column_by_name("batch_id")?.as_string_opt::<i32>());
            known.extend(ids.into_iter().flatten().flatten().map(str::to_owned));
        }
        Ok(known)
    }
}

fn batch_id((partition, first): Batch) -> String {
    format!("{partition}-{first}")
}

/// One file of all rows, in their order; there is at least one batch.
fn join(rows: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    encode(&concat_batches(&rows[0].schema(), rows)?, &[])
}

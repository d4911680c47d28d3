//! Reports of closed days: many small files become one a day, and days that are too old go away.
//!
//! What it keeps true: a row is never gone while its day is kept: the file of the day is on the disk before the files it replaces
//! are removed. A pass that is cut short anywhere and made again comes to the same files, byte for byte; so does one that meets
//! a report again which a restart has written anew. What is done follows from the files alone, no clock.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::TimestampMillisecondType;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use plan::ReportsPlan;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use super::store::{Store, StoreError, Written};
use super::table::{encode, instant};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;
/// A partition that has reported nothing for this long is not waited for.
const SILENT: i64 = 7 * DAY;
/// Below the pipeline's folder: what is rolled up, and the file of each batch there. Samples go first: of their batches the
/// metrics alone know the day.
const TREES: [(&str, &str); 2] = [("samples", "samples.parquet"), ("metrics", "report.parquet")];

/// A pass that came to no end. It is made again.
#[derive(Debug, Error)]
pub enum ReportsError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file is no report. A person must look at it; nothing of its day is touched.
    #[error("'{path}' is no report: {source}")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        source: ParquetError,
    },
}

/// A store in which files can also be read and removed.
pub trait Archive {
    /// The names in a folder; none when it does not exist.
    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// The bytes of a file; nothing when it is not there.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes `bytes` at `path`, durably, unless a file is there.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError>;

    /// Removes a file, if it is there, and its folder, if that is empty then.
    fn remove(&self, path: &str) -> Result<(), StoreError>;
}

impl Archive for Store {
    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.names(folder)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(path)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        self.create(path, bytes)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.remove(path)
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Batches whose files were replaced by that of their day.
    pub rolled_up: usize,
    /// Days that were removed.
    pub removed: usize,
}

/// Partition and first offset.
type Batch = (i32, i64);

/// The reports of one pipeline.
pub struct Reports<'a> {
    archive: &'a dyn Archive,
    folder: String,
    plan: ReportsPlan,
    partitions: usize,
}

impl<'a> Reports<'a> {
    /// Those of `pipeline`, whose source has so many partitions.
    pub fn new(archive: &'a dyn Archive, pipeline: &str, plan: ReportsPlan, partitions: usize) -> Self {
        Self { archive, folder: format!("dq/{pipeline}"), plan, partitions }
    }

    /// Rolls up the days that are closed, and removes those that are too old.
    pub fn pass(&self) -> Result<Passed, ReportsError> {
        let batches = self.batches()?;
        let Some((newest, horizon)) = self.horizon(&batches)? else { return Ok(Passed::default()) };
        let mut days: BTreeMap<i64, Vec<Batch>> = BTreeMap::new();
        for offsets in batches.values() {
            for batch in &offsets[..self.first_from(offsets, horizon)?] {
                let day = self.log_time(*batch)?.div_euclid(DAY);
                if (day + 1) * DAY <= horizon {
                    days.entry(day).or_default().push(*batch);
                }
            }
        }
        let mut passed = Passed::default();
        for (day, batches) in days {
            self.roll_up(day, &batches)?;
            passed.rolled_up += batches.len();
        }
        passed.removed = self.remove_old(newest)?;
        Ok(passed)
    }

    /// The batches that have files of their own, by partition, in order.
    fn batches(&self) -> Result<BTreeMap<i32, Vec<Batch>>, ReportsError> {
        let mut batches: BTreeMap<i32, Vec<Batch>> = BTreeMap::new();
        for name in self.archive.names(&format!("{}/metrics", self.folder))? {
            if let Some(batch) = name.strip_prefix("batch_id=").and_then(parse_batch) {
                batches.entry(batch.0).or_default().push(batch);
            }
        }
        for batches in batches.values_mut() {
            batches.sort_unstable();
        }
        Ok(batches)
    }

    /// The newest log time, and the midnight up to which days are closed: every partition has come further by `roll_up_after`,
    /// or has been silent for long.
    fn horizon(&self, batches: &BTreeMap<i32, Vec<Batch>>) -> Result<Option<(i64, i64)>, ReportsError> {
        let ends = |pick: fn(&[Batch]) -> Option<&Batch>| {
            let each = batches.iter().filter_map(|(partition, batches)| Some((*partition, *pick(batches)?)));
            each.map(|(partition, batch)| Ok((partition, self.log_time(batch)?)))
                .collect::<Result<BTreeMap<_, _>, ReportsError>>()
        };
        let (first, last) = (ends(<[Batch]>::first)?, ends(<[Batch]>::last)?);
        let (Some(oldest), Some(newest)) = (first.values().min().copied(), last.values().max().copied()) else {
            return Ok(None);
        };
        // One of which there is no file may have been silent ever since the oldest.
        let reached = (0..self.partitions as i32).map(|partition| last.get(&partition).copied().unwrap_or(oldest));
        let slowest = reached.filter(|reached| newest - reached <= SILENT).min().unwrap_or(newest);
        let horizon = slowest.saturating_sub(self.plan.roll_up_after_ms).div_euclid(DAY) * DAY;
        Ok(Some((newest, horizon)))
    }

    /// How many of these batches begin before `time`; log time rises with offsets.
    fn first_from(&self, batches: &[Batch], time: i64) -> Result<usize, ReportsError> {
        let (mut low, mut high) = (0, batches.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.log_time(batches[middle])? < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Log time of a batch's first record.
    fn log_time(&self, batch: Batch) -> Result<i64, ReportsError> {
        let path = self.path("metrics", batch, "report.parquet");
        let rows = self.rows(&path)?;
        let times = rows.as_ref().and_then(|rows| rows.column_by_name("first_log_time"));
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
        let time = times.filter(|times| !times.is_empty()).map(|times| times.value(0));
        time.ok_or_else(|| ReportsError::Parse {
            path,
            source: ParquetError::General("it tells no log time".to_owned()),
        })
    }

    fn path(&self, tree: &str, (partition, first): Batch, file: &str) -> String {
        format!("{}/{tree}/batch_id={partition}-{first}/{file}", self.folder)
    }

    fn rows(&self, path: &str) -> Result<Option<RecordBatch>, ReportsError> {
        let Some(bytes) = self.archive.read(path)? else { return Ok(None) };
        read_rows(bytes).map(Some).map_err(|source| ReportsError::Parse { path: path.to_owned(), source })
    }

    /// Puts batches of a day into its file, unless they are in it, and then removes their own.
    fn roll_up(&self, day: i64, batches: &[Batch]) -> Result<(), ReportsError> {
        for (tree, file) in TREES {
            let folder = day_folder(&self.folder, tree, day);
            let known = self.known(&folder)?;
            let new = batches.iter().filter(|batch| !known.contains(&batch_id(**batch)));
            // Another version of Sluice may have written other columns: those go into a file of their own.
            let mut kinds: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
            for batch in new {
                if let Some(rows) = self.rows(&self.path(tree, *batch, file))? {
                    kinds.entry(format!("{:?}", rows.schema())).or_default().push(rows);
                }
            }
            for rows in kinds.values() {
                let bytes = join(rows).map_err(|source| ReportsError::Parse { path: folder.clone(), source })?;
                let name = xxh3_128(&bytes);
                self.archive.create(&format!("{folder}/{name:032x}.parquet"), &bytes)?;
            }
        }
        for (tree, file) in TREES {
            for batch in batches {
                self.archive.remove(&self.path(tree, *batch, file))?;
            }
        }
        Ok(())
    }

    /// The batches that the files of a day hold.
    fn known(&self, folder: &str) -> Result<BTreeSet<String>, ReportsError> {
        let mut known = BTreeSet::new();
        for name in self.archive.names(folder)?.iter().filter(|name| name.ends_with(".parquet")) {
            let rows = self.rows(&format!("{folder}/{name}"))?;
            let ids = rows.as_ref().and_then(|rows| rows.column_by_name("batch_id")?.as_string_opt::<i32>());
            known.extend(ids.into_iter().flatten().flatten().map(str::to_owned));
        }
        Ok(known)
    }

    /// Removes the files of days that ended `keep` before the newest report; how many days.
    fn remove_old(&self, newest: i64) -> Result<usize, ReportsError> {
        let Some(keep) = self.plan.keep_ms else { return Ok(0) };
        let mut removed = BTreeSet::new();
        for (tree, _) in TREES {
            for name in self.archive.names(&format!("{}/{tree}", self.folder))? {
                let Some(day) = name.strip_prefix("day=").and_then(parse_day) else { continue };
                if (day + 1) * DAY > newest.saturating_sub(keep) {
                    continue;
                }
                let folder = format!("{}/{tree}/{name}", self.folder);
                for file in self.archive.names(&folder)? {
                    self.archive.remove(&format!("{folder}/{file}"))?;
                }
                removed.insert(day);
            }
        }
        Ok(removed.len())
    }
}

fn day_folder(folder: &str, tree: &str, day: i64) -> String {
    format!("{folder}/{tree}/day={}", instant(day * DAY, "%Y-%m-%d"))
}

/// Days since the epoch.
fn parse_day(text: &str) -> Option<i64> {
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis().div_euclid(DAY))
}

fn parse_batch(id: &str) -> Option<Batch> {
    let (partition, first) = id.split_once('-')?;
    Some((partition.parse().ok()?, first.parse().ok()?))
}

fn batch_id((partition, first): Batch) -> String {
    format!("{partition}-{first}")
}

fn read_rows(bytes: Vec<u8>) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    let schema = builder.schema().clone();
    let batches = builder.build()?.collect::<Result<Vec<_>, ArrowError>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

/// One file of all rows, in their order; there is at least one batch.
fn join(rows: &[RecordBatch]) -> Result<Vec<u8>, ParquetError> {
    encode(&concat_batches(&rows[0].schema(), rows)?, &[])
}

#[cfg(test)]
mod tests;

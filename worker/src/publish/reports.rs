//! Reports of closed days: many small files become one a day, and days that are too old go away.
//!
//! What it keeps true: a row is never gone while its day is kept: the file of the day is on the disk before the files it replaces
//! are removed, and has been for as long as a reader takes to list the folder ([`Due`]). A pass that is cut short anywhere and made
//! again comes to the same files, byte for byte; so does one that meets a report again which a restart has written anew. What is
//! done follows from the log alone, no clock: from the reports that are there and from how far partitions have sealed. Only how
//! long a replaced file lingers is a matter of time. A report that a commit names is never removed: its absence would say that the
//! store is another one.

mod day;
mod due;

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

use super::effects::Files;
use super::store::{Store, StoreError};
pub(super) use due::Due;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Below the pipeline's folder: what is rolled up, and the file of each batch there.
const TREES: [(&str, &str); 2] = [("samples", "samples.parquet"), (METRICS, REPORT)];
const METRICS: &str = "metrics";
const REPORT: &str = "report.parquet";

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
    /// There is a folder, and again no report in it: a former publisher that does not know of its end is at work. It goes away by itself.
    #[error("'{path}' is not there any more")]
    Vanished {
        /// The file.
        path: String,
        /// Of which batch.
        batch: Batch,
    },
}

/// A store in which files can also be removed.
pub trait Archive: Files {
    /// Removes a file, if it is there, and its folder, if that is empty then.
    fn remove(&self, path: &str) -> Result<(), StoreError>;
}

impl Archive for Store {
    fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.remove(path)
    }
}

/// What a pass did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Batches whose rows were put into the file of their day.
    pub rolled_up: usize,
    /// Days that were removed.
    pub removed: usize,
    /// Batches that have files of their own and need none any more: that of their day holds them, or their day is too old.
    pub replaced: Vec<Batch>,
}

/// Partition and first offset.
pub type Batch = (i32, i64);

/// What publishing knows of the partitions when a pass is made.
#[derive(Debug, Default)]
pub struct Standing<'a> {
    /// Log time of each partition's newest report of those that were taken in.
    pub reported: BTreeMap<i32, i64>,
    /// By partition: the log time before which no batch begins any more that is still to be reported, as far as its seals tell.
    pub settled: Vec<Option<i64>>,
    /// The reports that the committed progress names.
    pub named: Vec<&'a str>,
}

/// The reports of one pipeline.
pub struct Reports<'a> {
    archive: &'a dyn Archive,
    folder: String,
    plan: ReportsPlan,
}

impl<'a> Reports<'a> {
    /// Those of `pipeline`.
    pub fn new(archive: &'a dyn Archive, pipeline: &str, plan: ReportsPlan) -> Self {
        Self { archive, folder: format!("dq/{pipeline}"), plan }
    }

    /// Puts the days that are closed into their files, and removes those that are too old.
    pub fn pass(&self, standing: &Standing<'_>) -> Result<Passed, ReportsError> {
        let mut before = None;
        loop {
            match self.attempt(standing) {
                // A worker was killed between a file and its folder, or while it wrote: that report comes again.
                Err(ReportsError::Vanished { batch, .. }) if before != Some(batch) => {
                    self.remove(batch)?;
                    before = Some(batch);
                }
                done => return done,
            }
        }
    }

    fn attempt(&self, standing: &Standing<'_>) -> Result<Passed, ReportsError> {
        let batches = self.batches(&standing.named)?;
        let Some((newest, horizon)) = self.horizon(&batches, &standing.settled)? else { return Ok(Passed::default()) };
        let mut days: BTreeMap<i64, Vec<Batch>> = BTreeMap::new();
        for offsets in batches.values() {
            // The newest one of a partition that is silent stays: the commit may name it.
            for batch in &offsets[..self.first_from(offsets, horizon)?.min(offsets.len() - 1)] {
                let day = self.log_time(*batch)?.div_euclid(DAY);
                if (day + 1) * DAY <= horizon {
                    days.entry(day).or_default().push(*batch);
                }
            }
        }
        let mut passed = Passed::default();
        for (day, batches) in days {
            if !self.is_old(day, newest) {
                passed.rolled_up += self.roll_up(day, &batches)?;
            }
            passed.replaced.extend(batches);
        }
        passed.removed = self.remove_old(newest)?;
        Ok(passed)
    }

    /// Removes what the batch has of its own.
    pub fn remove(&self, batch: Batch) -> Result<(), ReportsError> {
        for (tree, file) in TREES {
            let folder = self.batch_folder(tree, batch);
            // Also what a worker that was killed while it wrote has left.
            for name in self.archive.names(&folder)?.iter().filter(|name| *name != file) {
                self.archive.remove(&format!("{folder}/{name}"))?;
            }
            self.archive.remove(&format!("{folder}/{file}"))?;
        }
        Ok(())
    }

    /// The days from which `log_time` is far enough to close them, and to remove them: what a pass comes to is a function of these
    /// for all times of a [`Standing`].
    pub fn days(&self, log_time: i64) -> [i64; 2] {
        [self.plan.roll_up_after_ms, self.plan.keep_ms.unwrap_or(0)]
            .map(|behind| log_time.saturating_sub(behind).div_euclid(DAY))
    }

    /// The batches that have folders of their own, by partition, in order; no partition without any. What lies behind a report that
    /// the commit names is not known to stay, and does not count yet.
    fn batches(&self, named: &[&str]) -> Result<BTreeMap<i32, Vec<Batch>>, ReportsError> {
        let mut batches: BTreeMap<i32, Vec<Batch>> = BTreeMap::new();
        let folder = format!("{}/{METRICS}", self.folder);
        for batch in self.archive.names(&folder)?.iter().filter_map(|name| parse_batch(name)) {
            batches.entry(batch.0).or_default().push(batch);
        }
        for batches in batches.values_mut() {
            batches.sort_unstable();
        }
        let named = named.iter().filter_map(|path| parse_batch(path.strip_prefix(&folder)?.split('/').nth(1)?));
        for (partition, first) in named {
            batches.entry(partition).or_default().retain(|batch| batch.1 <= first);
        }
        batches.retain(|_, batches| !batches.is_empty());
        Ok(batches)
    }

    /// The newest log time, and the midnight up to which days are closed: every partition has come further by `roll_up_after`, by its
    /// reports or, where it is silent, by its seals. Nothing while there is a partition of which nothing is known.
    fn horizon(
        &self,
        batches: &BTreeMap<i32, Vec<Batch>>,
        settled: &[Option<i64>],
    ) -> Result<Option<(i64, i64)>, ReportsError> {
        let last = batches.iter().filter_map(|(partition, batches)| Some((*partition, *batches.last()?)));
        let last = last.map(|(partition, batch)| Ok((partition, self.log_time(batch)?)));
        let last = last.collect::<Result<BTreeMap<_, _>, ReportsError>>()?;
        let Some(newest) = last.values().max().copied() else { return Ok(None) };
        // Windows may be sealed that reach beyond everything that was read.
        let reached = (0..).zip(settled).map(|(partition, settled)| {
            let settled = settled.map(|settled| settled.min(newest));
            last.get(&partition).copied().max(settled)
        });
        let slowest = reached.min().flatten();
        let midnight = |slowest: i64| slowest.saturating_sub(self.plan.roll_up_after_ms).div_euclid(DAY) * DAY;
        Ok(Some((newest, slowest.map_or(i64::MIN, midnight))))
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
        let path = self.path(METRICS, batch, REPORT);
        let rows = self.rows(&path)?.ok_or_else(|| ReportsError::Vanished { path: path.clone(), batch })?;
        let times = rows.column_by_name("first_log_time");
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
        let time = times.filter(|times| !times.is_empty()).map(|times| times.value(0));
        time.ok_or_else(|| ReportsError::Parse {
            path,
            source: ParquetError::General("it tells no log time".to_owned()),
        })
    }

    fn batch_folder(&self, tree: &str, (partition, first): Batch) -> String {
        format!("{}/{tree}/batch_id={partition}-{first}", self.folder)
    }

    fn path(&self, tree: &str, batch: Batch, file: &str) -> String {
        format!("{}/{file}", self.batch_folder(tree, batch))
    }

    fn rows(&self, path: &str) -> Result<Option<RecordBatch>, ReportsError> {
        let Some(bytes) = self.archive.read(path)? else { return Ok(None) };
        read_rows(bytes).map(Some).map_err(|source| ReportsError::Parse { path: path.to_owned(), source })
    }

    /// Whether a day ended `keep` before the newest report.
    fn is_old(&self, day: i64, newest: i64) -> bool {
        self.plan.keep_ms.is_some_and(|keep| (day + 1) * DAY <= newest.saturating_sub(keep))
    }

    /// Removes the files of days that are too old; how many days.
    fn remove_old(&self, newest: i64) -> Result<usize, ReportsError> {
        let mut removed = BTreeSet::new();
        for (tree, _) in TREES {
            for name in self.archive.names(&format!("{}/{tree}", self.folder))? {
                let day = name.strip_prefix("day=").and_then(parse_day);
                let Some(day) = day.filter(|day| self.is_old(*day, newest)) else { continue };
                let folder = format!("{}/{tree}/{name}", self.folder);
                for file in self.archive.names(&folder)? {
                    self.archive.remove(&format!("{folder}/{file}"))?;
                }
                // A worker that was killed may have left it empty.
                self.archive.remove(&format!("{folder}/{name}.parquet"))?;
                removed.insert(day);
            }
        }
        Ok(removed.len())
    }
}

/// Days since the epoch.
fn parse_day(text: &str) -> Option<i64> {
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis().div_euclid(DAY))
}

/// The batch whose folder has this name.
fn parse_batch(name: &str) -> Option<Batch> {
    let (partition, first) = name.strip_prefix("batch_id=")?.split_once('-')?;
    Some((partition.parse().ok()?, first.parse().ok()?))
}

fn read_rows(bytes: Vec<u8>) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    let schema = builder.schema().clone();
    let batches = builder.build()?.collect::<Result<Vec<_>, ArrowError>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

#[cfg(test)]
mod tests;

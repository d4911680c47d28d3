//! What the worker knows of itself: written by lanes and publishers, read by HTTP, the panel and whoever waits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use schemas::report::{OutputReport, PartitionReport, QualityReport, Trouble, WorkerReport};
use schemas::text::plain;

/// Milliseconds since the epoch by this machine's clock.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The state shared by the tasks of one worker.
#[derive(Debug)]
pub struct Status {
    pipeline: String,
    revision: i64,
    worker: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    partitions: BTreeMap<i32, PartitionReport>,
    /// End of each partition's log when it was last asked for.
    ends: BTreeMap<i32, i64>,
    outputs: BTreeMap<i32, OutputReport>,
    troubles: BTreeMap<String, Trouble>,
    quality: Option<QualityReport>,
}

impl Inner {
    /// The end may have been asked for before the position was written, but is never behind it.
    fn with_end(&self, report: &PartitionReport) -> PartitionReport {
        let end = self.ends.get(&report.partition).map(|end| report.position.max(*end));
        PartitionReport { end, ..report.clone() }
    }
}

impl Status {
    /// Nothing known yet.
    pub fn new(pipeline: &str, revision: i64, worker: &str) -> Self {
        let inner = Mutex::default();
        Self { pipeline: pipeline.to_owned(), revision, worker: worker.to_owned(), inner }
    }

    /// Everything known now.
    pub fn report(&self) -> WorkerReport {
        let inner = self.lock();
        WorkerReport {
            pipeline: self.pipeline.clone(),
            revision: self.revision,
            worker: self.worker.clone(),
            at: now(),
            partitions: inner.partitions.values().map(|report| inner.with_end(report)).collect(),
            outputs: inner.outputs.values().cloned().collect(),
            troubles: inner.troubles.values().cloned().collect(),
            quality: inner.quality.clone(),
        }
    }

    /// Replaces what is known of a source partition.
    pub fn set_partition(&self, report: PartitionReport) {
        self.lock().partitions.insert(report.partition, report);
    }

    /// The partition belongs to another worker now.
    pub fn remove_partition(&self, partition: i32) {
        let mut inner = self.lock();
        inner.partitions.remove(&partition);
        inner.ends.remove(&partition);
    }

    /// The end of a partition's log was asked for.
    pub fn set_end(&self, partition: i32, end: i64) {
        self.lock().ends.insert(partition, end);
    }

    /// The source partitions that this worker owns.
    pub fn owned(&self) -> Vec<i32> {
        self.lock().partitions.keys().copied().collect()
    }

    /// Replaces what is known of a partition of the partials topic.
    pub fn set_output(&self, report: OutputReport) {
        self.lock().outputs.insert(report.output, report);
    }

    /// Replaces what is known of the data's quality.
    pub fn set_quality(&self, report: QualityReport) {
        self.lock().quality = Some(report);
    }

    /// Something keeps `task` from going on. The time it began is kept while the reason stays the same.
    ///
    /// The message may quote records and servers; it is kept as a person can be shown it.
    pub fn trouble(&self, task: &str, reason: &str, message: String) {
        let escaped = match plain(&message) {
            Cow::Owned(escaped) => Some(escaped),
            Cow::Borrowed(_) => None,
        };
        let message = escaped.unwrap_or(message);
        let mut inner = self.lock();
        match inner.troubles.get_mut(task) {
            Some(known) if known.reason == reason => known.message = message,
            _ => {
                tracing::warn!(task, reason, message, "waiting");
                let trouble = Trouble { reason: reason.to_owned(), message, since: now() };
                inner.troubles.insert(task.to_owned(), trouble);
            }
        }
    }

    /// `task` goes on.
    pub fn recovered(&self, task: &str) {
        if let Some(trouble) = self.lock().troubles.remove(task) {
            tracing::info!(task, reason = trouble.reason, after_ms = now() - trouble.since, "going on");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every write replaces whole values, so what a panicking holder left is still consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A running pipeline as it can be seen from outside: Kafka's commits and logs, and the workers' own reports where they answer.
//!
//! Keeps true: without any worker everything is there but what only they know (troubles, verdicts since they began); what a worker
//! says is newer than what is committed, and goes before it.

mod kafka;
mod members;
mod quality;
mod workers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use plan::Plan;
use rdkafka::error::KafkaError;
use schemas::report::{LossReport, PartitionReport, QualityReport, WorkerReport};
use serde::Serialize;
use thiserror::Error;

use crate::stretch::StretchError;
pub use workers::WorkerArgs;

/// How long a broker or a worker may take for one answer.
const ASK: Duration = Duration::from_secs(10);

/// Why nothing can be seen.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// Kafka does not answer.
    #[error("cannot read the progress of pipeline '{pipeline}': {source}")]
    Ask {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: KafkaError,
    },
    /// The partials topic cannot be read.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// The client cannot be made.
    #[error("cannot make the client that asks the workers: {0}")]
    MakeClient(reqwest::Error),
}

/// A source partition. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionView {
    /// The partition.
    pub partition: i32,
    /// Who has it, as far as that is known.
    pub owner: Option<String>,
    /// The next record to be read; where nothing is committed, the beginning of the log.
    pub position: i64,
    /// Whether anything is committed.
    pub begun: bool,
    /// The next offset that will be written.
    pub end: i64,
    /// The watermark.
    pub watermark: Option<i64>,
    /// Windows that end by then are closed here.
    pub sealed: Option<i64>,
    /// The largest event time of a judged-valid record.
    pub latest: Option<i64>,
    /// Whether its owner found nothing to read for long enough.
    pub idle: bool,
    /// Windows that are open here, by start; known from its worker alone.
    pub open: Option<Vec<i64>>,
    /// Whether its position has not moved while there were records to read and somebody watched (see [`look_again`]).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub still: bool,
    /// What its log had lost when it was needed, the oldest first; the pipeline went on without (`source.onDataLoss: Continue`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossReport>,
}

impl PartitionView {
    /// Offsets that are not read yet.
    pub fn lag(&self) -> i64 {
        self.end - self.position
    }

    /// What its worker says goes before what is committed.
    fn update(&mut self, owner: &str, report: &PartitionReport) {
        self.owner = Some(owner.to_owned());
        if report.replaying || report.position < self.position {
            return;
        }
        self.position = report.position;
        self.end = self.end.max(report.position);
        self.watermark = report.watermark.max(self.watermark);
        self.sealed = report.sealed.max(self.sealed);
        self.latest = report.latest.max(self.latest);
        self.idle = report.idle;
        self.losses.clone_from(&report.losses);
        self.open = Some(report.windows.iter().map(|window| window.start).collect());
    }
}

/// A partition of the partials topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputView {
    /// The partition.
    pub output: i32,
    /// Windows that end by then are published.
    pub published_until: Option<i64>,
    /// Messages that are not taken in yet.
    pub lag: i64,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its name.
    pub pipeline: String,
    /// The source partitions, in order.
    pub partitions: Vec<PartitionView>,
    /// The partitions of the partials topic, in order.
    pub outputs: Vec<OutputView>,
    /// Whether the data is good enough; absent before the first batch report.
    pub quality: Option<QualityReport>,
    /// The reports of the workers that answer.
    pub workers: Vec<WorkerReport>,
    /// The workers that do not, with the reason.
    pub silent: Vec<String>,
    /// Topic and manifest disagree about partitions, in words for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<String>,
}

/// Looks at the pipeline of `plan`.
///
/// # Errors
/// Kafka does not answer.
pub fn observe(plan: &Plan, args: &WorkerArgs) -> Result<View, ObserveError> {
    let failed = |source| ObserveError::Ask { pipeline: plan.name.clone(), source };
    let disagreement = kafka::disagreement(plan).map_err(failed)?;
    let mut partitions = kafka::partitions(plan).map_err(failed)?;
    let outputs = kafka::outputs(plan).map_err(failed)?;
    let (workers, silent) = args.ask()?;
    for report in &workers {
        for own in &report.partitions {
            if let Some(known) = partitions.get_mut(own.partition as usize) {
                known.update(&report.worker, own);
            }
        }
    }
    let watched = workers.iter().filter_map(|report| report.quality.clone()).max_by_key(|quality| quality.until);
    let quality = match watched {
        Some(quality) => Some(quality),
        None => quality::of_reports(plan)?,
    };
    let disagreement = disagreement.map(|disagreement| disagreement.to_string());
    Ok(View { pipeline: plan.name.clone(), partitions, outputs, quality, workers, silent, disagreement })
}

/// For how long partitions are watched: workers commit more often.
pub const LOOKED_FOR: Duration = Duration::from_secs(6);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where no worker says how it is: watches the partitions that have something to read until each of them has moved, or
/// [`LOOKED_FOR`] is over, and marks those that have not.
///
/// # Errors
/// Kafka does not answer.
pub fn look_again(plan: &Plan, view: &mut View) -> Result<(), ObserveError> {
    if !view.workers.is_empty() {
        return Ok(());
    }
    let mut waiting: BTreeMap<i32, i64> =
        view.partitions.iter().filter(|it| it.lag() > 0).map(|it| (it.partition, it.position)).collect();
    let begun = Instant::now();
    while !waiting.is_empty() && begun.elapsed() < LOOKED_FOR {
        std::thread::sleep(PAUSE);
        let failed = |source| ObserveError::Ask { pipeline: plan.name.clone(), source };
        for seen in kafka::partitions(plan).map_err(failed)? {
            if waiting.get(&seen.partition).is_some_and(|position| seen.position != *position) {
                waiting.remove(&seen.partition);
                if let Some(known) = view.partitions.iter_mut().find(|known| known.partition == seen.partition) {
                    *known = seen;
                }
            }
        }
    }
    for partition in &mut view.partitions {
        partition.still = waiting.contains_key(&partition.partition);
    }
    Ok(())
}

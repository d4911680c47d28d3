//! A bounded run: from the log as it is now to published tables, then the end.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use schemas::report::WorkerReport;

use crate::client::client;
use crate::worker::{Config, Worker, WorkerError};

/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(10);
/// How often the workers are looked at.
const LOOK: Duration = Duration::from_millis(25);

/// The end offset of each source partition now.
///
/// # Errors
/// When the broker does not answer or does not have the topic.
pub fn ends(plan: &Plan) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let asker: BaseConsumer = client(plan).create()?;
    let ends = (0..plan.source.partitions as i32)
        .map(|partition| Ok((partition, asker.fetch_watermarks(&plan.source.topic, partition, ASK)?.1)));
    ends.collect()
}

/// Runs workers together until all have drained and published, then stops them. `look` sees their reports meanwhile and
/// ends the run early by returning false; the workers then stop as on SIGTERM.
///
/// # Errors
/// The first worker's that could not start or had to end.
pub fn run(
    configs: Vec<Config>,
    mut look: impl FnMut(&[WorkerReport]) -> bool,
) -> Result<Vec<WorkerReport>, WorkerError> {
    let workers = configs.into_iter().map(Worker::start).collect::<Result<Vec<_>, _>>()?;
    let reports = || workers.iter().map(Worker::report).collect::<Vec<_>>();
    while look(&reports()) && !workers.iter().all(Worker::is_finished) && !workers.iter().any(Worker::is_ended) {
        sleep(LOOK);
    }
    let last = reports();
    workers.iter().for_each(Worker::request_stop);
    workers.into_iter().try_for_each(Worker::join)?;
    Ok(last)
}

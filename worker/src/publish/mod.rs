//! Publishing: reads the partials topic, completes windows and writes each once.
//!
//! One thread owns all partitions of the topic that this worker publishes. It never sees a record of the source. What it does
//! to the world goes through the traits of [`effects`].

pub mod effects;
pub mod gold;
mod kafka;
mod output;
pub mod overflow;
pub mod reports;
mod store;
pub mod table;
mod work;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use stream_core::Error as CoreError;
use thiserror::Error;

use crate::progress::ProgressError;
use crate::quality::Quality;
use crate::source::{WhoActs, classify};
use kafka::Partials;
use reports::{Due, Passed, Reports};
pub use store::{Store, StoreError, Written};
use work::reason;
pub use work::{Publisher, Publishing};

/// How often progress is committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// Publishing cannot go on.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The client could not be made. The user must mend the settings.
    #[error("cannot make the client that reads '{topic}': {source}")]
    MakeClient {
        /// The partials topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// The committed progress cannot be read.
    #[error("cannot read the publish progress of partition {output}: {source}")]
    ReadProgress {
        /// The partition of the partials topic.
        output: i32,
        /// Why.
        source: ProgressError,
    },
    /// A total does not fit, or the program does not fit its rows.
    #[error("cannot complete a window: {0}")]
    Complete(#[from] CoreError),
    /// A table could not be encoded. A bug.
    #[error("cannot encode a table: {0}")]
    Encode(#[from] parquet::errors::ParquetError),
    /// The groups of values that do not fit cannot be shown. A bug.
    #[error("cannot name a group: {0}")]
    NameGroup(#[from] arrow::error::ArrowError),
    /// The worker is to stop; nothing is lost.
    #[error("stopped")]
    Stopped,
}

/// The publisher's thread.
pub(crate) struct PublishTask {
    publisher: Publisher,
    partials: Partials,
    /// Where reports of closed days are rolled up.
    archive: Store,
    /// How long those that are replaced stay.
    linger: Duration,
    /// Says up to where to read before ending, once a bounded run has drained.
    finish: crossbeam_channel::Receiver<BTreeMap<i32, i64>>,
}

/// What the thread is made of, before its client exists.
pub(crate) struct PublishSettings {
    pub plan: std::sync::Arc<plan::Plan>,
    pub program: std::sync::Arc<stream_core::Program>,
    pub previous: Option<std::sync::Arc<crate::meaning::Previous>>,
    pub topology: stream_core::Topology,
    /// The group under which progress is committed.
    pub group: String,
    pub store: Store,
    pub status: std::sync::Arc<crate::status::Status>,
    pub stop: crate::stop::Stop,
    pub quality: std::sync::Arc<Quality>,
    pub linger: Duration,
    pub finish: crossbeam_channel::Receiver<BTreeMap<i32, i64>>,
}

impl PublishTask {
    pub(crate) fn new(settings: PublishSettings) -> Result<Self, PublishError> {
        let PublishSettings { plan, program, previous, topology, group, store, status, stop, quality, linger, finish } =
            settings;
        let partials = Partials::new(&plan, &group)?;
        let archive = store.clone();
        let (files, commits) = (Box::new(store), Box::new(partials.clone()));
        let publisher = Publisher { plan, program, previous, topology, files, commits, status, quality, stop };
        Ok(Self { publisher, partials, archive, linger, finish })
    }

    /// Publishes until stopped, or until everything up to the finish is published.
    pub(crate) fn run(self) -> Result<(), PublishError> {
        let ended = self.publish();
        drop(self.publisher);
        self.partials.close();
        match ended {
            Err(PublishError::Stopped) => Ok(()),
            other => other,
        }
    }

    fn publish(&self) -> Result<(), PublishError> {
        let publisher = &self.publisher;
        let mut work = Publishing::take_up(publisher)?;
        publisher.persist("the assignment", || self.partials.assign(&work.starts()))?;
        let mut finish = None;
        let mut committed = Instant::now();
        let mut due = Due::new(self.linger);
        while !publisher.stop.is_requested() {
            self.take_in(&mut work)?;
            work.write_complete(publisher)?;
            finish = finish.or_else(|| self.finish.try_recv().ok());
            let finished = finish.as_ref().is_some_and(|ends| publisher.quality.is_known() && work.is_past(ends));
            if finished || committed.elapsed() >= COMMIT_INTERVAL {
                let written_down = work.commit(publisher);
                committed = Instant::now();
                if finished {
                    due.end();
                }
                if written_down {
                    self.roll_up(&work, &mut due);
                }
                if finished && written_down {
                    return Ok(());
                }
            }
        }
        work.commit(publisher);
        Ok(())
    }

    /// Rolls up the reports of closed days. What fails is tried again.
    fn roll_up(&self, work: &Publishing, due: &mut Due) {
        let Publisher { plan, status, .. } = &self.publisher;
        let reports = Reports::new(&self.archive, &plan.name, plan.reports);
        match due.see_to(&reports, &work.standing(&self.publisher), Instant::now()) {
            Ok(passed) => {
                status.recovered("reports");
                if let Some(Passed { rolled_up, removed, .. }) = passed.filter(|passed| *passed != Passed::default()) {
                    tracing::info!(rolled_up, removed, "reports of closed days");
                }
            }
            Err(error) => status.trouble("reports", "ReportsNotRolledUp", error.to_string()),
        }
    }

    /// Takes in the messages that are there, a bounded number.
    fn take_in(&self, work: &mut Publishing) -> Result<(), PublishError> {
        let mut wait = Duration::from_millis(50);
        for _ in 0..1000 {
            let Some(message) = self.partials.consumer.poll(wait) else { break };
            wait = Duration::ZERO;
            match message {
                Ok(message) => {
                    self.publisher.status.recovered("publish");
                    let (output, at) = (message.partition(), message.offset());
                    work.take_in(&self.publisher, output, at, message.payload().unwrap_or_default())?;
                }
                Err(error) => self.cannot_read(&error),
            }
        }
        Ok(())
    }

    /// A broker that is away is told by the source's link, which also sees it return; here the client just goes on.
    fn cannot_read(&self, error: &KafkaError) {
        if classify(error).0 == WhoActs::User {
            let message = format!("cannot read '{}': {error}", self.publisher.plan.partials_topic);
            self.publisher.status.trouble("publish", reason(error), message);
        } else {
            tracing::debug!(%error, "reading the partials topic");
        }
    }
}

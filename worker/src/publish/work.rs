//! Publishing without its thread: what is taken up, taken in, written and committed.
//!
//! What it keeps true: progress is committed only after everything before it is on the disk, so a restart writes nothing twice
//! and misses nothing. The commit names the files that were written last: a store that lacks one of them is another one (a new
//! volume, or an old copy of it), of which the commit does not hold; then the partials topic is read from its beginning.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::Plan;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use stream_core::{CollectorProgress, EventTime, Offset, Program, Topology};

use super::PublishError;
use super::effects::{Commits, Files};
use super::output::{Output, persist_sink};
use super::reports::Standing;
use crate::meaning::Previous;
use crate::progress::{CommittedPublish, decode_publish, encode_publish};
use crate::quality::Quality;
use crate::source::{WhoActs, classify};
use crate::status::Status;
use crate::stop::{Backoff, Stop};

/// Everything that publishing needs.
pub struct Publisher {
    /// The pipeline.
    pub plan: Arc<Plan>,
    /// Its meaning.
    pub program: Arc<Program>,
    /// What windows before a boundary mean, if that is another meaning.
    pub previous: Option<Arc<Previous>>,
    /// How many source partitions a window waits for.
    pub topology: Topology,
    /// Where tables go.
    pub files: Box<dyn Files>,
    /// Where progress goes.
    pub commits: Box<dyn Commits>,
    /// What the worker knows of itself.
    pub status: Arc<Status>,
    /// Told of every batch report; says whether windows may be published.
    pub quality: Arc<Quality>,
    /// Asked wherever something is waited for.
    pub stop: Stop,
}

/// The partitions of the partials topic that are published here.
pub struct Publishing {
    outputs: BTreeMap<i32, Output>,
}

impl Publishing {
    /// Reads the committed progress of every partition. Messages must then be taken in from [`Self::starts`] on.
    pub fn take_up(publisher: &Publisher) -> Result<Self, PublishError> {
        let outputs: Vec<i32> = (0..publisher.plan.partials_partitions as i32).collect();
        let what = "the committed publish progress";
        let committed = publisher.persist(what, || publisher.commits.committed(&outputs))?;
        let take_up = |(output, committed): (i32, Option<(Offset, String)>)| {
            let taken = publisher.taken_up(output, committed)?;
            Ok((output, Output::resume(output, publisher, taken)?))
        };
        let outputs = outputs.iter().copied().zip(committed).map(take_up).collect::<Result<_, PublishError>>()?;
        Ok(Self { outputs })
    }

    /// From where on each partition must be read.
    pub fn starts(&self) -> Vec<(i32, Offset)> {
        self.outputs.iter().map(|(number, output)| (*number, Offset(output.position()))).collect()
    }

    /// Takes in the message at offset `at` of partition `output`.
    pub fn take_in(&mut self, publisher: &Publisher, output: i32, at: i64, value: &[u8]) -> Result<(), PublishError> {
        self.outputs.get_mut(&output).map_or(Ok(()), |output| output.take_in(publisher, at, value))
    }

    /// Writes every window that is complete.
    pub fn write_complete(&mut self, publisher: &Publisher) -> Result<(), PublishError> {
        let may_publish = publisher.quality.may_publish();
        for output in self.outputs.values_mut() {
            if may_publish {
                output.write_complete(publisher)?;
            }
            publisher.status.set_output(output.report());
        }
        Ok(())
    }

    /// What is known of the partitions, once progress is written down.
    pub fn standing(&self, publisher: &Publisher) -> Standing<'_> {
        // No watermark is ahead of the log (the skew is at most the delay), and the batch that is open may have begun earlier.
        let interval = publisher.plan.batch.interval_ms;
        let log_time = |sealed: EventTime| (sealed != EventTime::NEVER).then(|| sealed.0.saturating_sub(interval));
        let outputs = || self.outputs.values();
        let sealed = |partition| outputs().map(|output| output.sealed(partition)).min().unwrap_or(EventTime::NEVER);
        Standing {
            reported: outputs().flat_map(Output::reported).collect(),
            settled: (0..publisher.topology.partitions()).map(|partition| log_time(sealed(partition))).collect(),
            named: outputs().filter_map(Output::last_report).collect(),
        }
    }

    /// Whether everything before `ends` has been taken in.
    pub fn is_past(&self, ends: &BTreeMap<i32, i64>) -> bool {
        ends.iter().all(|(output, end)| self.outputs[output].position() >= *end)
    }

    /// Writes progress down, if there is any; whether nothing is left to be written down.
    pub fn commit(&mut self, publisher: &Publisher) -> bool {
        let reached: Vec<_> = self
            .outputs
            .iter()
            .map(|(number, output)| (*number, output.reached()))
            .filter(|(number, reached)| !self.outputs[number].is_committed(reached))
            .collect();
        if reached.is_empty() {
            return true;
        }
        let list: Vec<_> =
            reached.iter().map(|(output, at)| (*output, at.progress.position, encode_publish(at))).collect();
        if let Err(error) = publisher.commits.commit(&list) {
            // Not written down is only slower: a restart reads from the last commit, and finds the files.
            let message = format!("the publish progress could not be committed: {error}");
            publisher.status.trouble("publish commit", reason(&error), message);
            return false;
        }
        publisher.status.recovered("publish commit");
        for (number, reached) in reached {
            if let Some(output) = self.outputs.get_mut(&number) {
                output.set_committed(reached);
            }
        }
        true
    }
}

impl Publisher {
    /// From where a partition of the partials topic is to be read, and what is known there.
    fn taken_up(&self, output: i32, committed: Option<(Offset, String)>) -> Result<CommittedPublish, PublishError> {
        let partitions = self.topology.partitions();
        let low = self.persist("the log start", || self.commits.low(output))?;
        let anew =
            |progress| CommittedPublish { progress, files: [None, None], meaning: None, before: None, overflow: None };
        let start = anew(CollectorProgress::start(low, partitions));
        let Some((position, metadata)) = committed else { return Ok(self.changed(start, true)) };
        let mut taken = decode_publish(position, &metadata, partitions)
            .map_err(|source| PublishError::ReadProgress { output, source })?;
        if let Some(missing) = self.missing(&taken)? {
            let from = low.0;
            tracing::warn!(output, missing, from, "the store lacks what was written last: all is written again");
            return Ok(self.changed(CommittedPublish { meaning: taken.meaning, ..start }, true));
        }
        for progress in [Some(&mut taken.progress), taken.before.as_mut()].into_iter().flatten() {
            if progress.anchor < low {
                let (anchor, low) = (progress.anchor.0, low.0);
                tracing::warn!(output, anchor, low, "the partials topic has lost what was not published yet");
                let CollectorProgress { position, anchor, sealed, doubts, is_cut, .. } = start.progress.clone();
                *progress = CollectorProgress { position, anchor, sealed, doubts, is_cut, ..progress.clone() };
            }
        }
        Ok(self.changed(taken, false))
    }

    /// The same with the meaning that begins, if it is not the one that was committed: its windows are all behind the boundary, and all
    /// that is told of them comes from here on, for its workers start when those of the meaning before have ended. When everything is read
    /// `is_anew`, both are read from the beginning.
    fn changed(&self, taken: CommittedPublish, is_anew: bool) -> CommittedPublish {
        let Some(previous) = &self.previous else { return taken };
        let meaning = Some(self.plan.revision);
        if taken.meaning == meaning && !is_anew {
            return taken;
        }
        let before = taken.progress;
        let progress = CollectorProgress {
            anchor: before.position,
            published_until: previous.change.until,
            lost_until: EventTime::NEVER,
            is_cut: is_anew && before.is_cut,
            sealed: vec![EventTime::NEVER; before.sealed.len()],
            doubts: Vec::new(),
            ..before.clone()
        };
        CommittedPublish { progress, before: Some(before), meaning, ..taken }
    }

    /// A file that the commit names and the store does not have.
    fn missing(&self, taken: &CommittedPublish) -> Result<Option<String>, PublishError> {
        for path in taken.files.iter().flatten() {
            let (folder, name) = path.rsplit_once('/').unwrap_or_default();
            if !persist_sink(self, || self.files.names(folder))?.iter().any(|there| there == name) {
                return Ok(Some(path.clone()));
            }
        }
        Ok(None)
    }

    /// Repeats `action` until it succeeds or the worker is to stop.
    pub(super) fn persist<T>(
        &self,
        what: &str,
        mut action: impl FnMut() -> Result<T, KafkaError>,
    ) -> Result<T, PublishError> {
        let mut backoff = Backoff::default();
        loop {
            match action() {
                Ok(done) => {
                    self.status.recovered(what);
                    return Ok(done);
                }
                Err(error) => {
                    let message = match reason(&error) {
                        "TopicMissing" => format!("topic '{}' does not exist at the broker", self.plan.partials_topic),
                        _ => format!("{what} could not be asked for: {error}"),
                    };
                    self.status.trouble(what, reason(&error), message);
                }
            }
            if self.stop.wait(backoff.next()) {
                return Err(PublishError::Stopped);
            }
        }
    }
}

/// A stable word for the status.
pub(super) fn reason(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => "TopicMissing",
        _ if classify(error).0 == WhoActs::User => "BrokerRefuses",
        _ => "BrokerUnreachable",
    }
}

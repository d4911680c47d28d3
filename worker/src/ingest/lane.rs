//! A lane: one thread that owns a few partitions and works on them in turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use stream_core::{EventTime, Offset, Progress};

use super::partition::{Owned, commit};
use super::{IngestError, Shared};
use crate::progress::decode;
use crate::source::Done;

/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(5);
/// When a partition that could not be taken over is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the status is written.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// What the group task tells a lane.
pub(super) enum Command {
    /// The partition is this lane's from now on.
    Take(i32),
    /// These partitions, of which it may own some, belong to somebody else as soon as `done` is dropped.
    Release(Vec<i32>, Arc<Done>),
    /// All partitions of a bounded run have been read; windows up to this time are to be closed.
    Drain(EventTime),
}

/// The lane's thread.
pub(super) struct LaneTask {
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    owned: BTreeMap<i32, Owned>,
    /// Partitions still to be taken over, with the time of the next try.
    waiting: BTreeMap<i32, Instant>,
    drain: Option<EventTime>,
}

impl LaneTask {
    pub(super) fn new(shared: Arc<Shared>, commands: Receiver<Command>) -> Self {
        Self { shared, commands, owned: BTreeMap::new(), waiting: BTreeMap::new(), drain: None }
    }

    /// Works until the worker is to stop; then cuts once more.
    pub(super) fn run(mut self) -> Result<(), IngestError> {
        match self.work() {
            Ok(()) | Err(IngestError::Stopped) => {}
            Err(error) => return Err(error),
        }
        match self.cut() {
            Err(error) => tracing::warn!(%error, "the last cut was not committed; a restart replays a little more"),
            Ok(()) => self.report(),
        }
        Ok(())
    }

    fn work(&mut self) -> Result<(), IngestError> {
        let (mut cut, mut reported) = (Instant::now(), Instant::now());
        while !self.shared.stop.is_requested() {
            self.obey()?;
            self.take_waiting()?;
            let mut reached_end = false;
            let may_read = self.shared.quality.may_read();
            for owned in self.owned.values_mut().filter(|_| may_read) {
                let before = owned.at_end();
                owned.step(&self.shared)?;
                reached_end |= owned.at_end() && !before;
            }
            if reached_end || cut.elapsed() >= self.shared.settings.cut_interval {
                self.cut()?;
                cut = Instant::now();
            }
            if let Some(target) = self.drain {
                self.drain(target)?;
            }
            if reached_end || reported.elapsed() >= REPORT_INTERVAL {
                self.report();
                reported = Instant::now();
            }
        }
        Ok(())
    }

    /// Decrees the end of a bounded run in all partitions that have been read.
    fn drain(&mut self, target: EventTime) -> Result<(), IngestError> {
        let mut lost = Vec::new();
        for (partition, owned) in &mut self.owned {
            match owned.drain(&self.shared, target) {
                Err(error) if error.is_lost_partition() => lost.push(*partition),
                drained => drained?,
            }
        }
        self.forget(&lost);
        Ok(())
    }

    /// Drops partitions that belong to another worker now.
    fn forget(&mut self, lost: &[i32]) {
        for partition in lost {
            self.owned.remove(partition);
            self.shared.status.remove_partition(*partition);
        }
    }

    /// Takes in commands; waits for one when there is nothing else to do.
    fn obey(&mut self) -> Result<(), IngestError> {
        let idle = self.owned.values().all(Owned::is_resting) || !self.shared.quality.may_read();
        let mut wait = if idle { Duration::from_millis(20) } else { Duration::ZERO };
        loop {
            match self.commands.recv_timeout(wait) {
                Ok(Command::Take(partition)) => {
                    self.waiting.insert(partition, Instant::now());
                }
                Ok(Command::Release(partitions, done)) => self.release(&partitions, done)?,
                Ok(Command::Drain(target)) => self.drain = Some(target),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(IngestError::Stopped),
            }
            wait = Duration::ZERO;
        }
    }

    fn take_waiting(&mut self) -> Result<(), IngestError> {
        let due: Vec<i32> = self.waiting.iter().filter(|(_, at)| **at <= Instant::now()).map(|(p, _)| *p).collect();
        for partition in due {
            if self.shared.stop.is_requested() {
                return Ok(());
            }
            let task = format!("partition {partition}");
            match self.take(partition) {
                Ok(owned) => {
                    self.shared.status.recovered(&task);
                    self.shared.status.set_partition(owned.report());
                    self.owned.insert(partition, owned);
                    self.waiting.remove(&partition);
                }
                Err(error) if error.is_lost_partition() => {
                    self.waiting.remove(&partition);
                }
                Err(error) if error.retry() => {
                    self.shared.status.trouble(&task, error.reason(), error.to_string());
                    self.waiting.insert(partition, Instant::now() + RETRY);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the committed progress, raises the incarnation, fences, and starts at the anchor.
    fn take(&self, partition: i32) -> Result<Owned, IngestError> {
        let shared = &self.shared;
        for topic in [&shared.plan.partials_topic, &shared.plan.dead_letter_topic] {
            shared.consumer.expect_topic(topic, ASK)?;
        }
        let log = shared.consumer.watermarks(partition, ASK)?;
        let committed = shared.consumer.committed_with_metadata(&[partition], ASK)?.pop();
        let committed = committed.and_then(|committed| Some((committed.offset?, committed.metadata)));
        let mut progress = match committed {
            None => Progress::start(Offset(log.low)),
            Some((position, metadata)) => decode(Offset(position), &metadata).unwrap_or_else(|error| {
                tracing::warn!(partition, %error, "the progress is rebuilt from the start of the log");
                Progress { position: Offset(position), ..Progress::start(Offset(log.low)) }
            }),
        };
        let anchor = progress.anchor.offset.0;
        if anchor < log.low || anchor > log.high {
            return Err(IngestError::SourceDataLost { partition, anchor, low: log.low, high: log.high });
        }
        progress.incarnation += 1;
        commit(shared, partition, &progress)?;
        tracing::info!(partition, anchor, position = progress.position.0, "taken over");
        let mut owned = Owned::start(shared, partition, progress)?;
        owned.fence(shared)?;
        owned.resend_decree(shared)?;
        Ok(owned)
    }

    /// Cuts and lets go of partitions. `done` is dropped at the end, which gives them back.
    fn release(&mut self, partitions: &[i32], done: Arc<Done>) -> Result<(), IngestError> {
        self.cut()?;
        for partition in partitions {
            self.waiting.remove(partition);
            if self.owned.remove(partition).is_some() {
                self.shared.status.remove_partition(*partition);
            }
        }
        drop(done);
        Ok(())
    }

    /// The cut: all emissions acknowledged, then progress committed.
    fn cut(&mut self) -> Result<(), IngestError> {
        if !self.owned.values().any(Owned::is_dirty) {
            return Ok(());
        }
        self.shared.flush()?;
        let mut lost = Vec::new();
        for (partition, owned) in &mut self.owned {
            match owned.commit(&self.shared) {
                Ok(()) => self.shared.status.recovered("commit"),
                Err(error) if error.retry() => {
                    self.shared.status.trouble("commit", error.reason(), error.to_string());
                    // The others would wait as long, for the same broker.
                    break;
                }
                Err(error) => {
                    tracing::warn!(partition, %error, "the partition belongs to another worker now");
                    lost.push(*partition);
                }
            }
        }
        self.forget(&lost);
        Ok(())
    }

    fn report(&self) {
        for owned in self.owned.values() {
            self.shared.status.set_partition(owned.report());
        }
    }
}

//! A lane: one thread that owns a few partitions and works on them in turn.
//!
//! [`LaneWork`] is the lane without its thread: it does what it is told and then takes turns, at times that it is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use stream_core::Targets;

use super::effects::Now;
use super::idle::Idleness;
use super::partition::Owned;
use super::{IngestError, Shared};
use crate::source::Done;

/// When a partition that could not be taken over is tried again, milliseconds.
const RETRY: u64 = 1000;
/// Longest pause before a partition whose records are refused is taken over again, milliseconds.
const LONGEST_RETRY: u64 = 60_000;
/// How often the status is written, milliseconds.
const REPORT_INTERVAL: u64 = 250;

/// What the group task tells a lane.
pub(super) enum Command {
    /// The partition is this lane's from now on.
    Take(i32),
    /// These partitions, of which it may own some, belong to somebody else as soon as `done` is dropped.
    Release(Vec<i32>, Arc<Done>),
    /// All partitions of a bounded run have been read; windows up to this time are to be closed.
    Drain(Targets),
}

/// What a lane owns.
#[derive(Default)]
pub struct LaneWork {
    owned: BTreeMap<i32, Owned>,
    /// Partitions still to be taken over, with the time of the next try.
    waiting: BTreeMap<i32, u64>,
    /// Partitions of which something was refused, with how often in a row.
    refused: BTreeMap<i32, u32>,
    drain: Option<Targets>,
    idleness: Idleness,
    last_cut: u64,
    last_report: u64,
}

impl LaneWork {
    /// The partition is this lane's from now on; it is taken over in the next turn.
    pub fn take(&mut self, partition: i32) {
        self.waiting.insert(partition, 0);
    }

    /// Windows up to `targets` are to be closed, wherever everything has been read.
    pub fn drain(&mut self, targets: Targets) {
        self.drain = Some(targets);
    }

    /// One turn: takes over what waits, reads a fetch of each partition, cuts when it is time. Whether there were records.
    pub fn turn(&mut self, shared: &Shared, now: Now) -> Result<bool, IngestError> {
        self.take_waiting(shared, now)?;
        let (mut reached_end, mut busy) = (false, false);
        let may_read = shared.quality.may_read();
        let mut gone = Vec::new();
        for (partition, owned) in self.owned.iter_mut().filter(|_| may_read) {
            let before = owned.at_end();
            match owned.step(shared, now) {
                Err(IngestError::OffsetGone { .. }) => gone.push(*partition),
                stepped => busy |= stepped?,
            }
            reached_end |= owned.at_end() && !before;
        }
        self.take_anew(shared, &gone, now)?;
        if reached_end || now.ticks >= self.last_cut + shared.settings.cut_interval.as_millis() as u64 {
            self.cut(shared, now, false)?;
            self.last_cut = now.ticks;
        }
        if let Some(target) = self.drain {
            self.each(shared, now, |owned| owned.drain(shared, target))?;
        }
        if self.idleness.is_due(shared, now) {
            match self.look_for_idle(shared, now) {
                // The broker is away, which its link tells; it is looked again later.
                Err(error) if error.retry() => {}
                looked => looked?,
            }
        }
        if reached_end || now.ticks >= self.last_report + REPORT_INTERVAL {
            self.report(shared);
            self.last_report = now.ticks;
        }
        Ok(busy)
    }

    /// Partitions of which the next record is gone are taken over anew, which says what is to be done.
    fn take_anew(&mut self, shared: &Shared, gone: &[i32], now: Now) -> Result<(), IngestError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.cut(shared, now, false)?;
        for partition in gone {
            if self.owned.remove(partition).is_some() {
                shared.status.remove_partition(*partition);
                self.waiting.insert(*partition, now.ticks);
            }
        }
        Ok(())
    }

    /// Cuts and lets go of partitions.
    pub fn release(&mut self, shared: &Shared, partitions: &[i32], now: Now) -> Result<(), IngestError> {
        self.cut(shared, now, false)?;
        for partition in partitions {
            self.waiting.remove(partition);
            if self.owned.remove(partition).is_some() {
                shared.status.remove_partition(*partition);
            }
        }
        Ok(())
    }

    /// The cut: all emissions acknowledged, then a checkpoint if one is due or this is the `last` cut, then progress committed.
    pub fn cut(&mut self, shared: &Shared, now: Now, closing: bool) -> Result<(), IngestError> {
        let dirty = self.owned.values().any(Owned::is_dirty);
        if !dirty && !closing {
            return Ok(());
        }
        if dirty {
            shared.broker.flush()?;
        }
        let (mut lost, mut refused) = (Vec::new(), Vec::new());
        for (partition, owned) in &mut self.owned {
            if let Err(error) = shared.broker.arrived(*partition) {
                refused.push((*partition, error));
                continue;
            }
            let is_dirty = owned.is_dirty();
            owned.checkpoint(shared, now, closing);
            match owned.commit(shared) {
                Ok(()) => {
                    shared.status.recovered("commit");
                    if is_dirty && self.refused.remove(partition).is_some() {
                        shared.status.recovered(&sends(*partition));
                    }
                }
                Err(error) if error.retry() => {
                    shared.status.trouble("commit", error.reason(), error.to_string());
                    // The others would wait as long, for the same broker.
                    break;
                }
                Err(IngestError::Stopped) => return Err(IngestError::Stopped),
                Err(error) => {
                    tracing::warn!(partition, %error, "the partition belongs to another worker now");
                    lost.push(*partition);
                }
            }
        }
        self.forget(shared, &lost);
        self.take_refused(shared, refused, now);
        Ok(())
    }

    /// Partitions of which something was refused are taken over anew from their last commit, which says all of it again, as the topics
    /// take it by then. The others go on.
    fn take_refused(&mut self, shared: &Shared, refused: Vec<(i32, IngestError)>, now: Now) {
        for (partition, error) in refused {
            let times = self.refused.entry(partition).or_default();
            let pause = (RETRY << (*times).min(16)).min(LONGEST_RETRY);
            *times += 1;
            shared.status.trouble(&sends(partition), error.reason(), error.to_string());
            if self.owned.remove(&partition).is_some() {
                shared.status.remove_partition(partition);
            }
            self.waiting.insert(partition, now.ticks + pause);
        }
    }

    /// Marks idle partitions, writes the marks down, and raises the watermarks of those whose mark is written down.
    fn look_for_idle(&mut self, shared: &Shared, now: Now) -> Result<(), IngestError> {
        if !self.idleness.mark(shared, &mut self.owned, now)? {
            return Ok(());
        }
        self.cut(shared, now, false)?;
        match self.idleness.target(shared, now)? {
            Some(target) => self.each(shared, now, |owned| owned.close_idle(shared, target)),
            None => Ok(()),
        }
    }

    /// The partitions that it owns.
    pub fn owned(&self) -> impl Iterator<Item = &Owned> {
        self.owned.values()
    }

    /// Whether nothing is left to be read here, or may be.
    fn is_resting(&self) -> bool {
        self.owned.values().all(Owned::is_resting)
    }

    /// Does something with each partition; those that turn out to be another worker's are dropped.
    fn each(
        &mut self,
        shared: &Shared,
        now: Now,
        mut action: impl FnMut(&mut Owned) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        let (mut lost, mut refused) = (Vec::new(), Vec::new());
        for (partition, owned) in &mut self.owned {
            match action(owned) {
                Err(error) if error.is_lost_partition() => lost.push(*partition),
                Err(error) if error.is_refused() => refused.push((*partition, error)),
                done => done?,
            }
        }
        self.forget(shared, &lost);
        self.take_refused(shared, refused, now);
        Ok(())
    }

    /// Drops partitions that belong to another worker now.
    fn forget(&mut self, shared: &Shared, lost: &[i32]) {
        for partition in lost {
            self.owned.remove(partition);
            shared.status.remove_partition(*partition);
        }
    }

    fn take_waiting(&mut self, shared: &Shared, now: Now) -> Result<(), IngestError> {
        let due: Vec<i32> = self.waiting.iter().filter(|(_, at)| **at <= now.ticks).map(|(p, _)| *p).collect();
        for partition in due {
            if shared.stop.is_requested() {
                return Ok(());
            }
            let task = format!("partition {partition}");
            match Owned::take(shared, partition, now) {
                Ok(owned) => {
                    shared.status.recovered(&task);
                    shared.status.set_partition(owned.report(shared));
                    self.owned.insert(partition, owned);
                    self.waiting.remove(&partition);
                }
                Err(error) if error.is_lost_partition() => {
                    self.waiting.remove(&partition);
                }
                Err(error) if error.is_refused() => self.take_refused(shared, vec![(partition, error)], now),
                Err(error) if error.retry() => {
                    shared.status.trouble(&task, error.reason(), error.to_string());
                    self.waiting.insert(partition, now.ticks + RETRY);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn report(&self, shared: &Shared) {
        for owned in self.owned.values() {
            shared.status.set_partition(owned.report(shared));
        }
    }
}

/// Under which name it is told that what is sent for a partition is refused.
fn sends(partition: i32) -> String {
    format!("sends of partition {partition}")
}

/// The lane's thread.
pub(super) struct LaneTask {
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    work: LaneWork,
    begun: Instant,
}

impl LaneTask {
    pub(super) fn new(shared: Arc<Shared>, commands: Receiver<Command>) -> Self {
        Self { shared, commands, work: LaneWork::default(), begun: Instant::now() }
    }

    /// Works until the worker is to stop; then cuts once more.
    pub(super) fn run(mut self) -> Result<(), IngestError> {
        match self.work() {
            Ok(()) | Err(IngestError::Stopped) => {}
            Err(error) => return Err(error),
        }
        match self.work.cut(&self.shared, self.now(), true) {
            Err(error) => tracing::warn!(%error, "the last cut was not committed; a restart replays a little more"),
            Ok(()) => self.work.report(&self.shared),
        }
        Ok(())
    }

    fn work(&mut self) -> Result<(), IngestError> {
        while !self.shared.stop.is_requested() {
            self.obey()?;
            self.work.turn(&self.shared, self.now())?;
        }
        Ok(())
    }

    fn now(&self) -> Now {
        Now { ticks: self.begun.elapsed().as_millis() as u64, wall: crate::status::now() }
    }

    /// Takes in commands; waits for one when there is nothing else to do.
    fn obey(&mut self) -> Result<(), IngestError> {
        let idle = self.work.is_resting() || !self.shared.quality.may_read();
        let mut wait = if idle { Duration::from_millis(20) } else { Duration::ZERO };
        loop {
            match self.commands.recv_timeout(wait) {
                Ok(Command::Take(partition)) => self.work.take(partition),
                // `done` is dropped at the end, which gives the partitions back.
                Ok(Command::Release(partitions, _done)) => self.work.release(&self.shared, &partitions, self.now())?,
                Ok(Command::Drain(target)) => self.work.drain(target),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(IngestError::Stopped),
            }
            wait = Duration::ZERO;
        }
    }
}

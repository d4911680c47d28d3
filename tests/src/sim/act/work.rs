//! What a process does in its turn: its lane, its drain, its publisher.

use std::sync::{Arc, Mutex, PoisonError};

use schemas::report::Trouble;
use worker::IngestError;
use worker::ingest::{Drain, LaneWork, Step};
use worker::publish::{PublishError, Publishing};

use crate::sim::process::{Gone, Process, PublishTask};
use crate::sim::run::Sim;
use crate::sim::world::{BROKER, Pid};

impl Sim {
    /// Does something with a process's lane, unless that is busy. Whether it was done.
    pub(super) fn with_lane(
        &self,
        process: &Process,
        work: impl FnOnce(&mut LaneWork) -> Result<(), IngestError>,
    ) -> Option<()> {
        let mut lane = process.lane.try_lock().ok()?;
        let done = work(&mut lane);
        drop(lane);
        match done {
            Ok(()) => {}
            Err(IngestError::Stopped) => self.world().die(process.pid),
            Err(error) => {
                self.world().broken.push(format!("the lane of process {} ended: {error}", process.pid));
                self.world().die(process.pid);
            }
        }
        Some(())
    }

    pub(super) fn turn(&self, pid: Pid, fetch: usize) {
        let process = self.process(pid);
        let mut world = self.world();
        world.lives[pid].fetch = fetch;
        world.time += 1;
        let now = world.now();
        let given = std::mem::take(&mut *process.given.lock().unwrap_or_else(PoisonError::into_inner));
        let mut lost: Vec<i32> = Vec::new();
        lost.extend(given.iter().filter(|partition| world.lives[pid].unlearnt.remove(partition)));
        drop(world);
        let done = self.with_lane(&process, |lane| {
            if !lost.is_empty() {
                lane.release(&process.shared, &lost, now)?;
            }
            for partition in &given {
                lane.take(*partition);
            }
            lane.turn(&process.shared, now)?;
            look_at_drain(&process, lane);
            Ok(())
        });
        self.tell_left(&process, "partition", "recovery: a worker left a partition that had a later meaning alone");
        if done.is_none() {
            process.given.lock().unwrap_or_else(PoisonError::into_inner).extend(given);
            self.world().lives[pid].unlearnt.extend(lost);
        }
    }

    /// Whether a bounded run is over.
    pub(super) fn is_drained(&self) -> bool {
        let ends = self.world().bounds.clone();
        let asker = self.member(0).map(|pid| self.process(pid));
        // A question of its own: what the process asks it also has to obey.
        ends.zip(asker).is_some_and(|(ends, asker)| matches!(Drain::new(ends).look(&asker.shared), Step::Done))
    }

    pub(super) fn publish(&self, pid: Pid, count: usize, commits: bool) {
        let process = self.process(pid);
        let Some(Ok(mut task)) = process.publisher.as_ref().map(Mutex::try_lock) else { return };
        let done = self.publish_once(pid, &mut task, count, commits);
        drop(task);
        self.tell_left(&process, "output", "recovery: a publisher stood still where a later meaning began");
        match done {
            Ok(()) => {}
            Err(PublishError::Stopped) => self.world().die(pid),
            Err(error) => {
                self.world().broken.push(format!("the publisher of process {pid} ended: {error}"));
                self.world().die(pid);
            }
        }
    }

    /// Counts that a process has met a meaning of which it does not know.
    fn tell_left(&self, process: &Process, what: &str, recovery: &str) {
        let may_meet = self.world().revised.is_some() && process.shared.previous.is_none();
        let met = |trouble: &Trouble| trouble.reason == "NewerMeaning" && trouble.message.starts_with(what);
        if may_meet && process.shared.status.report().troubles.iter().any(met) {
            self.world().tally.count(recovery);
        }
    }

    fn publish_once(&self, pid: Pid, task: &mut PublishTask, count: usize, commits: bool) -> Result<(), PublishError> {
        let publisher = &task.publisher;
        if task.taken_up.is_none() {
            let taken_up = Publishing::take_up(publisher)?;
            let starts = taken_up.starts().into_iter().map(|(output, at)| (output, at.0 as usize)).collect();
            task.taken_up = Some((taken_up, starts));
        }
        let Some((publishing, places)) = task.taken_up.as_mut() else { return Ok(()) };
        for (output, place) in places {
            for _ in 0..count {
                self.before(pid, "take in").map_err(|Gone| PublishError::Stopped)?;
                let Some(message) = self.message(*output, *place) else { break };
                publishing.take_in(publisher, *output, *place as i64, &message)?;
                *place += 1;
            }
        }
        publishing.write_complete(publisher)?;
        if commits {
            publishing.commit(publisher);
        }
        self.expect_alive(pid).map_err(|Gone| PublishError::Stopped)
    }

    fn message(&self, output: i32, place: usize) -> Option<Arc<Vec<u8>>> {
        let world = self.world();
        world.outputs[output as usize].get(place).filter(|_| !world.is_away(BROKER)).cloned()
    }
}

fn look_at_drain(process: &Process, lane: &mut LaneWork) {
    let mut drain = process.drain.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Step::Order(target)) = drain.as_mut().map(|drain| drain.look(&process.shared)) {
        lane.drain(target);
    }
}

//! How processes and runs come to their end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::sim::domain::START;
use crate::sim::process::PublishTask;
use crate::sim::run::Sim;
use crate::sim::world::Pid;

/// Rounds after which an undisturbed end must have come.
const PATIENCE: usize = 400;

impl Sim {
    /// Ends a process as SIGTERM does: the last cut, then away.
    pub(super) fn stop(&self, pid: Pid) {
        let process = self.process(pid);
        let now = self.world().now();
        let cut = self.with_lane(&process, |lane| lane.cut(&process.shared, now, true));
        if cut.is_some()
            && let Some(Ok(mut task)) = process.publisher.as_ref().map(Mutex::try_lock)
            && let PublishTask { publisher, taken_up: Some((publishing, _)) } = &mut *task
        {
            publishing.commit(publisher);
        }
        self.world().die(pid);
    }

    /// No more records will come.
    pub(super) fn finish(&self) {
        let mut world = self.world();
        if world.bounds.is_some() {
            return;
        }
        world.end_before();
        for source in &mut world.sources {
            source.visible = source.entries.len();
        }
        let last = world.sources.iter().filter_map(|source| source.entries.last()).map(|entry| entry.log_time).max();
        world.clock = world.clock.max(last.unwrap_or(START));
        let ends = (0..).zip(world.sources.iter().map(|source| source.ends().stable.0));
        world.bounds = Some(ends.collect());
        drop(world);
        for slot in self.members() {
            if let Some(pid) = self.member(slot) {
                self.stop(pid);
            }
            self.start(slot);
        }
    }

    /// Everything goes well from here on: the zombies find their end, and what is left is read, drained and published.
    pub(in crate::sim) fn conclude(&self) {
        self.world().lives.iter_mut().for_each(|life| life.fuses.clear());
        while self.world().stray(0) {}
        let count = self.world().lives.len();
        for pid in 0..count {
            if self.zombie(0).is_some_and(|_| self.is_zombie(pid)) {
                (0..3).for_each(|_| self.turn(pid, 50));
                self.learn(pid);
            }
        }
        self.finish();
        for round in 0..PATIENCE {
            self.revive();
            for slot in self.members() {
                self.with_member(slot, |pid| self.turn(pid, 50));
            }
            self.with_member(0, |pid| self.publish(pid, 1000, true));
            self.world().clock += 2000;
            if self.is_drained() && self.is_published() {
                return self.world().tally.count(if round < 20 { "ended soon" } else { "ended late" });
            }
            if !self.world().broken.is_empty() {
                return;
            }
        }
        self.world().broken.push("the run does not come to its end".to_owned());
    }

    /// Somebody has every partition, and somebody publishes.
    fn revive(&self) {
        let owners: Vec<Option<usize>> = {
            let world = self.world();
            (0..world.sources.len() as i32).map(|partition| world.group.owner.get(&partition).copied()).collect()
        };
        if self.member(0).is_none() {
            self.start(0);
        }
        for (partition, owner) in owners.into_iter().enumerate() {
            match owner {
                Some(slot) if self.member(slot).is_some() => {}
                Some(slot) => self.start(slot),
                None => self.hand_over(partition as i32, None, 0, true),
            }
        }
    }

    fn is_published(&self) -> bool {
        let ends: BTreeMap<i32, i64> =
            (0..).zip(self.world().outputs.iter().map(|output| output.len() as i64)).collect();
        let Some(pid) = self.member(0) else { return false };
        let process = self.process(pid);
        let Some(Ok(task)) = process.publisher.as_ref().map(Mutex::try_lock) else { return false };
        task.taken_up.as_ref().is_some_and(|(publishing, _)| publishing.is_past(&ends))
    }
}

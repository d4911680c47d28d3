//! What the consumer group does: it deals partitions, lets sessions expire, takes members back; and the topic grows.

use std::sync::PoisonError;

use stream_core::EventTime;

use crate::sim::log;
use crate::sim::run::Sim;
use crate::sim::world::{Pid, Revised, Source};

/// Most source partitions.
const MOST_PARTITIONS: usize = 5;

impl Sim {
    /// Deals the partitions anew among the living members.
    pub(in crate::sim) fn rebalance(&self, deal: usize, misses_deadline: bool) {
        let members = self.members();
        if members.is_empty() {
            return;
        }
        let count = self.world().sources.len();
        for partition in 0..count {
            let to = members[(deal + partition * (1 + deal / 7)) % members.len()];
            let from = self.world().group.owner.get(&(partition as i32)).copied();
            if from != Some(to) {
                self.hand_over(partition as i32, from, to, misses_deadline);
            }
        }
    }

    pub(super) fn hand_over(&self, partition: i32, from: Option<usize>, to: usize, misses_deadline: bool) {
        if let Some(old) = from.and_then(|slot| self.member(slot)) {
            let process = self.process(old);
            let mut given = process.given.lock().unwrap_or_else(PoisonError::into_inner);
            let unheard = given.iter().position(|given| *given == partition);
            if let Some(index) = unheard {
                given.remove(index);
            }
            drop(given);
            let now = self.world().now();
            let asked = !misses_deadline
                && self.with_lane(&process, |lane| lane.release(&process.shared, &[partition], now)).is_some();
            let mut world = self.world();
            if asked {
                world.tally.count("recovery: a partition was cut and given back");
            } else {
                world.tally.count("fault: a partition was taken away without being asked for");
                world.lives[old].unlearnt.insert(partition);
            }
        }
        // Who was asked may have died of it, and so may others meanwhile.
        self.world().group.deal(partition, Some(to));
        if let Some(new) = self.member(to) {
            self.process(new).given.lock().unwrap_or_else(PoisonError::into_inner).push(partition);
        }
    }

    /// The session of a slot ends.
    pub(super) fn expire(&self, slot: usize) {
        let Some(pid) = self.world().group.members.remove(&slot) else { return };
        let orphans: Vec<i32> = {
            let mut world = self.world();
            let of_slot = world.group.owner.iter().filter(|(_, owner)| **owner == slot);
            let orphans: Vec<i32> = of_slot.map(|(partition, _)| *partition).collect();
            for partition in &orphans {
                world.group.deal(*partition, None);
            }
            world.lives[pid].unlearnt.extend(&orphans);
            orphans
        };
        let others = self.members();
        for (index, partition) in orphans.into_iter().enumerate() {
            if !others.is_empty() {
                self.hand_over(partition, None, others[index % others.len()], true);
            }
        }
    }

    /// A zombie hears of what it lost, and joins again unless it has a successor.
    pub(super) fn learn(&self, pid: Pid) {
        let process = self.process(pid);
        let lost: Vec<i32> = self.world().lives[pid].unlearnt.iter().copied().collect();
        let now = self.world().now();
        if self.with_lane(&process, |lane| lane.release(&process.shared, &lost, now)).is_none() {
            return;
        }
        let mut world = self.world();
        for partition in &lost {
            world.lives[pid].unlearnt.remove(partition);
        }
        let slot = world.lives[pid].slot;
        let reads_on = world.bounds.is_some() && process.drain.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        match world.group.members.get(&slot) {
            Some(member) if *member != pid => world.die(pid),
            None if reads_on => world.die(pid),
            Some(_) => {}
            None if world.lives[pid].dead => {}
            None => {
                world.tally.count("recovery: one that had lost its place joined again");
                world.group.members.insert(slot, pid);
                // What was dealt to its place while it had none.
                let dealt =
                    world.group.owner.iter().filter(|(_, owner)| **owner == slot).map(|(partition, _)| *partition);
                process.given.lock().unwrap_or_else(PoisonError::into_inner).extend(dealt);
            }
        }
    }

    /// One that lives and is not what it thinks it is.
    pub(super) fn zombie(&self, which: usize) -> Option<Pid> {
        let world = self.world();
        let wrong = |pid: &Pid| {
            let life = &world.lives[*pid];
            !life.dead && (!life.unlearnt.is_empty() || world.group.members.get(&life.slot) != Some(pid))
        };
        let zombies: Vec<Pid> = (0..world.lives.len()).filter(wrong).collect();
        (!zombies.is_empty()).then(|| zombies[which % zombies.len()])
    }

    pub(super) fn is_zombie(&self, pid: Pid) -> bool {
        let world = self.world();
        let life = &world.lives[pid];
        !life.dead && (!life.unlearnt.is_empty() || world.group.members.get(&life.slot) != Some(&pid))
    }

    /// The topic gets one more partition, which counts from the start of the first window behind everything that is known. As the
    /// operator does it: workers are started anew with the boundary first, and none that does not know of it is left.
    pub(super) fn grow(&self, which: usize) {
        let mut world = self.world();
        let partition = world.sources.len();
        // One change at a time: while workers are started with another meaning the topic does not grow.
        let is_rolling = world.revised.as_ref().is_some_and(|revised| revised.slots.len() < self.workers);
        if world.bounds.is_some() || partition >= MOST_PARTITIONS || is_rolling {
            return;
        }
        let last = world.epochs.last().map_or(EventTime::NEVER, |(from, _)| *from);
        let until = world.revised.as_ref().map_or(EventTime::NEVER, Revised::until);
        let domain = world.revised.as_ref().map_or(&self.domain, |revised| &revised.domain).clone();
        let newest = world.newest(domain.params.max_future_skew);
        let boundary = domain.program.windows.of(newest).end.max(last).max(until);
        let entries = log::draw(&self.domain, self.seed, partition, self.records / 2 + 1, boundary.0);
        world.sources.push(Source { entries, low: 0, gone: 0, visible: 0 });
        world.epochs.retain(|(from, _)| *from != boundary);
        world.epochs.push((boundary, partition + 1));
        let lives = world.lives.len();
        (0..lives).for_each(|pid| world.die(pid));
        drop(world);
        (0..self.workers).for_each(|slot| self.start(slot));
        self.rebalance(which, false);
    }
}

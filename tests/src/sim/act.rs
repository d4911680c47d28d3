//! What each action of a script does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use worker::IngestError;
use worker::ingest::{Drain, LaneWork, Step};
use worker::publish::{PublishError, Publishing};

use super::domain::START;
use super::process::{Gone, Process, PublishTask};
use super::run::Sim;
use super::script::{Action, Verb};
use super::world::{BROKER, Fuse, Pid, REGISTRY, STORE};

/// Rounds after which an undisturbed end must have come.
const PATIENCE: usize = 400;

impl Sim {
    pub(super) fn happens(&self, Action { verb, who, n, m }: Action) {
        let slot = who % self.workers;
        if verb.is_fault() {
            self.world().tally.count(&format!("fault: {}", verb.name()));
        }
        match verb {
            Verb::Produce => self.produce(who, n),
            Verb::Tick => self.world().clock += n as i64 * 100,
            Verb::Turn => self.with_member(slot, |pid| self.turn(pid, n)),
            Verb::Publish => self.with_member(0, |pid| self.publish(pid, n, m % 2 == 1)),
            Verb::Deliver => self.with_member(slot, |pid| self.deliver(pid, n)),
            Verb::Rebalance => self.rebalance(n, m % 2 == 1),
            Verb::Kill => self.with_member(slot, |pid| self.world().die(pid)),
            Verb::Start => self.start_missing(slot),
            Verb::Stop => self.with_member(slot, |pid| self.stop(pid)),
            Verb::CrashBefore => self.fuse(slot, n, Fuse::Before),
            Verb::CrashAfter => self.fuse(slot, n, Fuse::After),
            Verb::CrashAmid => self.fuse(slot, n, Fuse::Amid(m)),
            Verb::PauseAt => self.fuse(slot, n, Fuse::Pause(m)),
            Verb::LoseAck => self.fuse(slot, n, Fuse::LoseAck),
            Verb::Refuse => self.fuse(slot, n, Fuse::Refuse),
            Verb::Expire => self.expire(slot),
            Verb::Zombie => {
                if let Some(pid) = self.zombie(who) {
                    self.turn(pid, n);
                    self.publish(pid, n, m % 2 == 1);
                }
            }
            Verb::Learn => {
                if let Some(pid) = self.zombie(who) {
                    self.learn(pid);
                }
            }
            Verb::Stray => (0..n).for_each(|_| {
                self.world().stray(who);
            }),
            Verb::Duplicate => self.duplicate(who, n),
            Verb::BrokerAway => self.away(BROKER, n),
            Verb::RegistryAway => self.away(REGISTRY, n),
            Verb::StoreAway => self.away(STORE, n),
            Verb::LoseVolume => self.world().disks[slot].lose(),
            Verb::StaleVolume => self.world().disks[slot].roll_back(n),
            Verb::TearVolume => self.world().disks[slot].tear(n),
            Verb::SpoilVolume => self.world().disks[slot].spoil(n, m),
            Verb::LoseTables => self.lose_tables(),
            Verb::Finish => self.finish(),
        }
    }

    /// The volume of the worker that publishes is lost. Whoever still worked on it does not any more.
    fn lose_tables(&self) {
        let mut world = self.world();
        let on_it: Vec<Pid> = (0..world.lives.len()).filter(|pid| world.lives[*pid].slot == 0).collect();
        for pid in on_it {
            world.die(pid);
        }
        world.files.clear();
        world.disks[0].lose();
    }

    fn with_member(&self, slot: usize, act: impl FnOnce(Pid)) {
        if let Some(pid) = self.member(slot) {
            act(pid);
        }
    }

    /// The living member of a slot.
    fn member(&self, slot: usize) -> Option<Pid> {
        let world = self.world();
        world.group.members.get(&slot).copied().filter(|pid| !world.lives[*pid].dead)
    }

    fn start_missing(&self, slot: usize) {
        if self.member(slot).is_none() {
            self.start(slot);
        }
    }

    fn members(&self) -> Vec<usize> {
        (0..self.workers).filter(|slot| self.member(*slot).is_some()).collect()
    }

    /// One that lives and is not what it thinks it is.
    fn zombie(&self, which: usize) -> Option<Pid> {
        let world = self.world();
        let wrong = |pid: &Pid| {
            let life = &world.lives[*pid];
            !life.dead && (!life.unlearnt.is_empty() || world.group.members.get(&life.slot) != Some(pid))
        };
        let zombies: Vec<Pid> = (0..world.lives.len()).filter(wrong).collect();
        (!zombies.is_empty()).then(|| zombies[which % zombies.len()])
    }

    fn produce(&self, partition: usize, count: usize) {
        let mut world = self.world();
        if world.bounds.is_some() {
            return;
        }
        let partition = partition % world.sources.len();
        let source = &mut world.sources[partition];
        source.visible = (source.visible + count).min(source.entries.len());
        let last = source.visible.checked_sub(1).map(|last| source.entries[last].log_time);
        world.clock = last.unwrap_or(START).max(world.clock);
    }

    fn away(&self, what: usize, count: usize) {
        let mut world = self.world();
        world.away[what] = world.time + count;
    }

    fn fuse(&self, slot: usize, count: usize, fuse: Fuse) {
        if let Some(pid) = self.member(slot) {
            self.world().lives[pid].fuses.push((count, fuse));
        }
    }

    fn deliver(&self, pid: Pid, count: usize) {
        let mut world = self.world();
        if !world.is_away(BROKER) {
            world.deliver(pid, count);
        }
    }

    fn duplicate(&self, output: usize, back: usize) {
        let mut world = self.world();
        let count = world.outputs.len();
        let topic = &mut world.outputs[output % count];
        if let Some(message) = topic.len().checked_sub(1 + back).map(|index| topic[index].clone()) {
            topic.push(message);
        }
    }

    /// Does something with a process's lane, unless that is busy. Whether it was done.
    fn with_lane(&self, process: &Process, work: impl FnOnce(&mut LaneWork) -> Result<(), IngestError>) -> Option<()> {
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

    fn turn(&self, pid: Pid, fetch: usize) {
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
        if done.is_none() {
            process.given.lock().unwrap_or_else(PoisonError::into_inner).extend(given);
            self.world().lives[pid].unlearnt.extend(lost);
        }
    }

    /// Whether a bounded run is over.
    fn is_drained(&self) -> bool {
        let ends = self.world().bounds.clone();
        let asker = self.member(0).map(|pid| self.process(pid));
        // A question of its own: what the process asks it also has to obey.
        ends.zip(asker).is_some_and(|(ends, asker)| matches!(Drain::new(ends).look(&asker.shared), Step::Done))
    }

    fn publish(&self, pid: Pid, count: usize, commits: bool) {
        let process = self.process(pid);
        let Some(Ok(mut task)) = process.publisher.as_ref().map(Mutex::try_lock) else { return };
        let done = self.publish_once(pid, &mut task, count, commits);
        drop(task);
        match done {
            Ok(()) => {}
            Err(PublishError::Stopped) => self.world().die(pid),
            Err(error) => {
                self.world().broken.push(format!("the publisher of process {pid} ended: {error}"));
                self.world().die(pid);
            }
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

    /// Deals the partitions anew among the living members.
    pub(super) fn rebalance(&self, deal: usize, misses_deadline: bool) {
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

    fn hand_over(&self, partition: i32, from: Option<usize>, to: usize, misses_deadline: bool) {
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
    fn expire(&self, slot: usize) {
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
    fn learn(&self, pid: Pid) {
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
            }
        }
    }

    /// Ends a process as SIGTERM does: the last cut, then away.
    fn stop(&self, pid: Pid) {
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
    fn finish(&self) {
        let mut world = self.world();
        if world.bounds.is_some() {
            return;
        }
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
    pub(super) fn conclude(&self) {
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

    fn is_zombie(&self, pid: Pid) -> bool {
        let world = self.world();
        let life = &world.lives[pid];
        !life.dead && (!life.unlearnt.is_empty() || world.group.members.get(&life.slot) != Some(&pid))
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

fn look_at_drain(process: &Process, lane: &mut LaneWork) {
    let mut drain = process.drain.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Step::Order(target)) = drain.as_mut().map(|drain| drain.look(&process.shared)) {
        lane.drain(target);
    }
}

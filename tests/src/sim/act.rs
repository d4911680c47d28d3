//! What each action of a script does.

mod change;
mod end;
mod group;
mod work;

use super::domain::START;
use super::run::Sim;
use super::script::{Action, Verb};
use super::world::{BROKER, Fuse, Pid, REGISTRY, STORE};

/// Into so many parts a log is taken of which some are lost.
const PARTS: usize = 28;

impl Sim {
    pub(super) fn happens(&self, Action { verb, who, n, m }: Action) {
        let slot = who % self.workers;
        if verb.is_fault() {
            let mut world = self.world();
            world.tally.count(&format!("fault: {}", verb.name()));
            if world.is_changing() {
                world.tally.count(&format!("fault in a change: {}", verb.name()));
            }
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
            Verb::Grow => self.grow(who),
            Verb::Revise => self.revise(n, m % 2 == 1),
            Verb::Roll => self.roll(who, m % 2 == 1),
            Verb::Finish => self.finish(),
            Verb::Trim => self.trim(who, n),
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

    fn produce(&self, partition: usize, count: usize) {
        let mut world = self.world();
        if world.bounds.is_some() {
            return;
        }
        let partition = partition % world.sources.len();
        let withheld = world.withheld();
        let source = &mut world.sources[partition];
        source.show(count, withheld);
        let last = source.visible.checked_sub(1).map(|last| source.entries[last].log_time);
        world.clock = last.unwrap_or(START).max(world.clock);
    }

    /// What was never committed has nothing to lose: whoever begins, begins at what is there.
    fn trim(&self, partition: usize, count: usize) {
        let mut world = self.world();
        let partition = partition % world.sources.len();
        if world.group.commits.contains_key(&(partition as i32)) && world.sources[partition].lose(count + 1, PARTS) {
            world.tally.count("loss: a log lost its beginning");
        }
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
}

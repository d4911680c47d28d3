//! One run: the script is played on one thread, in an order that follows from it alone.
//!
//! A process that stands still in the middle of an effect, or waits there for something that is away, lets the rest of the
//! script go on from inside that effect; so pauses and waits happen at every point of the production code without a second
//! thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use schemas::wire::pieces::Joiner;
use stream_core::EventTime;

use super::disk::Disk;
use super::domain::{Domain, START};
use super::mutant::Mutant;
use super::process::{Gone, Process};
use super::script::{Action, Script};
use super::tally::Tally;
use super::world::{Fuse, Group, Life, Pid, Source, World};
use super::{log, oracle};

/// In one seed of so many the published files are decoded again; in the others their bytes are compared.
const THOROUGH: u64 = 8;

/// A world and the processes in it.
pub struct Sim {
    /// The pipeline as it is at first.
    pub domain: Arc<Domain>,
    /// Which one it is.
    pub(super) kind: usize,
    /// Virtual milliseconds between cuts.
    pub cut: u64,
    /// Most bytes of a message of the partials topic.
    pub most: usize,
    /// What the logs follow from.
    pub(super) seed: u64,
    /// Records of each of the first partitions.
    pub(super) records: usize,
    /// The law that is broken on purpose.
    pub mutant: Option<Mutant>,
    pub(super) workers: usize,
    me: Weak<Self>,
    world: Mutex<World>,
    processes: Mutex<Vec<Arc<Process>>>,
    script: Mutex<VecDeque<Action>>,
}

/// What came out of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What broke a law; empty when all is well.
    pub broken: Vec<String>,
    /// What was met.
    pub tally: Tally,
}

/// Plays a script.
pub fn play(script: &Script, mutant: Option<Mutant>) -> Outcome {
    let sim = Sim::new(script, mutant);
    (0..sim.workers).for_each(|slot| sim.start(slot));
    sim.rebalance(0, false);
    while sim.next() {}
    sim.conclude();
    sim.processes().clear();
    let mut world = sim.world();
    oracle::judge(&mut world, script.seed.is_multiple_of(THOROUGH));
    Outcome { broken: std::mem::take(&mut world.broken), tally: std::mem::take(&mut world.tally) }
}

impl Sim {
    fn new(script: &Script, mutant: Option<Mutant>) -> Arc<Self> {
        let partitions = script.partitions;
        let domain = Domain::of(script.kind, partitions);
        let source = |partition: usize| {
            let entries = log::draw(&domain, script.seed, partition, script.records, START);
            let first = entries.first().map_or(0, |entry| entry.offset);
            Source { entries, low: if script.seed.is_multiple_of(2) { 0 } else { first }, gone: 0, visible: 0 }
        };
        let world = World {
            clock: START,
            sources: (0..partitions).map(source).collect(),
            epochs: vec![(EventTime::NEVER, partitions)],
            group: Group::default(),
            outputs: vec![Vec::new(); domain.plan.partials_partitions as usize],
            joiners: std::iter::repeat_with(Joiner::default).take(domain.plan.partials_partitions as usize).collect(),
            sealed: BTreeMap::new(),
            fenced: BTreeMap::new(),
            letters: std::collections::BTreeSet::new(),
            lost: BTreeMap::new(),
            publish_commits: BTreeMap::new(),
            files: BTreeMap::new(),
            disks: std::iter::repeat_with(Disk::default).take(script.workers).collect(),
            lives: Vec::new(),
            strays: VecDeque::new(),
            time: 0,
            away: [0; 3],
            bounds: None,
            tally: Tally::default(),
            broken: Vec::new(),
            domain: domain.clone(),
            revised: None,
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            domain,
            kind: script.kind,
            cut: script.cut,
            most: if script.most == 0 { usize::MAX } else { script.most },
            seed: script.seed,
            records: script.records,
            mutant,
            workers: script.workers,
            world: Mutex::new(world),
            processes: Mutex::default(),
            script: Mutex::new(script.actions.iter().copied().collect()),
        })
    }

    /// The world, until the guard is dropped. Never held while a process works.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn processes(&self) -> MutexGuard<'_, Vec<Arc<Process>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn process(&self, pid: Pid) -> Arc<Process> {
        self.processes()[pid].clone()
    }

    /// An effect of a process begins: here it may die or stand still.
    pub fn before(&self, pid: Pid, effect: &str) -> Result<(), Gone> {
        self.expect_alive(pid)?;
        let kind = |fuse: &Fuse| matches!(fuse, Fuse::Before | Fuse::After | Fuse::Pause(_));
        let mut world = self.world();
        match world.burn(pid, kind) {
            Some(Fuse::Before) => {
                world.tally.count(&format!("fault: crash before {effect}"));
                world.die(pid);
                return Err(Gone);
            }
            Some(Fuse::After) => {
                world.tally.count(&format!("fault: crash after {effect}"));
                world.lives[pid].dies_after = true;
            }
            Some(Fuse::Pause(count)) => {
                world.tally.count(&format!("fault: pause at {effect}"));
                drop(world);
                for _ in 0..count {
                    self.next();
                }
                return self.expect_alive(pid);
            }
            _ => {}
        }
        Ok(())
    }

    /// An effect of a process is done.
    pub fn after(&self, pid: Pid) -> Result<(), Gone> {
        let mut world = self.world();
        if std::mem::take(&mut world.lives[pid].dies_after) {
            world.die(pid);
        }
        drop(world);
        self.expect_alive(pid)
    }

    /// Whether the process still is.
    pub fn expect_alive(&self, pid: Pid) -> Result<(), Gone> {
        if self.world().lives[pid].dead { Err(Gone) } else { Ok(()) }
    }

    /// The next action of the script happens; false when there is none left, and then nothing is away any more.
    pub fn next(&self) -> bool {
        let action = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.world().time += 1;
        match action {
            Some(action) => self.happens(action),
            None => self.world().away = [0; 3],
        }
        action.is_some()
    }

    /// A new process of worker `slot`, which is the member from now on.
    pub(super) fn start(&self, slot: usize) {
        let me = self.me.upgrade().expect("somebody holds it who calls it");
        let stop = worker::stop::Stop::hurried();
        let pid = self.world().lives.len();
        let is_new = self.world().revised.as_ref().is_some_and(|revised| revised.slots.contains(&slot));
        self.world().lives.push(Life { slot, is_new, stop: stop.clone(), ..Life::default() });
        let process = Arc::new(Process::new(&me, pid, slot, &stop));
        let mut world = self.world();
        world.group.members.insert(slot, pid);
        world.disks[slot].attached = Some(pid);
        let given = world.group.owner.iter().filter(|(_, owner)| **owner == slot).map(|(partition, _)| *partition);
        process.given.lock().unwrap_or_else(PoisonError::into_inner).extend(given);
        drop(world);
        self.processes().push(process);
    }
}

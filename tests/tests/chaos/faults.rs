//! What goes wrong, in an order that follows from the seed, and how long it takes until all is well again.
//!
//! All is well when every partition is committed up to where its log was when the fault struck. Some faults strike before
//! the one before them is over.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::figures::Figures;
use crate::slots::Slot;
use crate::world::{PATIENCE, World};

/// Worker slots; three of them run at the beginning.
const SLOTS: usize = 5;
const AT_FIRST: usize = 3;
/// Longer than the session timeout of the workers.
const FROZEN: Duration = Duration::from_secs(9);
/// How long something is away.
const AWAY: Duration = Duration::from_secs(2);
/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    KillWorker,
    KillBroker,
    LoseVolume,
    AddWorker,
    RemoveWorker,
    Freeze,
    DiskFull,
    RegistryAway,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::KillWorker,
        Self::KillBroker,
        Self::LoseVolume,
        Self::AddWorker,
        Self::RemoveWorker,
        Self::Freeze,
        Self::DiskFull,
        Self::RegistryAway,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill -9 of a worker",
            Self::KillBroker => "kill -9 of the broker",
            Self::LoseVolume => "a worker's volume lost",
            Self::AddWorker => "a worker added",
            Self::RemoveWorker => "a worker removed",
            Self::Freeze => "a worker frozen, then thawed",
            Self::DiskFull => "disk full",
            Self::RegistryAway => "registry away",
        }
    }
}

/// The faults of one run.
pub struct Chaos<'a> {
    world: &'a mut World,
    rng: ChaCha8Rng,
    slots: Vec<Slot>,
    figures: Figures,
    /// Every kind comes before one comes again.
    deck: Vec<Fault>,
}

impl<'a> Chaos<'a> {
    /// Starts the workers.
    pub fn new(world: &'a mut World, seed: u64) -> Result<Self> {
        let (folder, volumes) = (world.path("workers"), world.path("disk/volumes"));
        let slots = (0..SLOTS).map(|number| Slot::new(number, &folder, &volumes)).collect::<Result<Vec<_>>>()?;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut chaos = Self { world, rng, slots, figures: Figures::default(), deck: Vec::new() };
        for slot in &mut chaos.slots[..AT_FIRST] {
            slot.start(&chaos.world.manifest)?;
        }
        Ok(chaos)
    }

    /// Lets so many things go wrong while the log grows.
    pub fn run(&mut self, faults: u64) -> Result<()> {
        // About as long as the faults take, six to eight seconds each.
        let rate = self.world.events() / (faults * 7).max(1);
        self.world.feed(rate.max(1000));
        for number in 0..faults {
            let fault = self.draw();
            eprintln!("chaos: {number}: {}{}", fault.name(), if self.world.is_fed() { " (log complete)" } else { "" });
            self.figures.struck(fault.name());
            let begun = self.strike(fault)?;
            if self.rng.random_bool(0.7) {
                self.await_recovery()?;
                self.figures.recovered(fault.name(), begun.elapsed());
            }
        }
        Ok(())
    }

    /// Waits for the end of the log, ends the workers, closes what is open.
    pub fn finish(mut self) -> Result<Figures> {
        self.world.await_log()?;
        self.await_recovery()?;
        for slot in &mut self.slots {
            slot.terminate()?;
        }
        self.world.drain()?;
        Ok(self.figures)
    }

    fn draw(&mut self) -> Fault {
        let running = self.slots.iter().filter(|slot| slot.is_running()).count();
        loop {
            if self.deck.is_empty() {
                self.deck.extend(Fault::ALL);
                self.deck.shuffle(&mut self.rng);
            }
            match self.deck.pop() {
                Some(Fault::AddWorker) if running == SLOTS => {}
                Some(Fault::RemoveWorker) if running == 1 => {}
                Some(fault) => return fault,
                None => {}
            }
        }
    }

    /// A worker that runs.
    fn victim(&mut self) -> usize {
        let running: Vec<usize> = (0..SLOTS).filter(|slot| self.slots[*slot].is_running()).collect();
        *running.choose(&mut self.rng).expect("one is always running")
    }

    /// Does it, and undoes what has to be undone; when that was done.
    fn strike(&mut self, fault: Fault) -> Result<Instant> {
        let victim = self.victim();
        match fault {
            Fault::KillWorker => self.replace(victim)?,
            Fault::LoseVolume => {
                self.slots[victim].kill()?;
                self.slots[victim].lose_volume()?;
                self.slots[victim].start(&self.world.manifest)?;
            }
            Fault::KillBroker => {
                self.world.kafka.kill()?;
                sleep(Duration::from_millis(self.rng.random_range(0..1500)));
                self.world.kafka.restart()?;
            }
            Fault::AddWorker => {
                let slot = self.slots.iter_mut().find(|slot| !slot.is_running());
                slot.map_or(Ok(()), |slot| slot.start(&self.world.manifest))?;
            }
            Fault::RemoveWorker => {
                // The last one first, as a stateful set does; the first one publishes and stays.
                let slot = self.slots.iter_mut().rev().find(|slot| slot.is_running());
                slot.map_or(Ok(()), Slot::terminate)?;
            }
            Fault::Freeze => {
                self.slots[victim].signal("STOP")?;
                sleep(FROZEN);
                self.slots[victim].signal("CONT")?;
            }
            Fault::DiskFull => {
                self.world.disk.fill()?;
                sleep(AWAY);
                self.world.disk.empty()?;
            }
            Fault::RegistryAway => {
                self.world.door.close();
                // Who starts now has no schema yet.
                self.replace(victim)?;
                sleep(AWAY);
                self.world.open_door()?;
            }
        }
        Ok(Instant::now())
    }

    fn replace(&mut self, slot: usize) -> Result<()> {
        self.slots[slot].kill()?;
        self.slots[slot].start(&self.world.manifest)
    }

    fn await_recovery(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut wanted = None;
        loop {
            // A broker that was just killed may not answer yet.
            if wanted.is_none() {
                wanted = self.world.ends().ok();
            }
            if let (Some(wanted), Ok(committed)) = (&wanted, self.world.committed())
                && wanted.iter().all(|(partition, end)| committed.get(partition).is_some_and(|at| at >= end))
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                let told: Vec<String> = self.slots.iter().map(Slot::tell).collect();
                bail!(
                    "not recovered after {PATIENCE:?}: {:?}, {wanted:?}\n{}",
                    self.world.committed(),
                    told.join("\n")
                );
            }
            sleep(LOOK);
        }
    }
}

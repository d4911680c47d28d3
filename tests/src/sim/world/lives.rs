//! The processes as the world sees them: what they sent and what of it arrives, what will go wrong in them, their end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use worker::stop::Stop;

use super::World;

/// A process, as long as the run lasts.
pub type Pid = usize;

/// A message on its way, or arrived.
#[derive(Clone, Debug)]
pub enum Message {
    /// For an output of the partials topic.
    Partial(usize, Arc<Vec<u8>>),
    /// For the dead-letter topic: partition, offset and reason, and whether its sender knew the new meaning.
    Letter(i32, i64, &'static str, bool),
}

impl Message {
    fn queue(&self) -> usize {
        if let Self::Partial(output, _) = self { *output } else { usize::MAX }
    }
}

/// What is known of a process.
#[derive(Debug, Default)]
pub struct Life {
    /// Ends whatever it waits in.
    pub stop: Stop,
    /// The worker slot that it was started for.
    pub slot: usize,
    /// It was started with the new meaning.
    pub is_new: bool,
    /// It is no more.
    pub dead: bool,
    /// What will go wrong: how many effects to go, and what.
    pub fuses: Vec<(usize, Fuse)>,
    /// It dies when the effect that goes on is done.
    pub dies_after: bool,
    /// Most records of the next read.
    pub fetch: usize,
    /// What it sent and what has not arrived, by output.
    pub in_flight: BTreeMap<usize, VecDeque<Message>>,
    /// Since which deal it has its partitions, as far as it knows.
    pub tenures: BTreeMap<i32, u64>,
    /// The partitions it lost without having been told.
    pub unlearnt: BTreeSet<i32>,
}

/// Something that will go wrong in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuse {
    /// Dies before the effect.
    Before,
    /// Dies after it.
    After,
    /// Dies in a flush, so many records having arrived.
    Amid(usize),
    /// Stands still while so many things happen.
    Pause(usize),
    /// The commit is made and reported as failed.
    LoseAck,
    /// The commit is refused.
    Refuse,
}

impl World {
    /// Up to `count` of what a process sent to each output arrive.
    pub fn deliver(&mut self, pid: Pid, count: usize) {
        let queues = std::mem::take(&mut self.lives[pid].in_flight);
        for (output, mut queue) in queues {
            let now = count.min(queue.len());
            queue.drain(..now).for_each(|message| self.arrive(message));
            if !queue.is_empty() {
                self.lives[pid].in_flight.insert(output, queue);
            }
        }
    }

    /// Puts a message on its way.
    pub fn send(&mut self, pid: Pid, message: Message) {
        self.lives[pid].in_flight.entry(message.queue()).or_default().push_back(message);
    }

    /// A process is no more. Of what it sent some may still arrive.
    pub fn die(&mut self, pid: Pid) {
        let life = &mut self.lives[pid];
        if std::mem::replace(&mut life.dead, true) {
            return;
        }
        life.stop.request();
        let queues = std::mem::take(&mut life.in_flight);
        for (output, mut queue) in queues {
            // How much is on the wire does not matter as long as every amount occurs.
            let kept = self.time.wrapping_add(output) % (queue.len() + 1);
            queue.truncate(kept);
            if !queue.is_empty() {
                self.strays.push_back(queue);
            }
        }
    }

    /// The next stray arrives; false when there is none.
    pub fn stray(&mut self, which: usize) -> bool {
        if self.strays.is_empty() {
            return false;
        }
        let which = which % self.strays.len();
        if let Some(message) = self.strays[which].pop_front() {
            self.arrive(message);
        }
        if self.strays[which].is_empty() {
            self.strays.remove(which);
        }
        true
    }

    /// The first fuse of this kind that has burnt down; the others of this kind get shorter.
    pub fn burn(&mut self, pid: Pid, kind: impl Fn(&Fuse) -> bool) -> Option<Fuse> {
        let fuses = &mut self.lives[pid].fuses;
        let burnt = fuses.iter().position(|(left, fuse)| *left == 0 && kind(fuse));
        for (left, fuse) in fuses.iter_mut() {
            if kind(fuse) {
                *left = left.saturating_sub(1);
            }
        }
        burnt.map(|index| fuses.remove(index).1)
    }
}

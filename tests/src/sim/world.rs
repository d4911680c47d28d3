//! Everything outside of the worker processes: the logs, the group, the topics, the store, and who is away.
//!
//! It keeps true what Kafka keeps true: records of one producer to one partition arrive in the order of their sending, each
//! once unless a fault says otherwise; a commit is taken only from the member that has the partition. And it notes, as a
//! bystander, everything that the laws are about.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use schemas::wire::{Content, Record, Sender};
use stream_core::{Offset, Progress};
use worker::ingest::effects::{Commit, Ends, Now};
use worker::progress::decode;
use worker::publish::Written;
use worker::stop::Stop;

use super::disk::Disk;
use super::domain::{Domain, Entry, START};
use super::tally::Tally;

/// A process, as long as the run lasts.
pub type Pid = usize;

/// A source partition.
#[derive(Debug)]
pub struct Source {
    /// All records it will ever have.
    pub entries: Vec<Entry>,
    /// Where the log begins.
    pub low: i64,
    /// How many records it has now.
    pub visible: usize,
}

impl Source {
    /// The ends of the log. Aborted transactions leave gaps, at its end as well; an open one keeps records back.
    pub fn ends(&self) -> Ends {
        let next = self.entries.get(self.visible).map(|entry| entry.offset);
        let behind = self.visible.checked_sub(1).map_or(self.low, |last| self.entries[last].offset + 1);
        let stable = if self.visible.is_multiple_of(2) { next.unwrap_or(behind + 1) } else { behind };
        let high = if self.visible % 5 == 3 { stable + 2 } else { stable };
        Ends { low: Offset(self.low), stable: Offset(stable), high: Offset(high) }
    }
}

/// A message on its way, or arrived.
#[derive(Clone, Debug)]
pub enum Message {
    /// For an output of the partials topic.
    Partial(usize, Arc<Vec<u8>>),
    /// For the dead-letter topic: partition, offset and reason.
    Letter(i32, i64, &'static str),
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

/// The consumer group and what it has committed.
#[derive(Debug, Default)]
pub struct Group {
    /// The slot that each partition belongs to.
    pub owner: BTreeMap<i32, usize>,
    /// The process that is the member of each slot.
    pub members: BTreeMap<usize, Pid>,
    /// How often each partition changed hands.
    pub deals: BTreeMap<i32, u64>,
    /// What is committed.
    pub commits: BTreeMap<i32, Commit>,
    /// Every decree that was ever committed: partition, position, watermark.
    pub decrees: BTreeMap<(i32, i64), i64>,
}

impl Group {
    /// A partition changes hands.
    pub fn deal(&mut self, partition: i32, to: Option<usize>) {
        *self.deals.entry(partition).or_default() += 1;
        match to {
            Some(slot) => self.owner.insert(partition, slot),
            None => self.owner.remove(&partition),
        };
    }

    /// Whether the broker takes a commit of this process for this partition.
    pub fn has(&self, pid: Pid, partition: i32) -> bool {
        self.owner.get(&partition).is_some_and(|slot| self.members.get(slot) == Some(&pid))
    }
}

/// The outside.
#[derive(Debug)]
pub struct World {
    /// The pipeline.
    pub domain: Arc<Domain>,
    /// Virtual time, milliseconds since the epoch.
    pub clock: i64,
    /// The source topic.
    pub sources: Vec<Source>,
    /// The consumer group.
    pub group: Group,
    /// The partials topic.
    pub outputs: Vec<Vec<Arc<Vec<u8>>>>,
    /// The highest seal of each partition that has arrived at each output.
    pub sealed: BTreeMap<(usize, i32), i64>,
    /// The highest fence of each partition that has arrived at each output.
    pub fenced: BTreeMap<(usize, i32), u64>,
    /// Dead letters that arrived: partition, offset, reason.
    pub letters: BTreeSet<(i32, i64, &'static str)>,
    /// What the publish group has committed.
    pub publish_commits: BTreeMap<i32, (Offset, String)>,
    /// The store: path and bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The volume of each worker.
    pub disks: Vec<Disk>,
    /// The processes.
    pub lives: Vec<Life>,
    /// What dead producers sent and what has not arrived.
    pub strays: VecDeque<VecDeque<Message>>,
    /// How many things have happened.
    pub time: usize,
    /// When the broker, the registry and the store are there again.
    pub away: [usize; 3],
    /// For a bounded run: where it ends.
    pub bounds: Option<BTreeMap<i32, i64>>,
    /// Counts.
    pub tally: Tally,
    /// What broke a law.
    pub broken: Vec<String>,
}

/// Index into [`World::away`].
pub const BROKER: usize = 0;
/// Index into [`World::away`].
pub const REGISTRY: usize = 1;
/// Index into [`World::away`].
pub const STORE: usize = 2;

impl World {
    /// What the clocks say.
    pub fn now(&self) -> Now {
        Now { ticks: (self.clock - START).unsigned_abs(), wall: self.clock }
    }

    /// Whether it is away.
    pub fn is_away(&self, what: usize) -> bool {
        self.time < self.away[what]
    }

    /// A record arrives.
    pub fn arrive(&mut self, message: Message) {
        match message {
            Message::Partial(output, value) => {
                if let Ok(Record { from, content }) = Record::decode(&value) {
                    self.note(output, from, &content);
                }
                self.outputs[output].push(value);
            }
            Message::Letter(partition, offset, reason) => {
                self.letters.insert((partition, offset, reason));
            }
        }
    }

    fn note(&mut self, output: usize, from: Sender, content: &Content) {
        let fenced = self.fenced.entry((output, from.partition)).or_default();
        match content {
            Content::Fence => *fenced = from.incarnation.max(*fenced),
            _ if from.incarnation < *fenced => {
                self.tally.count("recovery: a message of a lower incarnation came after the fence");
            }
            Content::Seal(seal) => {
                let known = self.sealed.entry((output, from.partition)).or_insert(seal.until);
                *known = seal.until.max(*known);
            }
            _ => {}
        }
    }

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

    /// Takes a commit, and notes what it says. Law L5: nothing goes back.
    pub fn commit(&mut self, partition: i32, commit: &Commit) {
        let now = match decode(commit.position, &commit.metadata) {
            Ok(now) => now.progress,
            Err(error) => return self.broken.push(format!("a commit of partition {partition} is unreadable: {error}")),
        };
        if commit.metadata.len() > worker::progress::MOST_BYTES {
            self.broken.push(format!("L8: a commit has {} bytes of metadata", commit.metadata.len()));
        }
        if let Some(before) = self.group.commits.get(&partition)
            && let Ok(before) = decode(before.position, &before.metadata)
        {
            let before = before.progress;
            if let Some(what) = goes_back(&before, &now) {
                self.broken.push(format!("L5: {what} of partition {partition} goes back: {before:?} then {now:?}"));
            }
        }
        if now.decree_pending {
            self.tally.count("recovery: a decree was committed");
        }
        for decree in &now.decrees {
            let known = self.group.decrees.entry((partition, decree.at.0)).or_insert(decree.watermark.0);
            *known = (*known).max(decree.watermark.0);
        }
        self.group.commits.insert(partition, commit.clone());
    }

    /// Writes a file once.
    pub fn create(&mut self, path: &str, bytes: &[u8]) -> Written {
        if self.files.contains_key(path) {
            self.tally.count("recovery: a file was there already");
            return Written::Existed;
        }
        self.note_file(path, bytes);
        self.files.insert(path.to_owned(), bytes.to_vec());
        Written::Created
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

    /// A window's file comes into being. Laws L6 and L7: once, and after every partition has sealed it.
    pub fn note_file(&mut self, path: &str, bytes: &[u8]) {
        let Some(name) = path.rsplit('/').next().filter(|name| path.starts_with("gold/") && name.starts_with("w="))
        else {
            return;
        };
        let prefix = name.rsplit_once('-').map_or(name, |(prefix, _)| prefix);
        let same = |other: &&String| other.rsplit('/').next().is_some_and(|other| other.starts_with(prefix));
        if let Some(other) = self.files.keys().find(same) {
            self.broken.push(format!("L6: '{path}' beside '{other}'"));
        }
        let output = prefix.rsplit_once("-q").and_then(|(_, output)| output.parse::<usize>().ok());
        let (Some(output), Some((_, end))) = (output, super::read::window_of(bytes)) else {
            return self.broken.push(format!("'{path}' does not say which window it is"));
        };
        let early = |partition: &i32| self.sealed.get(&(output, *partition)).is_none_or(|sealed| *sealed < end);
        if let Some(partition) = (0..self.sources.len() as i32).find(early) {
            self.broken.push(format!("L7: '{path}' is written, but partition {partition} has not sealed it"));
        }
    }
}

fn goes_back(before: &Progress, now: &Progress) -> Option<&'static str> {
    [
        (before.position > now.position, "the position"),
        (before.watermark > now.watermark, "the watermark"),
        (before.anchor.offset > now.anchor.offset, "the anchor"),
        (before.incarnation > now.incarnation, "the incarnation"),
    ]
    .into_iter()
    .find_map(|(back, what)| back.then_some(what))
}

//! Everything outside of the worker processes: the logs, the group, the topics, the store, and who is away.
//!
//! It keeps true what Kafka keeps true: records of one producer to one partition arrive in the order of their sending, each
//! once unless a fault says otherwise; a commit is taken only from the member that has the partition. And it notes, as a
//! bystander, everything that the laws are about.

mod group;
mod lives;
mod revised;
mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, Record, Sender};
use stream_core::{EventTime, Loss, Offset, Topology, Window};
use worker::ingest::effects::Now;
use worker::publish::Written;

pub use group::Group;
pub use lives::{Fuse, Life, Message, Pid};
pub use revised::{MEANINGS, Revised};
pub use source::Source;

use super::disk::Disk;
use super::domain::{Domain, START};
use super::tally::Tally;

/// The outside.
#[derive(Debug)]
pub struct World {
    /// The pipeline as it was at first.
    pub domain: Arc<Domain>,
    /// What it means since.
    pub revised: Option<Revised>,
    /// Virtual time, milliseconds since the epoch.
    pub clock: i64,
    /// The source topic.
    pub sources: Vec<Source>,
    /// Its epochs: from which start of a window on how many partitions count.
    pub epochs: Vec<(EventTime, usize)>,
    /// The consumer group.
    pub group: Group,
    /// The partials topic.
    pub outputs: Vec<Vec<Arc<Vec<u8>>>>,
    /// Puts together what arrives there in pieces.
    pub joiners: Vec<Joiner>,
    /// The highest seal of each partition that has arrived at each output, and whether it is one of the new meaning.
    pub sealed: BTreeMap<(usize, i32, bool), i64>,
    /// The highest fence of each partition that has arrived at each output.
    pub fenced: BTreeMap<(usize, i32), u64>,
    /// Dead letters that arrived: partition, offset, reason, and whether the sender knew the new meaning.
    pub letters: BTreeSet<(i32, i64, &'static str, bool)>,
    /// What of its log each partition went on without, as its commits say.
    pub lost: BTreeMap<i32, Vec<Loss>>,
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

    /// What workers are told of the source topic's growth.
    pub fn topology(&self) -> Topology {
        Topology::grown(self.epochs.iter().copied())
    }

    /// Whether it is away.
    pub fn is_away(&self, what: usize) -> bool {
        self.time < self.away[what]
    }

    /// A record arrives.
    pub fn arrive(&mut self, message: Message) {
        match message {
            Message::Partial(output, value) => {
                let (at, joiner) = (self.outputs[output].len() as i64, &mut self.joiners[output]);
                let open = joiner.open().count();
                let taken = joiner.take(at, &value);
                let left = joiner.open().count();
                match taken {
                    Ok(Some(Record { from, content })) => {
                        self.tally.count(match (left < open, &content) {
                            (true, Content::Fence) => {
                                "recovery: a successor's fence ended a record that was sent in part"
                            }
                            (true, _) => "pieces: a record was whole",
                            (false, _) => "pieces: a record came at once",
                        });
                        self.note(output, from, &content);
                    }
                    Ok(None) => self.tally.count("pieces: a piece arrived that completes nothing"),
                    Err(error) => {
                        self.broken.push(format!("L2: a message of the partials topic does not read: {error}"));
                    }
                }
                self.outputs[output].push(value);
            }
            Message::Letter(partition, offset, reason, is_new) => {
                self.letters.insert((partition, offset, reason, is_new));
            }
        }
    }

    fn note(&mut self, output: usize, from: Sender, content: &Content) {
        let is_new = self.revised.as_ref().is_some_and(|revised| revised.domain.plan.revision == from.revision);
        if let Some(revised) = self.revised.as_mut().filter(|_| is_new) {
            revised.begun.insert(output);
        }
        let fenced = self.fenced.entry((output, from.partition)).or_default();
        match content {
            Content::Fence => *fenced = from.incarnation.max(*fenced),
            _ if from.incarnation < *fenced => {
                self.tally.count("recovery: a message of a lower incarnation came after the fence");
            }
            Content::Seal(seal) => {
                let known = self.sealed.entry((output, from.partition, is_new)).or_insert(seal.until);
                *known = seal.until.max(*known);
            }
            _ => {}
        }
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

    /// A window's file comes into being. Laws L6 and L7: once, and after every partition has sealed it.
    pub fn note_file(&mut self, path: &str, bytes: &[u8]) {
        let Some(name) = path.rsplit('/').next().filter(|name| path.starts_with("gold/") && name.starts_with("w="))
        else {
            return;
        };
        if self.bounds.is_none() {
            self.tally.count("recovery: a window was published while the log was open");
        }
        if self.is_changing() {
            self.tally.count("change: a window was published in the middle of it");
        }
        let prefix = name.rsplit_once('-').map_or(name, |(prefix, _)| prefix);
        let same = |other: &&String| other.rsplit('/').next().is_some_and(|other| other.starts_with(prefix));
        if let Some(other) = self.files.keys().find(same) {
            self.broken.push(format!("L6: '{path}' beside '{other}'"));
        }
        let output = prefix.rsplit_once("-q").and_then(|(_, output)| output.parse::<usize>().ok());
        let (Some(output), Some((start, end))) = (output, super::read::window_of(bytes)) else {
            return self.broken.push(format!("'{path}' does not say which window it is"));
        };
        let is_new = self.is_new(start);
        let early = |partition: &i32| self.sealed.get(&(output, *partition, is_new)).is_none_or(|sealed| *sealed < end);
        let needed = self.topology().partitions_of(Window { start: EventTime(start), end: EventTime(end) });
        if let Some(partition) = (0..needed as i32).find(early) {
            self.broken.push(format!("L7: '{path}' is written, but partition {partition} has not sealed it"));
        }
    }
}

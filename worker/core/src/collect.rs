//! The publish machine of one partition of the partials topic: collects what the lanes gave out and completes windows.
//!
//! What it keeps true: a window is handed out once (L6), only when every source partition has sealed past its end (L7) and
//! the parts that arrived are those that the seals name. A message that arrives again changes nothing; one that
//! contradicts what is known stops its window with a [`Divergence`], and nothing is chosen silently. Where the topic does not
//! begin with a partition's first seal, windows that an earlier one may have told of are lost, and never come out in part.

mod held;
mod progress;
mod window;

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::doubts::{Doubts, Lost};
use crate::emission::{ClosedWindow, Partial, Seal};
use crate::error::Error;
use crate::fences::Fences;
use crate::loss::Loss;
use crate::merge::Overflow;
use crate::message::Message;
use crate::program::Program;
use crate::topology::Topology;
use crate::units::{Digest, EventTime, Offset, Partition};
use crate::window::Window;
use held::Held;
use window::{Collecting, State, publish};

pub use progress::CollectorProgress;

/// A complete window, to be written once.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The window.
    pub window: Window,
    /// Grouping columns and measures, sorted by group.
    pub rows: RecordBatch,
    /// Over the rows and the sources, and over what is lost or does not fit if something is.
    pub digest: Digest,
    /// What each source partition contributed, by partition; those that contributed nothing are left out.
    pub sources: Vec<(Partition, ClosedWindow)>,
    /// What the source partitions had lost that it may lack.
    pub lost: Vec<Lost>,
    /// The cells that are null because their value does not fit the column, by measure and row.
    pub overflow: Vec<Overflow>,
}

/// Two facts about one window that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The window, which will not be published.
    pub window: Window,
    /// The source partition.
    pub partition: Partition,
    /// What was known first.
    pub known: String,
    /// What came later.
    pub other: String,
}

/// Collects the partials of one output.
#[derive(Debug)]
pub struct Collector {
    program: Arc<Program>,
    topology: Topology,
    sealed: Vec<EventTime>,
    fences: Fences,
    windows: BTreeMap<Window, Collecting>,
    /// Every window that ends by then is published.
    published_until: EventTime,
    lost_until: EventTime,
    doubts: Doubts,
    /// What came before the first message that was ever taken in may be gone.
    is_cut: bool,
    /// The next message to take in.
    position: Offset,
    /// Nothing is complete before the messages up to here have been taken in again.
    replay_until: Offset,
    divergences: Vec<Divergence>,
    held: Held,
}

impl Collector {
    /// Takes up what `progress` left, of a topic that has always had as many partitions as it names; messages must be taken in
    /// from its anchor on.
    pub fn resume(program: Arc<Program>, progress: &CollectorProgress) -> Self {
        Self::resume_in(program, Topology::of(progress.sealed.len()), progress)
    }

    /// The same for a topic that may have grown, also since `progress` was made.
    pub fn resume_in(program: Arc<Program>, topology: Topology, progress: &CollectorProgress) -> Self {
        let partitions = topology.partitions();
        let (mut sealed, mut incarnations) = (progress.sealed.clone(), progress.incarnations.clone());
        sealed.resize(partitions, EventTime::NEVER);
        incarnations.resize(partitions, 0);
        Self {
            program,
            topology,
            is_cut: progress.is_cut,
            sealed,
            fences: Fences::of(incarnations),
            windows: BTreeMap::new(),
            published_until: progress.published_until,
            lost_until: progress.lost_until,
            doubts: Doubts::of(&progress.doubts),
            position: progress.anchor,
            replay_until: progress.position,
            divergences: Vec::new(),
            held: Held::default(),
        }
    }

    /// The messages that are in pieces of which some are still to come: the source partition and incarnation that send each, and the
    /// offset of its first piece. A restart begins no later than there. To be told after each piece was seen, and before and after the
    /// message that it completes is taken in.
    pub fn hold(&mut self, open: impl Iterator<Item = (Partition, u64, Offset)>) {
        let fences = &self.fences;
        let admitted = open.filter(|(partition, incarnation, _)| fences.admits(*partition, *incarnation));
        self.held.set(admitted.map(|(partition, _, first)| (partition, first)), fences);
    }

    /// A lane took the partition over: what lower incarnations still send is ignored from here on.
    pub fn fence(&mut self, from: Message) {
        self.position = Offset(from.at.0 + 1);
        self.fences.raise(from.partition, from.incarnation);
    }

    /// Whether the message counts: its partition is known, and no fence of a higher incarnation came before it.
    pub fn admits(&self, from: Message) -> bool {
        self.fences.admits(from.partition, from.incarnation)
    }

    /// A partition goes on without records that its log has lost. What it had not sealed by now is void; what it had stands.
    pub fn lost(&mut self, from: Message, loss: &Loss) {
        if !self.admit(from) {
            return;
        }
        if self.is_new(from) {
            self.doubts.tell(from, self.sealed[from.partition.0 as usize], loss);
        }
        for collecting in self.windows.values_mut().filter(|known| !known.closed.contains_key(&from.partition)) {
            collecting.parts.retain(|(partition, _), _| *partition != from.partition);
        }
        // Of these nothing is known any more; what waits to be forgotten stays.
        self.windows.retain(|_, known| known.state != State::Collecting || !known.is_empty());
    }

    /// Takes in a part of a window's state.
    pub fn partial(&mut self, from: Message, partial: Partial) {
        if !self.admit(from) || partial.window.end <= self.published_until {
            return;
        }
        let window = partial.window;
        if self.doubts.stands(from, window) {
            return;
        }
        let collecting = self.collecting(window, from);
        let key = (from.partition, partial.part);
        if collecting.state == State::Published {
            return;
        }
        if let Some(known) = collecting.parts.get(&key) {
            if known.digest != partial.digest {
                let (known, other) = (known.digest.to_string(), partial.digest.to_string());
                self.diverge(window, from.partition, known, other);
            }
            return;
        }
        collecting.parts.insert(key, partial);
    }

    /// Takes in a seal, of which `closed` must name only windows of this output.
    pub fn seal(&mut self, from: Message, seal: &Seal) {
        if !self.admit(from) {
            return;
        }
        // A partition that joined has nothing to tell of the windows before.
        let known = self.sealed[from.partition.0 as usize].max(self.topology.joins(from.partition));
        if known < seal.after && self.published_until < seal.after {
            self.lose(seal.after);
        }
        if self.is_new(from) {
            self.doubts.seal(from, self.sealed[from.partition.0 as usize], seal);
        }
        for closed in &seal.closed {
            if closed.window.end > self.published_until {
                self.close(from, *closed);
                if self.is_cut {
                    self.lose_torn(from.partition, closed);
                }
            }
        }
        let known = &mut self.sealed[from.partition.0 as usize];
        *known = (*known).max(seal.until);
    }

    /// Notes that the messages before `position` have been seen, whatever they were.
    pub fn advance(&mut self, position: Offset) {
        self.position = self.position.max(position);
    }

    /// The windows that are complete, in order. Each must be written and then reported by [`Self::published`].
    pub fn complete(&mut self) -> Result<Vec<Published>, Error> {
        if self.position < self.replay_until {
            return Ok(Vec::new());
        }
        let (sealed, topology) = (&self.sealed, &self.topology);
        let mut published = Vec::new();
        for (window, collecting) in &mut self.windows {
            let needed = &sealed[..topology.partitions_of(*window).min(sealed.len())];
            let is_sealed = needed.iter().all(|sealed| window.end <= *sealed);
            if is_sealed && collecting.state == State::Collecting && collecting.has_all_parts() {
                published.push(publish(&self.program, *window, collecting, self.doubts.named(*window))?);
                collecting.state = State::HandedOut;
            }
        }
        self.forget_published();
        Ok(published)
    }

    /// The window is written: it may be forgotten, once all earlier ones are too.
    pub fn published(&mut self, window: Window) {
        if let Some(collecting) = self.windows.get_mut(&window) {
            collecting.state = State::Published;
            collecting.parts.clear();
            collecting.closed.clear();
        }
        self.forget_published();
    }

    /// What may be committed: a restart from it misses nothing and publishes nothing twice.
    pub fn progress(&self) -> CollectorProgress {
        let windows = self.windows.values().map(|collecting| (collecting.first_message, &collecting.fences));
        let first = windows.chain(self.held.first()).min_by_key(|(first, _)| *first);
        let (anchor, fences) = first.unwrap_or((self.position, &self.fences));
        CollectorProgress {
            position: self.position.max(self.replay_until),
            anchor,
            published_until: self.published_until,
            lost_until: self.lost_until,
            doubts: self.doubts.all().to_vec(),
            is_cut: self.is_cut,
            sealed: self.sealed.clone(),
            incarnations: fences.incarnations().to_vec(),
        }
    }

    /// The seal of each source partition.
    pub fn sealed(&self) -> &[EventTime] {
        &self.sealed
    }

    /// Every window that ends by then is published, or lost.
    pub fn published_until(&self) -> EventTime {
        self.published_until
    }

    /// Windows that end by then may be lost; [`EventTime::NEVER`] when none is.
    pub fn lost_until(&self) -> EventTime {
        self.lost_until
    }

    /// The windows that wait, with the partitions that have not sealed them.
    pub fn waiting(&self) -> impl Iterator<Item = (Window, Vec<Partition>)> + '_ {
        let unpublished = self.windows.iter().filter(|(_, collecting)| collecting.state != State::Published);
        unpublished.map(|(window, _)| {
            let needed = (0..).zip(&self.sealed).take(self.topology.partitions_of(*window));
            let unsealed = needed.filter(|(_, sealed)| **sealed < window.end);
            (*window, unsealed.map(|(partition, _)| Partition(partition)).collect())
        })
    }

    /// Everything that was found to contradict itself.
    pub fn divergences(&self) -> &[Divergence] {
        &self.divergences
    }

    /// Stops a window for a reason that the caller found, such as a file with another digest.
    pub fn diverge(&mut self, window: Window, partition: Partition, known: String, other: String) {
        if let Some(collecting) = self.windows.get_mut(&window) {
            collecting.state = State::Diverged;
        }
        self.divergences.push(Divergence { window, partition, known, other });
    }

    /// Notes that windows up to `until` are lost, of which nothing is collected here.
    pub fn tell_lost(&mut self, until: EventTime) {
        self.lost_until = self.lost_until.max(until);
    }

    fn admit(&mut self, from: Message) -> bool {
        self.position = Offset(from.at.0 + 1);
        self.admits(from)
    }

    /// Whether the message is not taken in again: what the committed seals and doubts hold of the others must not be counted twice.
    fn is_new(&self, from: Message) -> bool {
        from.at >= self.replay_until
    }

    fn close(&mut self, from: Message, closed: ClosedWindow) {
        if self.doubts.stands(from, closed.window) {
            return;
        }
        let collecting = self.collecting(closed.window, from);
        if collecting.state == State::Published {
            return;
        }
        let known = *collecting.closed.entry(from.partition).or_insert(closed);
        if known != closed {
            self.diverge(closed.window, from.partition, format!("{known:?}"), format!("{closed:?}"));
        }
    }

    /// What was said of windows up to `until` is not in the topic any more: they must not come out without it.
    fn lose(&mut self, until: EventTime) {
        self.windows.retain(|window, collecting| window.end > until || collecting.state != State::Collecting);
        self.lost_until = self.lost_until.max(until);
        self.published_until = self.published_until.max(until);
    }

    /// A seal comes after its parts. Where the beginning of the topic is gone, those that are not there by then are gone with it.
    fn lose_torn(&mut self, partition: Partition, closed: &ClosedWindow) {
        let Some(collecting) = self.windows.get_mut(&closed.window) else { return };
        let parts = collecting.parts.range((partition, 0)..=(partition, u32::MAX)).count();
        if collecting.state == State::Collecting && parts < closed.parts as usize {
            self.lost_until = self.lost_until.max(closed.window.end);
            self.published(closed.window);
        }
    }

    /// What is known of `window`, of which `from` tells.
    fn collecting(&mut self, window: Window, from: Message) -> &mut Collecting {
        let (first, fences) = self.held.of(from.partition).unwrap_or((from.at, &self.fences));
        let collecting = self.windows.entry(window).or_insert_with(|| Collecting::new(first, fences.clone()));
        // Another message told of the window before this one was whole, and after it had begun.
        if first < collecting.first_message {
            collecting.first_message = first;
            collecting.fences = fences.clone();
        }
        collecting
    }

    fn sealed_by_all(&self) -> EventTime {
        self.topology.sealed_by_all(&self.sealed)
    }

    fn forget_published(&mut self) {
        let sealed = self.sealed_by_all();
        // One that is lost is remembered until nothing more comes for it.
        let is_over = |first: &OccupiedEntry<'_, Window, Collecting>| {
            first.get().state == State::Published && first.key().end <= sealed
        };
        while let Some(first) = self.windows.first_entry().filter(is_over) {
            first.remove();
        }
        let waiting = self.windows.keys().next().map_or(sealed, |window| sealed.min(window.start));
        self.published_until = self.published_until.max(waiting);
        self.doubts.forget(self.published_until);
    }
}

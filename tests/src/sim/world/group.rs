//! The consumer group: who has what, and what is committed. Law L5 is watched here: nothing that is committed goes back.

use std::collections::BTreeMap;

use stream_core::{EventTime, Partition, Progress};
use worker::ingest::effects::Commit;
use worker::progress::decode;

use super::{Pid, World};

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

impl World {
    /// Since which deal a process has a partition, as far as it knows: who is no member any more knows what it knew last.
    pub fn tenure(&mut self, pid: Pid, partition: i32) -> Option<u64> {
        let life = &mut self.lives[pid];
        if self.group.members.get(&life.slot) == Some(&pid) {
            let is_owner = self.group.owner.get(&partition) == Some(&life.slot);
            match self.group.deals.get(&partition).filter(|_| is_owner) {
                Some(deal) => life.tenures.insert(partition, *deal),
                None => life.tenures.remove(&partition),
            };
        }
        life.tenures.get(&partition).copied()
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
        let joins = self.topology().joins(Partition(partition)) != EventTime::NEVER;
        if joins && !self.group.commits.contains_key(&partition) {
            self.tally.count("recovery: a partition joined at a window's start");
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

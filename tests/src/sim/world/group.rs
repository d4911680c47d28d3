//! The consumer group: who has what, and what is committed. Law L5 is watched here: nothing that is committed goes back.

use std::collections::BTreeMap;

use stream_core::{EventTime, Loss, Partition, Progress};
use worker::ingest::effects::Commit;
use worker::progress::{CommittedProgress, decode};

use super::{MEANINGS, Pid, World};
use crate::model::Decree;

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
    /// Every decree that was ever committed, in the meaning at first and in the one since: partition, position, watermark.
    pub decrees: [BTreeMap<(i32, i64), i64>; MEANINGS],
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
    /// Keeps the decrees of a commit, each with the meaning whose lane it raised.
    fn note_decrees(&mut self, partition: i32, now: &CommittedProgress) {
        let is_new = self.revised.as_ref().is_some_and(|revised| Some(revised.domain.plan.revision) == now.revision);
        let of_before = now.before.iter().map(|before| (0, &before.progress));
        for (meaning, progress) in of_before.chain([(usize::from(is_new), &now.progress)]) {
            for decree in &progress.decrees {
                let known = self.group.decrees[meaning].entry((partition, decree.at.0)).or_insert(decree.watermark.0);
                *known = (*known).max(decree.watermark.0);
            }
        }
    }

    fn note_losses(&mut self, partition: i32, now: &Progress) {
        let known = self.lost.get(&partition).map_or(&[][..], Vec::as_slice);
        let is_known = |loss: &Loss| known.iter().any(|known| (known.from, known.to) == (loss.from, loss.to));
        let new: Vec<Loss> = now.losses.iter().filter(|loss| !is_known(loss)).copied().collect();
        for loss in new {
            let what = if loss.unread() > 0 { "before they were read" } else { "that had been read" };
            self.tally.count(&format!("loss: a partition went on without records {what}"));
            if self.is_changing() {
                self.tally.count("loss: a partition went on without records in the middle of a change");
            }
            self.lost.entry(partition).or_default().push(loss);
        }
    }

    /// The decrees of a partition in the meaning at first (0) or in the one since (1), by position.
    pub fn decrees(&self, meaning: usize, partition: i32) -> Vec<Decree> {
        let of_partition = self.group.decrees[meaning].range((partition, i64::MIN)..=(partition, i64::MAX));
        of_partition.map(|((_, at), to)| Decree { at: *at, to: *to }).collect()
    }

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
            Ok(now) => now,
            Err(error) => return self.broken.push(format!("a commit of partition {partition} is unreadable: {error}")),
        };
        if commit.metadata.len() > worker::progress::MOST_BYTES {
            self.broken.push(format!("L8: a commit has {} bytes of metadata", commit.metadata.len()));
        }
        let before = self.group.commits.get(&partition);
        let before = before.and_then(|before| decode(before.position, &before.metadata).ok());
        if let Some(before) = &before
            && let Some(what) = goes_back(before, &now)
        {
            self.broken.push(format!("L5: {what} of partition {partition} goes back: {before:?} then {now:?}"));
        }
        self.note_change(partition, before.as_ref(), &now);
        let joins = self.topology().joins(Partition(partition)) != EventTime::NEVER;
        if joins && !self.group.commits.contains_key(&partition) {
            self.tally.count("recovery: a partition joined at a window's start");
        }
        if now.progress.decree_pending {
            self.tally.count("recovery: a decree was committed");
            if now.before.is_some() {
                self.tally.count("change: a decree was committed for two meanings");
            }
        }
        self.note_decrees(partition, &now);
        let of_before = now.before.iter().map(|before| &before.progress);
        of_before.chain([&now.progress]).for_each(|progress| self.note_losses(partition, progress));
        self.group.commits.insert(partition, commit.clone());
    }
}

/// What of two commits goes back. What each meaning has reached is compared with what it had.
fn goes_back(before: &CommittedProgress, now: &CommittedProgress) -> Option<&'static str> {
    let began = before.revision != now.revision;
    let first = match (&before.before, &now.before) {
        (Some(before), Some(now)) => Some((&before.progress, &now.progress)),
        (None, Some(now)) => Some((&before.progress, &now.progress)),
        _ => None,
    };
    let own = (&before.progress, &now.progress);
    let back = first.into_iter().chain((!began).then_some(own)).find_map(|(before, now)| lane_goes_back(before, now));
    back.or((before.position() > now.position()).then_some("the position"))
}

fn lane_goes_back(before: &Progress, now: &Progress) -> Option<&'static str> {
    [
        (before.position > now.position, "the position"),
        (before.watermark > now.watermark, "the watermark"),
        (before.anchor.offset > now.anchor.offset, "the anchor"),
        (before.incarnation > now.incarnation, "the incarnation"),
    ]
    .into_iter()
    .find_map(|(back, what)| back.then_some(what))
}

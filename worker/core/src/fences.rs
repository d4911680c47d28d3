//! Whose messages still count: in each partition of the partials topic, those of the newest known owner of each source partition.
//!
//! What it keeps true: a known incarnation never goes down, so that what a former owner sends after the fence is left out by
//! everybody who reads, and what it sent before counts.

use std::sync::Arc;

use crate::units::Partition;

/// The incarnations known at a place of a partition of the partials topic. To keep a copy is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fences(Arc<[u64]>);

impl Fences {
    /// These incarnations are known, by source partition. Others than these partitions are not.
    pub fn of(incarnations: Vec<u64>) -> Self {
        Self(incarnations.into())
    }

    /// The incarnation of this source partition is at least this one: it sent a fence, or something else, which comes behind its fence.
    pub fn raise(&mut self, partition: Partition, incarnation: u64) {
        let at = partition.0 as usize;
        if self.0.get(at).is_some_and(|known| *known < incarnation) {
            Arc::make_mut(&mut self.0)[at] = incarnation;
        }
    }

    /// Whether a message counts: its partition is known, and no fence of a higher incarnation came before it.
    pub fn admits(&self, partition: Partition, incarnation: u64) -> bool {
        self.0.get(partition.0 as usize).is_some_and(|known| *known <= incarnation)
    }

    /// The incarnations, by source partition.
    pub fn incarnations(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_owner_counts_and_unknown_partitions_do_not() {
        let mut fences = Fences::of(vec![0, 4]);
        let before = fences.clone();
        fences.raise(Partition(0), 2);
        fences.raise(Partition(1), 3);
        fences.raise(Partition(7), 9);
        let admitted = |fences: &Fences| {
            [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (7, 9)]
                .map(|(partition, sent)| fences.admits(Partition(partition), sent))
        };
        assert_eq!(admitted(&fences), [false, true, true, false, true, false]);
        assert_eq!(admitted(&before), [true, true, true, false, true, false], "a copy stays as it was");
    }
}

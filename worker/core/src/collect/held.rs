//! Where messages began that arrive in pieces.
//!
//! What it keeps true: progress never passes the first piece of a message that is not whole yet, and a window of which such a message was
//! the first to tell is read again from that piece, with the incarnations that were known there.

use std::collections::BTreeMap;

use crate::fences::Fences;
use crate::units::{Offset, Partition};

/// By source partition: the first piece, and the incarnations just before it.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<Partition, (Offset, Fences)>);

impl Held {
    /// These are open; `fences` are the incarnations that are known now.
    pub(super) fn set(&mut self, open: impl Iterator<Item = (Partition, Offset)>, fences: &Fences) {
        let known = std::mem::take(&mut self.0);
        self.0.extend(open.map(|(partition, first)| {
            let held = known.get(&partition).filter(|(at, _)| *at == first);
            (partition, held.cloned().unwrap_or_else(|| (first, fences.clone())))
        }));
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(Offset, &Fences)> {
        self.0.values().map(|(first, fences)| (*first, fences)).min_by_key(|(first, _)| *first)
    }

    /// That of this partition.
    pub(super) fn of(&self, partition: Partition) -> Option<(Offset, &Fences)> {
        self.0.get(&partition).map(|(first, fences)| (*first, fences))
    }
}

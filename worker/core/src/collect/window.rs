//! One window while its parts arrive, and what is published of it.

use std::collections::BTreeMap;

use super::Published;
use crate::doubts::Lost;
use crate::emission::{ClosedWindow, Partial};
use crate::error::Error;
use crate::fences::Fences;
use crate::merge::{Overflow, merge};
use crate::program::Program;
use crate::units::{Digest, Offset, Partition};
use crate::window::Window;

/// A window, as far as messages have told of it.
#[derive(Debug)]
pub(super) struct Collecting {
    pub first_message: Offset,
    /// The incarnations just before that message.
    pub fences: Fences,
    pub parts: BTreeMap<(Partition, u32), Partial>,
    pub closed: BTreeMap<Partition, ClosedWindow>,
    pub state: State,
}

/// How far a window is.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum State {
    Collecting,
    HandedOut,
    Diverged,
    /// Kept without its parts until every earlier window is published too.
    Published,
}

impl Collecting {
    pub(super) fn new(first_message: Offset, fences: Fences) -> Self {
        let (parts, closed) = (BTreeMap::new(), BTreeMap::new());
        Self { first_message, fences, parts, closed, state: State::Collecting }
    }

    /// Whether nothing is known of it.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.closed.is_empty()
    }

    /// Whether the parts are those that the seals name: their number, and their digests in order.
    pub(super) fn has_all_parts(&self) -> bool {
        let named: usize = self.closed.values().map(|closed| closed.parts as usize).sum();
        named == self.parts.len()
            && self.closed.iter().all(|(partition, closed)| {
                let mut hasher = blake3::Hasher::new();
                let parts = self.parts.range((*partition, 0)..=(*partition, u32::MAX));
                parts.for_each(|(_, part)| {
                    hasher.update(&part.digest.0);
                });
                Digest::of(&hasher) == closed.digest
            })
    }
}

/// The window that the parts make.
pub(super) fn publish(
    program: &Program,
    window: Window,
    collecting: &Collecting,
    lost: Vec<Lost>,
) -> Result<Published, Error> {
    let (rows, overflow) = merge(program, window, collecting.parts.values().map(|partial| &partial.rows))?;
    let sources: Vec<_> = collecting.closed.iter().map(|(partition, closed)| (*partition, *closed)).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&crate::fold::digest_rows(&rows)?.0);
    for (partition, closed) in &sources {
        hasher.update(&i64::from(partition.0).to_le_bytes());
        hasher.update(&closed.first.0.to_le_bytes());
        hasher.update(&closed.end.0.to_le_bytes());
    }
    for Lost { partition, from, to } in &lost {
        for number in [i64::from(partition.0), from.0, to.0] {
            hasher.update(&number.to_le_bytes());
        }
    }
    // A null for want of room is another one than a null for want of values.
    for Overflow { measure, row } in &overflow {
        hasher.update(&row.to_le_bytes()).update(measure.as_bytes()).update(&[0]);
    }
    Ok(Published { window, rows, digest: Digest::of(&hasher), sources, lost, overflow })
}

//! Closing: which windows are remembered, what their partials hold, and the seals in the order they come.
//!
//! A window closes once, under exactly one seal; its partial is the counted records in it, all of which came before.

use std::collections::{BTreeMap, BTreeSet};

use super::{AggState, Event, Group, History, Verdict, Window};

/// The aggregate state per group; empty for a window that only duplicates opened.
pub type Groups = BTreeMap<Group, AggState>;

/// The word of a partition that every window ending at or before `sealed_until` is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The position at which it came: one past the record that raised the watermark, or the decree's position.
    pub position: i64,
    /// A window boundary: the watermark, rounded down.
    pub sealed_until: i64,
    /// The windows that it closes, in order, those without a counted record included.
    pub closed: Vec<Window>,
}

impl History {
    /// One seal for each rise of the rounded-down watermark, however many boundaries it passes at once.
    pub fn seals(&self) -> Vec<Seal> {
        let mut sealed = self.from.watermark.map(|watermark| self.params.boundary(watermark));
        let mut seals = Vec::new();
        for (position, watermark) in self.watermarks() {
            let boundary = watermark.map(|watermark| self.params.boundary(watermark));
            if let Some(sealed_until) = boundary.filter(|_| boundary > sealed) {
                let ends_here = |window: &Window| Some(window.end) > sealed && window.end <= sealed_until;
                let closed = self.windows().into_iter().filter(ends_here).collect();
                seals.push(Seal { position, sealed_until, closed });
                sealed = boundary;
            }
        }
        seals
    }

    /// The partial of every closed window.
    pub fn partials(&self) -> BTreeMap<Window, Groups> {
        let closed = self.seals().into_iter().flat_map(|seal| seal.closed);
        closed.map(|window| (window, self.groups(window, self.end()))).collect()
    }

    /// The watermark after every record and every decree, in the order in which they take effect.
    pub fn watermarks(&self) -> Vec<(i64, Option<i64>)> {
        // At one position the record before it comes first (0), then the decrees (1), in their order.
        let after_records = self.entries.iter().map(|entry| {
            let position = entry.record.offset + 1;
            (position, 0, entry.watermark_after(&self.params))
        });
        let decrees = self.decrees.iter().enumerate();
        let after_decrees = decrees.map(|(index, decree)| (decree.at, 1, self.watermark_after_decree(index)));
        let mut steps: Vec<_> = after_records.chain(after_decrees).collect();
        steps.sort_by_key(|(position, rank, _)| (*position, *rank));
        steps.into_iter().map(|(position, _, watermark)| (position, watermark)).collect()
    }

    /// The state of `window` from the counted records in it below `offset`.
    pub(super) fn groups(&self, window: Window, offset: i64) -> Groups {
        let mut groups = Groups::new();
        for event in self.counted(window, offset) {
            let state = groups.entry(event.group.clone()).or_default();
            *state = state.merge(&AggState::of(&event.values));
        }
        groups
    }

    fn counted(&self, window: Window, offset: i64) -> impl Iterator<Item = &Event> {
        self.before(offset)
            .filter(move |entry| entry.verdict == Verdict::Counted && entry.window(&self.params) == Some(window))
            .filter_map(|entry| entry.record.decodable.as_ref())
    }

    /// Every window with a remembered record.
    fn windows(&self) -> BTreeSet<Window> {
        let remembered = self.entries.iter().filter(|entry| entry.remembered);
        remembered.filter_map(|entry| entry.window(&self.params)).collect()
    }
}

//! The windows that are open on a partition: their ids, the cells of their groups, and where a replay of them starts.

use crate::ids::IdSet;
use crate::progress::Point;
use crate::units::EventTime;
use crate::window::{Window, Windows};

/// No cell yet.
const NONE: u32 = u32::MAX;

/// An open window.
#[derive(Debug)]
pub(crate) struct OpenWindow {
    pub window: Window,
    /// Ids of the Counted and Duplicate records.
    pub ids: IdSet,
    /// Its first remembered record.
    pub first: Point,
    /// `A` of that record.
    pub anchor: Point,
    /// Records counted.
    pub records: u64,
    /// Cell of each group, by the group's number.
    cells: Vec<u32>,
    /// Since a checkpoint has kept the window: the ids remembered since then.
    unsaved: Option<Vec<u128>>,
}

impl OpenWindow {
    pub(crate) fn new(window: Window, first: Point, anchor: Point) -> Self {
        Self { window, ids: IdSet::default(), first, anchor, records: 0, cells: Vec::new(), unsaved: None }
    }

    /// The ids that the checkpoints do not have, and whether these are all. They have them from here on.
    pub(crate) fn save_ids(&mut self) -> (Vec<u128>, bool) {
        match self.unsaved.replace(Vec::new()) {
            Some(unsaved) => (unsaved, false),
            None => (self.ids.iter().collect(), true),
        }
    }

    /// The checkpoints have everything, or are not to be built upon any more.
    pub(crate) fn set_saved(&mut self, saved: bool) {
        self.unsaved = saved.then(Vec::new);
    }

    /// How many ids the next checkpoint adds, if one has kept the window.
    pub(crate) fn unsaved(&self) -> usize {
        self.unsaved.as_ref().map_or(0, Vec::len)
    }

    /// The cell of `group`, taken from `free` at first sight.
    #[inline]
    pub(crate) fn cell(&mut self, group: u32, take: impl FnOnce() -> u32) -> u32 {
        let at = group as usize;
        if at >= self.cells.len() {
            self.cells.resize(at + 1, NONE);
        }
        if self.cells[at] == NONE {
            self.cells[at] = take();
        }
        self.cells[at]
    }

    /// The groups that have a cell, with it.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..).zip(self.cells.iter().copied()).filter(|(_, cell)| *cell != NONE)
    }

    /// Moves cells to the groups' new numbers.
    pub(crate) fn renumber(&mut self, new: &[Option<u32>]) {
        let old = std::mem::take(&mut self.cells);
        for (cell, group) in old.into_iter().zip(new) {
            if let (true, Some(group)) = (cell != NONE, group) {
                self.cell(*group, || cell);
            }
        }
    }
}

/// All open windows of a partition, by start; there are only a few.
#[derive(Debug, Default)]
pub(crate) struct OpenWindows {
    windows: Vec<OpenWindow>,
    /// Where the last one looked for was found.
    last: usize,
}

impl OpenWindows {
    /// The index of the window that holds `time`, opened if need be: `here` is the record, at which it then starts.
    #[inline]
    pub(crate) fn index_of(&mut self, grid: &Windows, time: EventTime, here: impl FnOnce() -> Point) -> usize {
        if let Some(open) = self.windows.get(self.last)
            && open.window.contains(time)
        {
            return self.last;
        }
        self.last = match self.windows.binary_search_by_key(&grid.floor(time), |open| open.window.start) {
            Ok(index) => index,
            Err(index) => {
                let first = here();
                let anchor = self.earliest(first);
                self.windows.insert(index, OpenWindow::new(grid.of(time), first, anchor));
                index
            }
        };
        self.last
    }

    /// Takes in a window that a checkpoint kept; they come by start.
    pub(crate) fn restore(&mut self, open: OpenWindow) {
        self.windows.push(open);
    }

    /// `A`: the smallest first record of an open window, or `here`.
    pub(crate) fn earliest(&self, here: Point) -> Point {
        self.windows.iter().map(|open| open.first).min_by_key(|point| point.offset).unwrap_or(here)
    }

    /// `A(A)`: the anchor of the window whose first record comes first, or `here`.
    pub(crate) fn replay_from(&self, here: Point) -> Point {
        let first = self.windows.iter().min_by_key(|open| open.first.offset);
        first.map_or(here, |open| open.anchor)
    }

    /// Remembers `id` in window `index`; false when an open window already knows it.
    #[inline]
    pub(crate) fn remember(&mut self, index: usize, id: u128) -> bool {
        let own = &mut self.windows[index];
        let new = own.ids.insert(id);
        if new && let Some(unsaved) = &mut own.unsaved {
            unsaved.push(id);
        }
        new && !self.windows.iter().enumerate().any(|(other, open)| other != index && open.ids.contains(id))
    }

    /// Takes out the windows that end at or before `until`, by start.
    pub(crate) fn close(&mut self, until: EventTime) -> Vec<OpenWindow> {
        let count = self.windows.partition_point(|open| open.window.end <= until);
        self.last = 0;
        self.windows.drain(..count).collect()
    }

    /// The open windows, by start.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, OpenWindow> {
        self.windows.iter()
    }

    /// The open windows, by start.
    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, OpenWindow> {
        self.windows.iter_mut()
    }

    /// The window at `index`.
    #[inline]
    pub(crate) fn at(&mut self, index: usize) -> &mut OpenWindow {
        &mut self.windows[index]
    }
}

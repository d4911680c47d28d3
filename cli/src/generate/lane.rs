//! One partition of the stream as design section 3 sees it, in plain scalar code: its watermark and the events that are
//! surely still remembered.
//!
//! Keeps true: a draft from [`Lane::copyable`] sent now is a duplicate, an event time from [`Lane::late_time`] is late now,
//! because both are checked against the watermark just before the record. Written from the text of the contract and
//! sharing no code with the worker, so that the two can disagree.

use std::collections::VecDeque;

use super::dice::Dice;
use super::domain::Draft;
use super::options::Windows;

/// Events kept to be sent again; older ones may still be remembered by the worker but are not chosen.
const KEPT: usize = 2048;
/// Tries to find a kept event whose window is open, before the intent is given up.
const TRIES: u32 = 16;
/// How far behind the newest closed window a late event may be.
const LATE_BY: u64 = 3_600_000;

/// The running state of one partition.
pub struct Lane {
    size: i64,
    offset: i64,
    delay: i64,
    max_event_time: Option<i64>,
    kept: VecDeque<Draft>,
    closed: Option<Draft>,
}

impl Lane {
    /// A partition without records.
    pub fn new(windows: &Windows) -> Self {
        Self {
            size: windows.size,
            offset: windows.offset,
            delay: windows.delay,
            max_event_time: None,
            kept: VecDeque::with_capacity(KEPT),
            closed: None,
        }
    }

    /// The watermark before the next record; none before the first judged-valid record.
    pub fn watermark(&self) -> Option<i64> {
        self.max_event_time.map(|time| time - self.delay)
    }

    /// Start of the window that holds `event_time`.
    pub fn window_start(&self, event_time: i64) -> i64 {
        (event_time - self.offset).div_euclid(self.size) * self.size + self.offset
    }

    /// True if the window of `event_time` is closed: `window_end(event_time) <= wm`.
    pub fn is_late(&self, event_time: i64) -> bool {
        self.watermark().is_some_and(|watermark| self.window_start(event_time) + self.size <= watermark)
    }

    /// Takes note of a counted or duplicate record: it is remembered in its window and moves the watermark.
    pub fn remember(&mut self, draft: &Draft) {
        self.move_watermark(draft.event_time);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(*draft);
        while let Some(oldest) = self.kept.front().copied().filter(|oldest| self.is_late(oldest.event_time)) {
            self.closed = Some(oldest);
            self.kept.pop_front();
        }
    }

    /// Takes note of a judged-valid record's event time.
    pub fn move_watermark(&mut self, event_time: i64) {
        self.max_event_time = Some(self.max_event_time.map_or(event_time, |max| max.max(event_time)));
    }

    /// A remembered event whose window is still open, if one is found.
    pub fn copyable(&self, dice: &mut Dice) -> Option<Draft> {
        (0..TRIES).find_map(|_| {
            let draft = self.kept.get(dice.below(self.kept.len() as u64) as usize)?;
            (!self.is_late(draft.event_time)).then_some(*draft)
        })
    }

    /// An event that was remembered once and whose window is closed, if there was one.
    pub fn closed(&self) -> Option<Draft> {
        self.closed
    }

    /// An event time in a closed window; none before the first judged-valid record.
    pub fn late_time(&self, dice: &mut Dice) -> Option<i64> {
        let newest_open = self.window_start(self.watermark()?);
        Some(newest_open - 1 - dice.below(LATE_BY).cast_signed())
    }
}

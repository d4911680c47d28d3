//! Records that were gone from the log when they were needed, and the windows that may lack something for it.
//!
//! What it keeps true: what follows a loss is a function of what was committed and of the log from its first offset on, so every
//! restart comes to the same. A window that no loss names is the one that the whole log would have given, as long as log times
//! rise (`LogAppendTime`).

use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::progress::{Decree, History, Point, Progress};
use crate::units::{EventTime, Offset};
use crate::window::Window;

/// Most losses that are kept apart; of more, the oldest become one.
const MOST: usize = 4;

/// A stretch of a partition's log that was needed and gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// The first record that was needed.
    pub from: Offset,
    /// The first that was there.
    pub to: Offset,
    /// Records from here on had not been judged when they were lost; those before had, but what they left in open windows is gone.
    pub position: Offset,
    /// Windows that end by then had been closed, and are whole.
    pub after: EventTime,
    /// Windows that start then or later are whole; nothing while no record behind the loss has told how late it was.
    pub until: Option<EventTime>,
    /// Every window that a lost record may have opened is closed; `until` stays as it is.
    pub over: bool,
}

impl Loss {
    /// How many offsets were never judged.
    pub fn unread(&self) -> u64 {
        (self.to.0 - self.position.0).max(0).cast_unsigned()
    }

    /// Whether `window` may lack something.
    pub fn concerns(&self, window: Window) -> bool {
        window.end > self.after && self.until.is_none_or(|until| window.start < until)
    }

    /// Two losses as one.
    fn with(self, next: Self) -> Self {
        let until = self.until.zip(next.until).map(|(first, second)| first.max(second));
        Self { to: next.to, position: next.position, until, over: self.over && next.over, ..self }
    }
}

impl Progress {
    /// What can be gone on with when the log begins at `low` only: with the watermark that is known, so that nothing that was
    /// closed opens again, and with those windows' records that are left. The batch that was open is over, because its first
    /// records may be gone.
    #[must_use]
    pub fn without_records_before(&self, low: Offset, program: &Program) -> Self {
        let (position, watermark) = (self.position.max(low), self.sealed_watermark(program));
        let until = (self.position >= low).then(|| end_of(self.latest, program));
        let after = program.windows.floor(watermark);
        let loss = Loss { from: self.anchor.offset, to: low, position: self.position, after, until, over: false };
        let end = Decree { at: position, watermark: self.watermark };
        let needs_end = position > low || self.decree_pending;
        let decrees: Vec<Decree> = needs_end.then_some(end).into_iter().collect();
        let anchor = Point { offset: low, watermark, log_time: self.anchor.log_time, batch: None };
        Self {
            position,
            anchor,
            history: decrees.iter().fold(History::start(low, watermark), History::with),
            decrees,
            losses: remembered(self.losses.iter().copied().chain([loss])),
            ..self.clone()
        }
    }

    /// The same for a meaning that begins on a log of which the meaning before had needed records before `low`: nobody can say which of
    /// those its own windows would hold.
    #[must_use]
    pub fn begun_without(self, before: &Self, low: Offset, program: &Program) -> Self {
        let (from, position, after) = (before.anchor.offset, before.position, program.windows.floor(self.watermark));
        let loss = Loss { from, to: low, position, after, until: None, over: false };
        Self { losses: vec![loss], ..self }
    }

    /// The watermark up to which seals have been sent: a decree that is pending may not have been told.
    fn sealed_watermark(&self, program: &Program) -> EventTime {
        if !self.decree_pending {
            return self.watermark;
        }
        let told = self.decrees.split_last().map_or(&[][..], |(_, told)| told);
        let folded = self.latest.minus(program.delay);
        told.iter().map(|decree| decree.watermark).fold(self.anchor.watermark.max(folded), EventTime::max)
    }
}

/// The end of the window that holds `latest`.
pub(crate) fn end_of(latest: EventTime, program: &Program) -> EventTime {
    if latest == EventTime::NEVER { latest } else { program.windows.of(latest).end }
}

/// The newest losses apart, the others as one.
fn remembered(losses: impl Iterator<Item = Loss>) -> Vec<Loss> {
    let mut losses: Vec<Loss> = losses.collect();
    while losses.len() > MOST {
        let second = losses.remove(1);
        losses[0] = losses[0].with(second);
    }
    losses
}

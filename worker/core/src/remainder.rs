//! What is left of a partition's progress where its log has lost the beginning.
//!
//! What it keeps true: it follows from what was committed and from the log's first offset alone, so every owner comes to the same.

use crate::loss::{Loss, end_of, remembered};
use crate::program::Program;
use crate::progress::{Decree, History, Point, Progress};
use crate::units::{EventTime, Offset};

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

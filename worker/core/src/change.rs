//! A partition around a change of meaning: two lanes over the same log, each with the windows that are its own.
//!
//! What it keeps true: every window that starts before the boundary is what a lane of the meaning before makes of the log, every
//! other what a lane of the new one makes of it; so no window mixes both. A record has one verdict:
//! that of the meaning whose window it lies in by its event time, or, before the change was known or when it has no event
//! time, of the meaning before. The reports are those of the meaning before, with these verdicts, until its last window closes;
//! there the batch ends, and the new meaning goes on alone. All of it is a function of the log and of where the change was first
//! known, so any cutting and any death leave it as it is.

mod before;

use std::sync::Arc;

use crate::emission::{Emission, Emissions, Halt, Verdicts};
use crate::error::Error;
use crate::fetch::Fetch;
use crate::lane::{Decreed, Lane};
use crate::program::Program;
use crate::progress::{Point, Progress};
use crate::units::{EventTime, LogTime, Offset};
use before::Before;

/// A change of meaning: what was before, and from which window on it is over.
#[derive(Debug)]
pub struct Change {
    /// The meaning before.
    pub before: Arc<Program>,
    /// The new meaning, but with the batches of the one before.
    pub beside: Arc<Program>,
    /// Start of the first window of the new meaning, on its grid.
    pub until: EventTime,
}

/// How far a partition has come in the meaning before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BeforeProgress {
    /// As that meaning's lane alone would have it.
    pub progress: Progress,
    /// Where the change was first known: verdicts of earlier records were told by the meaning before.
    pub since: Offset,
}

/// Everything that a partition's lanes gave out.
#[derive(Debug, Default)]
pub struct Said {
    /// Of the meaning before.
    pub before: Emissions,
    /// Of the meaning that the pipeline has now.
    pub now: Emissions,
}

/// Up to where watermarks are to be decreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Targets {
    /// In the meaning before, where it still has windows.
    pub before: EventTime,
    /// In the one that the pipeline has now.
    pub now: EventTime,
}

/// What a decree asks of the caller: commit, then send.
#[derive(Debug)]
pub struct DecreedBoth {
    /// To be committed before anything is sent.
    pub progress: (Progress, Option<BeforeProgress>),
    /// To be sent then.
    pub said: Said,
}

/// The lanes of a partition: one, or two while windows of the meaning before are open.
pub struct Lanes {
    now: Lane,
    program: Arc<Program>,
    before: Option<Before>,
    /// Verdicts that the meaning before gave.
    told: Verdicts,
}

impl Change {
    /// When everything up to here is sealed, the meaning before is over.
    pub fn closes(&self) -> EventTime {
        self.before.windows.ceil(self.until)
    }

    /// From where on the new meaning remembers ids: as far before the boundary as windows are open when it is passed.
    fn joins(&self) -> EventTime {
        let open = self.beside.delay.saturating_add(self.beside.windows.size);
        self.beside.windows.floor(self.until.minus(open))
    }

    /// No valid record with a lower log time lies in a window that the new meaning remembers.
    pub fn begins(&self) -> LogTime {
        LogTime(self.joins().minus(self.beside.times.max_future_skew).0)
    }

    /// The progress of the new meaning that has not begun, from `offset` on: at or before the first record of the log time
    /// [`Self::begins`].
    pub fn begin(&self, offset: Offset) -> Progress {
        Progress::join(offset, self.joins())
    }
}

impl From<Lane> for Lanes {
    fn from(lane: Lane) -> Self {
        Self { program: lane.program(), now: lane, before: None, told: Verdicts::default() }
    }
}

impl Lanes {
    /// Takes a partition up in the middle of a change. Records must be fed from [`Self::next_point`] on.
    pub fn resume(
        program: Arc<Program>,
        change: Arc<Change>,
        progress: &Progress,
        before: &BeforeProgress,
    ) -> Result<Self, Error> {
        let lane = Lane::resume(change.before.clone(), &before.progress)?;
        let now = Lane::resume(change.beside.clone(), progress)?.with_windows_from(change.until);
        let before = Some(Before { lane, change, since: before.since });
        Ok(Self { now, program, before, told: Verdicts::default() })
    }

    /// Judges and folds the records of one fetch; while there are two meanings `before` holds the same records as that one's reader
    /// decodes them.
    pub fn feed(&mut self, now: &Fetch<'_>, before: Option<&Fetch<'_>>) -> Result<Said, Error> {
        let mut said = Said::default();
        let mut fed = false;
        // On a partition that joined at the boundary nothing is left of the meaning before.
        self.turn(&mut said);
        while let (Some(both), Some(fetch)) = (&mut self.before, before) {
            let from = both.lane.position().min(self.now.position());
            if from >= now.end && fed {
                return Ok(said);
            }
            let halted = both.feed(&mut self.now, fetch, now, from, &mut said)?;
            fed = true;
            self.turn(&mut said);
            if halted {
                return Ok(said);
            }
        }
        let rest = now.part(self.now.position(), now.end);
        said.now.append(self.now.feed(&rest.fetch())?);
        Ok(said)
    }

    /// Raises the watermarks and ends the open batch. Not to be called while [`Self::is_replaying`].
    pub fn decree(&mut self, targets: Targets) -> Result<DecreedBoth, Error> {
        let now = self.now.decree(targets.now)?;
        let mut said = Said { now: now.emissions, ..Said::default() };
        let mut progress = (now.progress, None);
        if let Some(both) = &mut self.before {
            let Decreed { progress: before, emissions } = both.lane.decree(targets.before)?;
            progress.1 = Some(BeforeProgress { progress: before, since: both.since });
            said.before = both.own(emissions);
            said.now.items.retain(|item| !matches!(item, Emission::Report(_)));
        }
        self.turn(&mut said);
        Ok(DecreedBoth { progress, said })
    }

    /// Goes on in the new meaning alone, once all windows before are closed.
    fn turn(&mut self, said: &mut Said) {
        let here = self.now.position();
        let is_over = |both: &mut Before| {
            let is_closed = both.lane.sealed() >= both.change.closes() && here >= both.since;
            is_closed && !both.lane.is_replaying() && both.lane.position() == here
        };
        if let Some(mut both) = self.before.take_if(is_over) {
            both.lane.finish(&mut said.before);
            self.told.merge(&both.lane.verdicts());
            self.now.begin_alone(self.program.clone());
        }
    }

    /// Where the partition stands because too much of its open batch went to the dead letters, before or behind the last record fed; true
    /// where it is a batch of the meaning before.
    pub fn runaway(&self) -> Option<(bool, Halt)> {
        match &self.before {
            Some(both) => both.runaway(&self.now).map(|halt| (true, halt)),
            None => self.now.runaway().map(|halt| (false, halt)),
        }
    }

    /// What may be committed once everything given out so far is acknowledged. Not to be committed while
    /// [`Self::is_replaying`].
    pub fn progress(&self) -> (Progress, Option<BeforeProgress>) {
        let before = |both: &Before| BeforeProgress { progress: both.lane.progress(), since: both.since };
        (self.now.progress(), self.before.as_ref().map(before))
    }

    /// Whether what is committed has not been reached yet.
    pub fn is_replaying(&self) -> bool {
        let behind = |both: &Before| both.lane.is_replaying() || both.lane.position() != self.now.position();
        self.now.is_replaying() || self.before.as_ref().is_some_and(behind)
    }

    /// The next record to read, with what its reader must know.
    pub fn next_point(&self) -> Point {
        let now = self.now.next_point();
        let before = self.before.as_ref().map(|both| both.lane.next_point());
        before.filter(|before| before.offset <= now.offset).unwrap_or(now)
    }

    /// The next record to read.
    pub fn position(&self) -> Offset {
        self.next_point().offset
    }

    /// The lane whose windows come first.
    pub fn first(&self) -> &Lane {
        self.before.as_ref().map_or(&self.now, |both| &both.lane)
    }

    /// The lane, when there is one meaning.
    pub fn alone(&mut self) -> Option<&mut Lane> {
        self.before.is_none().then_some(&mut self.now)
    }

    /// Whether there are two meanings.
    pub fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// The lane of the meaning that the pipeline has now.
    pub fn now(&self) -> &Lane {
        &self.now
    }

    /// Verdicts of the records judged since this worker took the partition up, replayed ones left out.
    pub fn verdicts(&self) -> Verdicts {
        let mut all = self.told;
        all.merge(&self.first().verdicts());
        all
    }
}

impl Said {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.now.is_empty()
    }

    /// Before which record a rule stops the partition; true where the rule is one of the meaning before.
    pub fn halt(&self) -> Option<(bool, Halt)> {
        self.before.halt.map(|halt| (true, halt)).or(self.now.halt.map(|halt| (false, halt)))
    }
}

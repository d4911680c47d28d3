//! The state machine of one source partition: records in, verdicts, partials, seals and reports out.
//!
//! What it keeps true, whatever the fetches: every verdict depends on the record and the log before it alone (L2); the
//! watermark, the seal and the position never go back (L5); a replay from the anchor gives nothing out before the position
//! that was committed, and afterwards exactly what it would have given out before (L3).

mod closing;
mod judging;
mod losing;
mod saving;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::OpenBatch;
use crate::emission::{Emissions, Halt, Verdict, Verdicts};
use crate::error::Error;
use crate::fetch::Fetch;
use crate::fold::Fold;
use crate::groups::GroupIndex;
use crate::judge::Judged;
use crate::loss::Loss;
use crate::open::OpenWindows;
use crate::program::Program;
use crate::progress::{BatchKey, Decree, History, Point, Progress};
use crate::units::{EventTime, LogTime, Offset};
use crate::volume::Volumes;

pub use saving::{LaneState, WindowChanges, WindowContent, WindowState};

/// The lane's view of one partition.
pub struct Lane {
    program: Arc<Program>,
    groups: GroupIndex,
    fold: Fold,
    windows: OpenWindows,
    batch: Option<OpenBatch>,
    position: Offset,
    /// Nothing is given out for records before this one: they are replayed.
    silent_until: Offset,
    /// The anchor that was committed when the partition was taken up. It stays good for every later position, and a lane made of a
    /// checkpoint may know only earlier ones.
    floor: Point,
    watermark: EventTime,
    latest: EventTime,
    sealed: EventTime,
    /// The watermark at which the seal rises.
    next_seal: EventTime,
    last_log_time: LogTime,
    /// The batch that was open before the first record of the one that is open now.
    batch_before: Option<BatchKey>,
    /// The whole batches before the position, or before the committed one while it is not reached.
    volumes: Volumes,
    /// Decrees that the replay has still to meet, the last of them perhaps not yet sent.
    to_apply: VecDeque<Decree>,
    pending: bool,
    /// Decrees since the anchor.
    decrees: Vec<Decree>,
    history: History,
    losses: Vec<Loss>,
    incarnation: u64,
    verdicts: Verdicts,
    /// Windows that start before are another meaning's: what lies in them is remembered, and is late.
    windows_from: EventTime,
}

/// What a decree asks of the caller: commit, then send.
#[derive(Debug)]
pub struct Decreed {
    /// To be committed before the emissions are sent.
    pub progress: Progress,
    /// To be sent then.
    pub emissions: Emissions,
}

/// A pass over one fetch.
struct Pass<'a> {
    fetch: &'a Fetch<'a>,
    judged: &'a Judged,
    out: Emissions,
    row: usize,
    /// First row whose rules are not yet counted.
    uncounted: usize,
    /// Set where the lane stops; it ends the pass.
    halt: Option<Halt>,
    /// Whether what comes next may still be replayed.
    replaying: bool,
    /// Offset and verdict of records that a lane beside this one judges; then all verdicts are wanted.
    theirs: Option<&'a [(i64, Verdict)]>,
}

impl Lane {
    /// Takes a partition up where `progress` left it. Records must be fed from its anchor on.
    pub fn resume(program: Arc<Program>, progress: &Progress) -> Result<Self, Error> {
        let types: Vec<_> = program.groups.iter().map(|group| group.data_type.clone()).collect();
        let anchor = progress.anchor;
        let sealed = program.windows.floor(anchor.watermark);
        let batch = anchor.batch.map(|key| OpenBatch::of_key(&program, key, anchor));
        Ok(Self {
            groups: GroupIndex::new(&types)?,
            fold: Fold::new(&program),
            windows: OpenWindows::default(),
            batch,
            position: anchor.offset,
            silent_until: progress.position,
            floor: anchor,
            watermark: anchor.watermark,
            latest: progress.latest,
            sealed,
            next_seal: after(sealed, program.windows.size),
            last_log_time: anchor.log_time,
            batch_before: anchor.batch,
            volumes: Volumes::resume(&program.rules, &progress.volumes),
            to_apply: progress.decrees.iter().copied().collect(),
            pending: progress.decree_pending,
            decrees: Vec::new(),
            history: progress.decrees.iter().fold(progress.history, History::without),
            losses: progress.losses.clone(),
            incarnation: progress.incarnation,
            verdicts: Verdicts::default(),
            windows_from: EventTime::NEVER,
            program,
        })
    }

    /// The same lane, that has no windows that start before `from`.
    #[must_use]
    pub fn with_windows_from(self, from: EventTime) -> Self {
        Self { windows_from: from, ..self }
    }

    /// Judges and folds the records of one fetch, which must begin at or after the position and rise; up to a record at which
    /// a rule stops the lane, where it stops again when it is fed again.
    pub fn feed(&mut self, fetch: &Fetch<'_>) -> Result<Emissions, Error> {
        self.pass(fetch, None)
    }

    /// The same beside another lane, whose verdicts of some of the records are those that count; no rule stops the lane at them.
    pub(crate) fn feed_beside(&mut self, fetch: &Fetch<'_>, theirs: &[(i64, Verdict)]) -> Result<Emissions, Error> {
        self.pass(fetch, Some(theirs))
    }

    fn pass(&mut self, fetch: &Fetch<'_>, theirs: Option<&[(i64, Verdict)]>) -> Result<Emissions, Error> {
        self.forget_groups();
        self.bound_losses(fetch);
        let judged = Judged::of(&self.program, fetch.rows, &mut self.groups)?;
        let out = Emissions::default();
        let replaying = self.is_replaying();
        let mut pass = Pass { fetch, judged: &judged, out, row: 0, uncounted: 0, halt: None, replaying, theirs };
        if theirs.is_none() {
            pass.halt = self.runaway();
        }
        for bad in fetch.undecodable {
            self.rows_before(bad.offset, &mut pass)?;
            if pass.halt.is_some() {
                break;
            }
            self.undecodable(bad, &mut pass)?;
        }
        self.rows_before(Offset(i64::MAX), &mut pass)?;
        self.count_rules(&mut pass);
        self.settle(&judged);
        #[cfg(feature = "mutants")]
        if crate::mutants::is(crate::mutants::Mutant::CloseAtFetchEnd) {
            let at = self.position;
            self.seal(at, at > self.silent_until, &mut pass.out)?;
        }
        self.position = self.position.max(pass.halt.map_or(fetch.end, |halt| halt.offset));
        self.apply_decrees(self.position, &mut pass)?;
        self.forget_decrees();
        pass.out.halt = pass.halt;
        Ok(pass.out)
    }

    /// Sets the watermark to `watermark`, unless it is further already, and ends the open batch. Not to be called while
    /// [`Self::is_replaying`].
    pub fn decree(&mut self, watermark: EventTime) -> Result<Decreed, Error> {
        debug_assert!(!self.is_replaying(), "a decree is made at the end of what is known");
        // A decree that was left unsent at this very position becomes part of this one; nothing is open then.
        let mut watermark = watermark.max(self.watermark);
        for unsent in self.to_apply.drain(..) {
            watermark = watermark.max(unsent.watermark);
            self.history = self.history.with(&unsent);
        }
        let decree = Decree { at: self.position, watermark };
        let mut progress = self.progress();
        progress.decrees.push(decree);
        progress.history = self.history.with(&decree);
        progress.decree_pending = true;
        progress.watermark = decree.watermark;
        let mut out = Emissions::default();
        self.apply(decree, true, &mut out)?;
        Ok(Decreed { progress, emissions: out })
    }

    /// What may be committed once everything given out so far is acknowledged. Not to be committed while
    /// [`Self::is_replaying`].
    pub fn progress(&self) -> Progress {
        Progress {
            position: self.position,
            anchor: self.anchor(),
            watermark: self.to_apply.iter().fold(self.watermark, |most, decree| most.max(decree.watermark)),
            latest: self.latest,
            // What is still to be applied stays to be sent.
            decrees: self.decrees.iter().chain(&self.to_apply).copied().collect(),
            volumes: self.volumes.known(),
            decree_pending: self.pending && !self.to_apply.is_empty(),
            history: self.to_apply.iter().fold(self.history, History::with),
            losses: self.losses.clone(),
            incarnation: self.incarnation,
        }
    }

    /// From where the state at the position can be rebuilt. It never goes back.
    fn anchor(&self) -> Point {
        let own = self.own_anchor();
        #[cfg(feature = "mutants")]
        if crate::mutants::is(crate::mutants::Mutant::AnchorGoesBack) {
            return own;
        }
        if own.offset < self.floor.offset { self.floor } else { own }
    }

    /// The anchor that follows from what this lane holds.
    fn own_anchor(&self) -> Point {
        let here = self.here(self.position);
        let state = self.windows.replay_from(here);
        let batch = self.batch.as_ref().map_or(here, |batch| batch.anchor);
        if batch.offset < state.offset { batch } else { state }
    }

    /// Ends with the records read so far: the open batch is over.
    pub(crate) fn finish(&mut self, out: &mut Emissions) {
        self.end_batch(self.position, false, true, out);
    }

    /// Goes on without the lane beside it, whose last window has closed, in a program that cuts its own batches. That a batch ends here
    /// is kept as a decree that raises nothing.
    pub(crate) fn begin_alone(&mut self, program: Arc<Program>) {
        // It may take the place of one that has just been made here.
        let decree = Decree { at: self.position, watermark: self.watermark };
        self.end_batch(decree.at, false, false, &mut Emissions::default());
        self.batch_before = None;
        self.note(decree);
        self.verdicts = Verdicts::default();
        if !program.batch.cuts_like(&self.program.batch) {
            // Batches of another length are no measure for those to come.
            self.volumes = Volumes::resume(&program.rules, &[]);
        }
        self.program = program;
    }

    /// What it runs.
    pub(crate) fn program(&self) -> Arc<Program> {
        self.program.clone()
    }

    /// Nothing is given out for records before this one.
    pub(crate) fn silent_until(&self) -> Offset {
        self.silent_until
    }

    /// Whether the committed position has not been reached yet.
    pub fn is_replaying(&self) -> bool {
        self.position < self.silent_until
    }

    /// The next record to read.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// The next record to read, with what its reader must know.
    pub fn next_point(&self) -> Point {
        self.here(self.position)
    }

    /// The watermark.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// The largest event time of a judged-valid record.
    pub fn latest(&self) -> EventTime {
        self.latest
    }

    /// The seal: windows that end by then are closed.
    pub fn sealed(&self) -> EventTime {
        self.sealed
    }

    /// Verdicts of the records judged since this lane took the partition up, replayed ones left out.
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts
    }

    /// Verdicts of the batch that is being filled; replayed records of it are in.
    pub fn batch_verdicts(&self) -> Verdicts {
        self.batch.as_ref().map(|batch| batch.verdicts).unwrap_or_default()
    }

    /// Open windows: (start, remembered ids, bytes held for the ids).
    pub fn open_windows(&self) -> impl Iterator<Item = (EventTime, usize, usize)> + '_ {
        self.windows.iter().map(|open| (open.window.start, open.ids.len(), open.ids.bytes()))
    }

    /// How many groups are known: those of open windows, and closed ones' that are not forgotten yet.
    pub fn known_groups(&self) -> usize {
        self.groups.len()
    }

    /// How many cells (a group in an open window) there is room for; those of closed windows are used again.
    pub fn cells(&self) -> usize {
        self.fold.cells()
    }
}

/// What a replay that starts with the record at `offset` must know.
#[inline]
fn here(
    batch: Option<&OpenBatch>,
    before: Option<BatchKey>,
    watermark: EventTime,
    log_time: LogTime,
    offset: Offset,
) -> Point {
    let batch = match batch {
        Some(batch) if batch.first < offset => Some(batch.key),
        _ => before,
    };
    Point { offset, watermark, log_time, batch }
}

fn after(sealed: EventTime, size: i64) -> EventTime {
    if sealed == EventTime::NEVER { EventTime(i64::MIN + 1) } else { EventTime(sealed.0.saturating_add(size)) }
}

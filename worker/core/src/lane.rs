//! The state machine of one source partition: records in, verdicts, partials, seals and reports out.
//!
//! What it keeps true, whatever the fetches: every verdict depends on the record and the log before it alone (L2); the
//! watermark, the seal and the position never go back (L5); a replay from the anchor gives nothing out before the position
//! that was committed, and afterwards exactly what it would have given out before (L3).

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_cast::display::array_value_to_string;

use crate::batch::OpenBatch;
use crate::emission::{Emission, Emissions, Reason, Refused, Seal, Verdict, Verdicts};
use crate::error::Error;
use crate::fetch::{Fetch, Undecodable};
use crate::fold::Fold;
use crate::groups::GroupIndex;
use crate::judge::Judged;
use crate::open::{OpenWindow, OpenWindows};
use crate::program::Program;
use crate::progress::{BatchKey, Decree, Point, Progress};
use crate::units::{EventTime, LogTime, Offset};

/// How many records ahead the id sets are looked up.
const LOOK_AHEAD: usize = 32;
/// Groups are renumbered only when there are more than this.
const MANY_GROUPS: usize = 4096;

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
    watermark: EventTime,
    latest: EventTime,
    sealed: EventTime,
    /// The watermark at which the seal rises.
    next_seal: EventTime,
    last_log_time: LogTime,
    /// The batch that was open before the first record of the one that is open now.
    batch_before: Option<BatchKey>,
    /// Decrees that the replay has still to meet, the last of them perhaps not yet sent.
    to_apply: VecDeque<Decree>,
    pending: bool,
    /// Decrees since the anchor.
    decrees: Vec<Decree>,
    incarnation: u64,
    verdicts: Verdicts,
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
}

impl Lane {
    /// Takes a partition up where `progress` left it. Records must be fed from its anchor on.
    pub fn resume(program: Arc<Program>, progress: &Progress) -> Result<Self, Error> {
        let types: Vec<_> = program.groups.iter().map(|group| group.data_type.clone()).collect();
        let anchor = progress.anchor;
        let sealed = program.windows.floor(anchor.watermark);
        let batch = anchor.batch.map(|key| OpenBatch::of_key(&program.batch, program.rules.len(), key, anchor));
        Ok(Self {
            groups: GroupIndex::new(&types)?,
            fold: Fold::new(&program),
            windows: OpenWindows::default(),
            batch,
            position: anchor.offset,
            silent_until: progress.position,
            watermark: anchor.watermark,
            latest: progress.latest,
            sealed,
            next_seal: after(sealed, program.windows.size),
            last_log_time: anchor.log_time,
            batch_before: anchor.batch,
            to_apply: progress.decrees.iter().copied().collect(),
            pending: progress.decree_pending,
            decrees: Vec::new(),
            incarnation: progress.incarnation,
            verdicts: Verdicts::default(),
            program,
        })
    }

    /// Judges and folds the records of one fetch, which must begin at or after the position and rise.
    pub fn feed(&mut self, fetch: &Fetch<'_>) -> Result<Emissions, Error> {
        self.forget_groups();
        let judged = Judged::of(&self.program, fetch.rows, &mut self.groups)?;
        let mut pass = Pass { fetch, judged: &judged, out: Emissions::default(), row: 0, uncounted: 0 };
        for bad in fetch.undecodable {
            self.rows_before(bad.offset, &mut pass)?;
            self.undecodable(bad, &mut pass)?;
        }
        self.rows_before(Offset(i64::MAX), &mut pass)?;
        self.count_rules(&mut pass);
        self.settle(&judged)?;
        self.position = self.position.max(fetch.end);
        self.apply_decrees(self.position, &mut pass)?;
        self.forget_decrees();
        Ok(pass.out)
    }

    /// Sets the watermark to `watermark`, unless it is further already, and ends the open batch. Not to be called while
    /// [`Self::is_replaying`].
    pub fn decree(&mut self, watermark: EventTime) -> Result<Decreed, Error> {
        debug_assert!(!self.is_replaying(), "a decree is made at the end of what is known");
        // A decree that was left unsent at this very position becomes part of this one; nothing is open then.
        let unsent = self.to_apply.drain(..).map(|decree| decree.watermark).max();
        let watermark = watermark.max(self.watermark).max(unsent.unwrap_or(EventTime::NEVER));
        let decree = Decree { at: self.position, watermark };
        let mut progress = self.progress();
        progress.decrees.push(decree);
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
            decree_pending: self.pending && !self.to_apply.is_empty(),
            incarnation: self.incarnation,
        }
    }

    /// From where the state at the position can be rebuilt.
    fn anchor(&self) -> Point {
        let here = self.here(self.position);
        let state = self.windows.replay_from(here);
        let batch = self.batch.as_ref().map_or(here, |batch| batch.anchor);
        if batch.offset < state.offset { batch } else { state }
    }

    /// Whether the committed position has not been reached yet.
    pub fn is_replaying(&self) -> bool {
        self.position < self.silent_until
    }

    /// The next record to read.
    pub fn position(&self) -> Offset {
        self.position
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

    fn rows_before(&mut self, until: Offset, pass: &mut Pass<'_>) -> Result<(), Error> {
        let offsets = pass.fetch.offsets;
        let end = pass.row + offsets[pass.row..].partition_point(|offset| *offset < until.0);
        while pass.row < end {
            let block = (pass.row + LOOK_AHEAD).min(end);
            self.look_ahead(&pass.judged.ids[pass.row..block]);
            while pass.row < block {
                self.row(pass)?;
                pass.row += 1;
            }
        }
        Ok(())
    }

    /// Reads the home slots of the ids to come; the loads do not depend on one another, so their cache misses overlap.
    fn look_ahead(&self, ids: &[u128]) {
        let mut seen = 0;
        for open in self.windows.iter() {
            seen = ids.iter().fold(seen, |seen, id| seen ^ open.ids.home_content(*id));
        }
        std::hint::black_box(seen);
    }

    #[inline]
    fn row(&mut self, pass: &mut Pass<'_>) -> Result<(), Error> {
        let row = pass.row;
        let (offset, log_time) = (Offset(pass.fetch.offsets[row]), pass.fetch.log_times[row]);
        self.arrive(offset, log_time, pass)?;
        let time = EventTime(pass.judged.times[row]);
        let ahead = time.0.saturating_sub(log_time) > self.program.max_future_skew;
        let verdict = if ahead || pass.judged.sound.as_ref().is_some_and(|sound| !sound.value(row)) {
            self.refuse_row(row, time, LogTime(log_time), pass)
        } else {
            self.valid_row(row, time, pass)
        };
        self.conclude(verdict, offset, log_time);
        if self.watermark >= self.next_seal {
            self.settle(pass.judged)?;
            self.seal(Offset(offset.0 + 1), offset >= self.silent_until, &mut pass.out)?;
        }
        Ok(())
    }

    fn undecodable(&mut self, bad: &Undecodable, pass: &mut Pass<'_>) -> Result<(), Error> {
        self.arrive(bad.offset, bad.log_time.0, pass)?;
        self.refuse(bad.offset, Reason::Undecodable(bad.reason.clone()), &mut pass.out);
        self.conclude(Verdict::Undecodable, bad.offset, bad.log_time.0);
        Ok(())
    }

    /// A judged-valid record: filtered, late, duplicate or counted; it moves the watermark.
    #[inline]
    fn valid_row(&mut self, row: usize, time: EventTime, pass: &mut Pass<'_>) -> Verdict {
        let verdict = if pass.judged.passes.as_ref().is_some_and(|passes| !passes.value(row)) {
            Verdict::Filtered
        } else if time < self.watermark && self.program.windows.of(time).end <= self.watermark {
            self.late_row(row, time, pass);
            Verdict::Late
        } else {
            self.remember(row, time, pass)
        };
        self.latest = self.latest.max(time);
        self.watermark = self.watermark.max(time.minus(self.program.delay));
        verdict
    }

    #[inline]
    fn remember(&mut self, row: usize, time: EventTime, pass: &Pass<'_>) -> Verdict {
        let offset = Offset(pass.fetch.offsets[row]);
        let here = here(self.batch.as_ref(), self.batch_before, self.watermark, self.last_log_time, offset);
        let index = self.windows.index_of(&self.program.windows, time, || here);
        if !self.windows.remember(index, pass.judged.ids[row]) {
            return Verdict::Duplicate;
        }
        let open = self.windows.at(index);
        open.records += 1;
        let cell = open.cell(pass.judged.groups[row], || self.fold.take_cell());
        self.fold.queue(row, cell);
        Verdict::Counted
    }

    #[cold]
    fn late_row(&mut self, row: usize, time: EventTime, pass: &mut Pass<'_>) {
        if self.program.late_to_dead_letter {
            let reason = Reason::Late { window_end: self.program.windows.of(time).end, watermark: self.watermark };
            self.refuse(Offset(pass.fetch.offsets[row]), reason, &mut pass.out);
        }
    }

    #[cold]
    fn refuse_row(&mut self, row: usize, event_time: EventTime, log_time: LogTime, pass: &mut Pass<'_>) -> Verdict {
        let missing = |column: usize| pass.fetch.rows.column(column).is_null(row);
        let reason = if missing(self.program.event_time) {
            Reason::EventTimeMissing
        } else if event_time.0.saturating_sub(log_time.0) > self.program.max_future_skew {
            Reason::EventTimeFuture { event_time, log_time }
        } else if missing(self.program.event_id) {
            Reason::EventIdMissing
        } else {
            let rule = pass.judged.broken_rule(&self.program, row);
            Reason::Rule(rule.expect("a row is unsound only for a null or a broken dead-letter rule"))
        };
        self.refuse(Offset(pass.fetch.offsets[row]), reason, &mut pass.out);
        Verdict::Invalid
    }

    fn refuse(&self, offset: Offset, reason: Reason, out: &mut Emissions) {
        if offset >= self.silent_until {
            out.refused.push(Refused { offset, reason });
        }
    }

    /// Before a record is judged: decrees that fell before it, and the end of the batch when it belongs to another.
    #[inline]
    fn arrive(&mut self, offset: Offset, log_time: i64, pass: &mut Pass<'_>) -> Result<(), Error> {
        debug_assert!(offset >= self.position, "a fetch begins at the position and rises");
        if !self.to_apply.is_empty() {
            self.apply_decrees(offset, pass)?;
        }
        if self.batch.as_ref().is_none_or(|batch| !batch.holds(offset.0, log_time)) {
            self.count_rules(pass);
            self.end_batch(offset, offset >= self.silent_until, &mut pass.out);
            let anchor = self.windows.earliest(self.here(offset));
            let rules = self.program.rules.len();
            self.batch = Some(OpenBatch::new(&self.program.batch, rules, offset, LogTime(log_time), anchor));
        }
        Ok(())
    }

    #[inline]
    fn conclude(&mut self, verdict: Verdict, offset: Offset, log_time: i64) {
        if let Some(batch) = &mut self.batch {
            batch.record(verdict, log_time);
        }
        if offset >= self.silent_until {
            self.verdicts.add(verdict);
        }
        self.last_log_time = LogTime(log_time);
        self.position = Offset(offset.0 + 1);
    }

    fn apply_decrees(&mut self, reached: Offset, pass: &mut Pass<'_>) -> Result<(), Error> {
        while let Some(decree) = self.to_apply.pop_front_if(|decree| decree.at <= reached) {
            self.count_rules(pass);
            self.settle(pass.judged)?;
            let unsent = self.pending && self.to_apply.is_empty() && decree.at == self.silent_until;
            self.position = self.position.max(decree.at);
            self.apply(decree, unsent, &mut pass.out)?;
        }
        Ok(())
    }

    fn apply(&mut self, decree: Decree, loud: bool, out: &mut Emissions) -> Result<(), Error> {
        self.end_batch(decree.at, loud, out);
        self.batch_before = None;
        self.watermark = self.watermark.max(decree.watermark);
        self.seal(decree.at, loud, out)?;
        // One for each position is enough, the last.
        self.decrees.retain(|earlier| earlier.at != decree.at);
        self.decrees.push(decree);
        self.forget_decrees();
        Ok(())
    }

    /// Forgets the decrees that the anchor's watermark holds, so that they do not pile up (L8).
    fn forget_decrees(&mut self) {
        if !self.decrees.is_empty() {
            let anchor = self.anchor().offset;
            self.decrees.retain(|decree| decree.at > anchor);
        }
    }

    fn end_batch(&mut self, end: Offset, loud: bool, out: &mut Emissions) {
        self.batch_before = self.batch.as_ref().map(|batch| batch.key);
        if let Some(batch) = self.batch.take()
            && loud
        {
            out.items.push(Emission::Report(batch.report(end)));
        }
    }

    /// Closes the windows that the watermark has reached and raises the seal.
    fn seal(&mut self, at: Offset, loud: bool, out: &mut Emissions) -> Result<(), Error> {
        let until = self.program.windows.floor(self.watermark);
        if until <= self.sealed {
            return Ok(());
        }
        let mut closed = Vec::new();
        for open in self.windows.close(until) {
            if loud {
                let (partials, windows) = self.fold.partials(&open, at, &self.groups)?;
                out.items.extend(partials.into_iter().map(Emission::Partial));
                closed.extend(windows);
            }
            self.fold.release(&open);
        }
        if loud {
            out.items.push(Emission::Seal(Seal { until, at, closed }));
        }
        self.sealed = until;
        self.next_seal = after(until, self.program.windows.size);
        Ok(())
    }

    fn settle(&mut self, judged: &Judged) -> Result<(), Error> {
        self.fold.settle(&judged.arguments).map_err(|overflow| {
            let owner = self.windows.iter().find(|open| open.groups().any(|(_, cell)| cell == overflow.cell));
            let window = owner.expect("a cell belongs to an open window until it is released").window;
            Error::Overflow { measure: self.program.measures[overflow.measure].name.clone(), window }
        })
    }

    /// Counts what the rules say of the rows since the last count, all of which belong to the open batch.
    fn count_rules(&mut self, pass: &mut Pass<'_>) {
        let (from, to) = (std::mem::replace(&mut pass.uncounted, pass.row), pass.row);
        let Some(batch) = self.batch.as_mut().filter(|_| from < to) else { return };
        let ids = pass.fetch.rows.column(self.program.event_id);
        let id = |row: usize| (!ids.is_null(row)).then(|| array_value_to_string(ids, row).unwrap_or_default());
        for (rule, check) in pass.judged.checks.iter().enumerate() {
            batch.check(rule, check, from, to, pass.fetch.offsets, id);
        }
        if let Some((latencies, known)) = &pass.judged.latencies {
            let rows = (from..to).filter(|row| known.as_ref().is_none_or(|known| known.value(*row)));
            rows.for_each(|row| batch.latency.add(latencies[row]));
        }
    }

    fn here(&self, offset: Offset) -> Point {
        here(self.batch.as_ref(), self.batch_before, self.watermark, self.last_log_time, offset)
    }

    /// Renumbers the groups when most have no open window any more, so that they do not grow with uptime (L8).
    fn forget_groups(&mut self) {
        if self.groups.len() < MANY_GROUPS {
            return;
        }
        let mut live = vec![false; self.groups.len()];
        self.windows.iter().flat_map(OpenWindow::groups).for_each(|(group, _)| live[group as usize] = true);
        if live.iter().filter(|live| **live).count() * 2 < live.len() {
            let new = self.groups.retain(|group| live[group as usize]);
            self.windows.iter_mut().for_each(|open| open.renumber(&new));
        }
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

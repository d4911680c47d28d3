//! The row loop: each record of a fetch in turn gets its one verdict, and the watermark moves.

use super::{Lane, Pass, here};
use crate::batch::OpenBatch;
use crate::emission::{Cause, Halt, Reason, Refused, Verdict};
use crate::error::Error;
use crate::fetch::Undecodable;
use crate::program::Consequence;
use crate::times::{written_number, written_text};
use crate::units::{EventTime, LogTime, Offset};

/// How many records ahead the id sets are looked up.
const LOOK_AHEAD: usize = 32;

impl Lane {
    pub(super) fn rows_before(&mut self, until: Offset, pass: &mut Pass<'_>) -> Result<(), Error> {
        let offsets = pass.fetch.offsets;
        let end = pass.row + offsets[pass.row..].partition_point(|offset| *offset < until.0);
        while pass.row < end && pass.halt.is_none() {
            let block = (pass.row + LOOK_AHEAD).min(end);
            self.look_ahead(&pass.judged.ids[pass.row..block]);
            while pass.row < block {
                let verdict = self.row(pass)?;
                if pass.halt.is_some() {
                    return Ok(());
                }
                pass.row += 1;
                self.guard(verdict, pass);
                if pass.halt.is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads the home slots of the ids to come; the loads do not depend on one another, so their cache misses overlap.
    pub(super) fn look_ahead(&self, ids: &[u128]) {
        let mut seen = 0;
        for open in self.windows.iter() {
            seen = ids.iter().fold(seen, |seen, id| seen ^ open.ids.home_content(*id));
        }
        std::hint::black_box(seen);
    }

    #[inline]
    pub(super) fn row(&mut self, pass: &mut Pass<'_>) -> Result<Verdict, Error> {
        let row = pass.row;
        let (offset, log_time) = (Offset(pass.fetch.offsets[row]), pass.fetch.log_times[row]);
        if pass.replaying && self.stands_at_the_end_of_the_replay(offset, pass) {
            return Ok(Verdict::Invalid);
        }
        let time = EventTime(pass.judged.times.millis[row]);
        let unsound = !self.program.may_be(time, LogTime(log_time))
            || pass.judged.sound.as_ref().is_some_and(|sound| !sound.value(row));
        let reason = unsound.then(|| self.objection(row, time, LogTime(log_time), pass));
        if let Some(Reason::Rule(rule)) = reason
            && self.program.rules[rule].consequence == Consequence::Stop
            && theirs(pass, offset).is_none()
        {
            pass.halt = Some(Halt { offset, cause: Cause::Rule(rule) });
            return Ok(Verdict::Invalid);
        }
        self.arrive(offset, log_time, pass)?;
        let verdict = match reason {
            Some(reason) => {
                self.refuse(offset, reason, pass);
                Verdict::Invalid
            }
            None => self.valid_row(row, time, pass),
        };
        let own = verdict;
        let verdict = tell(pass, offset, verdict);
        if own == Verdict::Counted
            && verdict == own
            && pass.judged.marked.as_ref().is_some_and(|marked| marked.value(row))
        {
            self.count_valueless(row, pass);
        }
        self.conclude(verdict, offset, log_time);
        #[cfg(feature = "mutants")]
        if crate::mutants::is(crate::mutants::Mutant::CloseAtFetchEnd) {
            return Ok(verdict);
        }
        if self.watermark >= self.next_seal {
            self.settle(pass.judged);
            self.seal(Offset(offset.0 + 1), offset >= self.silent_until, &mut pass.out)?;
        }
        Ok(verdict)
    }

    /// Stops behind a record with which too much of its batch has become dead letters. Beside another lane it is the caller that looks.
    #[inline]
    fn guard(&self, verdict: Verdict, pass: &mut Pass<'_>) {
        let counts = matches!(verdict, Verdict::Counted | Verdict::Filtered | Verdict::Duplicate);
        if counts && !self.has_just_enough() {
            return;
        }
        if pass.theirs.is_none() {
            pass.halt = self.runaway();
        }
    }

    /// Before the first record that is not replayed: whether the lane stood there already.
    #[cold]
    fn stands_at_the_end_of_the_replay(&mut self, offset: Offset, pass: &mut Pass<'_>) -> bool {
        if offset < self.silent_until {
            return false;
        }
        pass.replaying = false;
        self.position = self.position.max(self.silent_until);
        pass.halt = self.runaway().filter(|_| pass.theirs.is_none());
        pass.halt.is_some()
    }

    /// Whether the open batch has as many records as the guard asks for: with one that counts the share can only fall.
    #[inline]
    fn has_just_enough(&self) -> bool {
        let guard = self.program.guard.as_ref();
        guard.is_some_and(|guard| self.batch.as_ref().is_some_and(|batch| batch.verdicts.records() == guard.at_least))
    }

    pub(super) fn undecodable(&mut self, bad: &Undecodable, pass: &mut Pass<'_>) -> Result<(), Error> {
        if pass.replaying && self.stands_at_the_end_of_the_replay(bad.offset, pass) {
            return Ok(());
        }
        self.arrive(bad.offset, bad.log_time.0, pass)?;
        let verdict = if bad.is_null && self.program.ignore_nulls {
            Verdict::Ignored
        } else {
            let reason = Reason::Undecodable { kind: bad.kind.to_owned(), message: bad.reason.clone() };
            self.refuse(bad.offset, reason, pass);
            Verdict::Undecodable
        };
        let verdict = tell(pass, bad.offset, verdict);
        self.conclude(verdict, bad.offset, bad.log_time.0);
        self.guard(verdict, pass);
        Ok(())
    }

    /// A judged-valid record: filtered, late, duplicate or counted; it moves the watermark.
    #[inline]
    pub(super) fn valid_row(&mut self, row: usize, time: EventTime, pass: &mut Pass<'_>) -> Verdict {
        let verdict = if pass.judged.passes.as_ref().is_some_and(|passes| !passes.value(row)) {
            Verdict::Filtered
        } else if time < self.watermark && self.program.windows.of(time).end <= self.watermark {
            self.late_row(row, time, pass);
            Verdict::Late
        } else {
            self.own(row, time, pass)
        };
        self.latest = self.latest.max(time);
        self.watermark = self.watermark.max(time.minus(self.program.delay));
        verdict
    }

    /// A record that is not late by the watermark. In a window of another meaning it is remembered, and late all the same.
    #[inline]
    fn own(&mut self, row: usize, time: EventTime, pass: &mut Pass<'_>) -> Verdict {
        let verdict = self.remember(row, time, pass);
        if time >= self.windows_from || self.program.windows.floor(time) >= self.windows_from {
            return verdict;
        }
        self.late_row(row, time, pass);
        Verdict::Late
    }

    #[inline]
    pub(super) fn remember(&mut self, row: usize, time: EventTime, pass: &Pass<'_>) -> Verdict {
        let offset = Offset(pass.fetch.offsets[row]);
        let here = here(self.batch.as_ref(), self.batch_before, self.watermark, self.last_log_time, offset);
        let index = self.windows.index_of(&self.program.windows, time, || here);
        if !self.windows.remember(index, pass.judged.ids[row]) {
            self.sample_duplicate(row, pass);
            return Verdict::Duplicate;
        }
        let open = self.windows.at(index);
        open.records += 1;
        let cell = open.cell(pass.judged.groups[row], || self.fold.take_cell());
        self.fold.queue(row, cell);
        Verdict::Counted
    }

    #[cold]
    pub(super) fn late_row(&mut self, row: usize, time: EventTime, pass: &mut Pass<'_>) {
        if self.program.late_to_dead_letter {
            let reason = Reason::Late { window_end: self.program.windows.of(time).end, watermark: self.watermark };
            self.refuse(Offset(pass.fetch.offsets[row]), reason, pass);
        }
    }

    /// Why an unsound record does not count: the reserved rules first, then the manifest's in their order.
    #[cold]
    fn objection(&self, row: usize, event_time: EventTime, log_time: LogTime, pass: &Pass<'_>) -> Reason {
        let (rows, from) = (pass.fetch.rows, self.program.event_time);
        let missing = |column: usize| rows.column(column).is_null(row);
        if missing(from.column) {
            Reason::EventTimeMissing
        } else if !pass.judged.times.is_known(row) {
            Reason::EventTimeFormat { text: written_text(from, rows, row).unwrap_or_default() }
        } else if !self.program.times.holds(event_time) {
            Reason::EventTimeRange { event_time, written: written_number(from, rows, row) }
        } else if self.program.times.is_ahead(event_time, log_time) {
            Reason::EventTimeFuture { event_time, log_time, written: written_number(from, rows, row) }
        } else if missing(self.program.event_id) {
            Reason::EventIdMissing
        } else if pass.judged.oversize.as_ref().is_some_and(|oversize| oversize.value(row)) {
            Reason::ValueTooLarge
        } else {
            let rule = pass.judged.broken_rule(&self.program, row);
            Reason::Rule(rule.expect("a row is unsound only for a null, its size or a broken rule with a consequence"))
        }
    }

    /// A dead letter; what the meaning after this one judges is not one of this lane's.
    pub(super) fn refuse(&mut self, offset: Offset, reason: Reason, pass: &mut Pass<'_>) {
        if let Some(batch) = self.batch.as_mut().filter(|_| theirs(pass, offset).is_none()) {
            batch.refuse(offset, &reason);
        }
        if offset >= self.silent_until {
            pass.out.refused.push(Refused { offset, reason });
        }
    }

    /// Before a record is judged: decrees that fell before it, and the end of the batch when it belongs to another.
    #[inline]
    pub(super) fn arrive(&mut self, offset: Offset, log_time: i64, pass: &mut Pass<'_>) -> Result<(), Error> {
        debug_assert!(offset >= self.position, "a fetch begins at the position and rises");
        if !self.to_apply.is_empty() {
            self.apply_decrees(offset, pass)?;
        }
        if self.batch.as_ref().is_none_or(|batch| !batch.holds(offset.0, log_time)) {
            self.count_rules(pass);
            let interval_over = self.batch.as_ref().is_some_and(|batch| batch.is_past(log_time));
            self.end_batch(offset, interval_over, offset >= self.silent_until, &mut pass.out);
            let anchor = self.windows.earliest(self.here(offset));
            self.batch = Some(OpenBatch::new(&self.program, offset, LogTime(log_time), anchor));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn conclude(&mut self, verdict: Verdict, offset: Offset, log_time: i64) {
        if let Some(batch) = &mut self.batch {
            batch.record(verdict, log_time);
        }
        if offset >= self.silent_until {
            self.verdicts.add(verdict);
        }
        self.last_log_time = LogTime(log_time);
        self.position = Offset(offset.0 + 1);
    }
}

/// The verdict of the lane beside this one, if that is the one that counts.
#[inline]
fn theirs(pass: &Pass<'_>, offset: Offset) -> Option<Verdict> {
    let theirs = pass.theirs?;
    theirs.binary_search_by_key(&offset.0, |(offset, _)| *offset).ok().map(|at| theirs[at].1)
}

/// Tells the lane beside this one of a verdict; gives the one that counts.
#[inline]
fn tell(pass: &mut Pass<'_>, offset: Offset, verdict: Verdict) -> Verdict {
    if pass.theirs.is_none() {
        return verdict;
    }
    pass.out.verdicts.push((offset.0, verdict));
    theirs(pass, offset).unwrap_or(verdict)
}

//! What ends: batches, windows, decrees that have been met, groups that nobody holds any more.

use super::{Lane, Pass, after, here};
use crate::emission::{Cause, Emission, Emissions, Halt, Refusal, Seal, Why};
use crate::error::Error;
use crate::judge::Judged;
use crate::open::OpenWindow;
use crate::program::{Check, Guard, Subject};
use crate::progress::{Decree, Point};
use crate::sample::sample;
use crate::units::Offset;

/// Groups are renumbered only when there are more than this.
const MANY_GROUPS: usize = 4096;

impl Lane {
    pub(super) fn apply_decrees(&mut self, reached: Offset, pass: &mut Pass<'_>) -> Result<(), Error> {
        while let Some(decree) = self.to_apply.pop_front_if(|decree| decree.at <= reached) {
            self.count_rules(pass);
            self.settle(pass.judged);
            let unsent = self.pending && self.to_apply.is_empty() && decree.at == self.silent_until;
            self.position = self.position.max(decree.at);
            self.apply(decree, unsent, &mut pass.out)?;
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, decree: Decree, loud: bool, out: &mut Emissions) -> Result<(), Error> {
        self.end_batch(decree.at, false, loud, out);
        self.batch_before = None;
        self.watermark = self.watermark.max(decree.watermark);
        self.seal(decree.at, loud, out)?;
        self.note(decree);
        Ok(())
    }

    /// Keeps a decree that holds from here on.
    pub(super) fn note(&mut self, decree: Decree) {
        self.history = self.history.with(&decree);
        // One for each position is enough, the last.
        self.decrees.retain(|earlier| earlier.at != decree.at);
        self.decrees.push(decree);
        self.forget_decrees();
    }

    /// Forgets the decrees that the anchor's watermark holds, so that they do not pile up (L8).
    pub(super) fn forget_decrees(&mut self) {
        if !self.decrees.is_empty() {
            let (own, floor) = (self.own_anchor().offset, self.floor.offset);
            // The committed anchor may be from before the decree at its very offset; to meet a decree twice changes nothing.
            self.decrees.retain(|decree| decree.at > own && decree.at >= floor);
        }
    }

    /// Ends the open batch; `interval_over` says whether the next record lies in another interval of log time. What is replayed in
    /// silence is in the committed volumes already.
    pub(super) fn end_batch(&mut self, end: Offset, interval_over: bool, loud: bool, out: &mut Emissions) {
        let Some(batch) = self.batch.take() else {
            self.batch_before = None;
            return;
        };
        let before = self.batch_before.replace(batch.key);
        if loud && !self.was_open_at_a_loss(batch.first) {
            let (key, records) = (batch.key, batch.verdicts.records());
            let is_whole = interval_over && before.is_some_and(|before| before.0 != key.0);
            let report = batch.report(&self.program.rules, end, is_whole.then_some(&self.volumes));
            out.items.push(Emission::Report(report));
            if is_whole {
                self.volumes.push(records);
            }
        }
    }

    /// Closes the windows that the watermark has reached and raises the seal.
    pub(super) fn seal(&mut self, at: Offset, loud: bool, out: &mut Emissions) -> Result<(), Error> {
        let until = self.program.windows.floor(self.watermark);
        if until <= self.sealed {
            return Ok(());
        }
        self.end_losses(until);
        let mut closed = Vec::new();
        for open in self.windows.close(until) {
            if loud && open.window.start >= self.windows_from {
                let (partials, windows) = self.fold.partials(&open, at, &self.groups)?;
                out.items.extend(partials.into_iter().map(Emission::Partial));
                closed.extend(windows);
            }
            self.fold.release(&open);
        }
        if loud && until > self.windows_from {
            let after = self.sealed.max(self.windows_from);
            let lost = self.losses_between(after, until);
            out.items.push(Emission::Seal(Seal { after, until, at, closed, lost }));
        }
        self.sealed = until;
        self.next_seal = after(until, self.program.windows.size);
        Ok(())
    }

    pub(super) fn settle(&mut self, judged: &Judged) {
        self.fold.settle(&judged.arguments);
    }

    /// Counts what the rules say of the rows since the last count, all of which belong to the open batch.
    pub(super) fn count_rules(&mut self, pass: &mut Pass<'_>) {
        let (from, to) = (std::mem::replace(&mut pass.uncounted, pass.row), pass.row);
        let Some(batch) = self.batch.as_mut().filter(|_| from < to) else { return };
        for (rule, check) in pass.judged.checks.iter().enumerate() {
            if let Some(check) = check {
                let show = |row: usize| sample(&self.program, Subject::Rule(rule), Why::Violation, pass.fetch, row);
                batch.check(rule, check, from, to, pass.fetch.offsets, show);
            }
        }
        for (subject, without) in &pass.judged.without {
            let show = |row: usize, why: Why| sample(&self.program, *subject, why, pass.fetch, row);
            batch.without(self.program.place(*subject), without, (from, to), pass.fetch.offsets, show);
        }
        if let Some(latencies) = &pass.judged.latencies {
            let rows = (from..to).filter(|row| latencies.known.value(*row));
            rows.for_each(|row| batch.latency.add(latencies.millis[row]));
        }
    }

    /// A duplicate breaks the rule about ids, if there is one.
    #[cold]
    pub(super) fn sample_duplicate(&mut self, row: usize, pass: &Pass<'_>) {
        let rule = self.program.rules.iter().position(|rule| matches!(rule.check, Check::Unique));
        if let (Some(rule), Some(batch)) = (rule, &mut self.batch) {
            let show = || sample(&self.program, Subject::Rule(rule), Why::Violation, pass.fetch, row);
            batch.offer(rule, pass.fetch.offsets[row], show);
        }
    }

    /// Counts for which groups and measures a counted record has no value.
    #[cold]
    pub(super) fn count_valueless(&mut self, row: usize, pass: &Pass<'_>) {
        let Some(batch) = &mut self.batch else { return };
        let (program, judged) = (&self.program, pass.judged);
        let measures = judged.arguments.iter().enumerate();
        let measures =
            measures.filter_map(|(index, argument)| Some((Subject::Measure(index), argument.without.as_ref()?)));
        for (subject, without) in judged.groups_without.iter().map(|(subject, of)| (*subject, of)).chain(measures) {
            let show = |row: usize, why: Why| sample(program, subject, why, pass.fetch, row);
            batch.without(program.place(subject), without, (row, row + 1), pass.fetch.offsets, show);
        }
    }

    /// Where the lane stands because too much of the open batch went to the dead letters; nowhere while it is replaying.
    pub fn runaway(&self) -> Option<Halt> {
        self.runaway_by(self.program.guard)
    }

    /// Why records of the open batch were refused.
    pub fn open_refusals(&self) -> &[Refusal] {
        self.batch.as_ref().map_or(&[], |batch| &batch.refusals)
    }

    /// Dead letters and records of the open batch.
    pub(crate) fn letters(&self) -> (u64, u64) {
        self.batch.as_ref().map_or((0, 0), |batch| batch.share(self.program.late_to_dead_letter))
    }

    /// The same by another guard than the program's.
    pub(crate) fn runaway_by(&self, guard: Option<Guard>) -> Option<Halt> {
        let guard = guard?;
        let (letters, records) = self.letters();
        let stands = guard.stops(letters, records) && !self.is_replaying();
        stands.then_some(Halt { offset: self.position, cause: Cause::Runaway { letters, records } })
    }

    pub(super) fn here(&self, offset: Offset) -> Point {
        here(self.batch.as_ref(), self.batch_before, self.watermark, self.last_log_time, offset)
    }

    /// Renumbers the groups when most have no open window any more, so that they do not grow with uptime (L8).
    pub(super) fn forget_groups(&mut self) {
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

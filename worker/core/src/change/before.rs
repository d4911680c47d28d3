//! The meaning before beside the new one: how records are fed to both lanes at once, and which of what they say is whose.

use std::sync::Arc;

use super::{Change, Said};
use crate::emission::{Emission, Emissions, Halt, Verdict};
use crate::error::Error;
use crate::fetch::Fetch;
use crate::judge::Validity;
use crate::lane::Lane;
use crate::units::{EventTime, Offset};

/// The lane of the meaning before, while it has windows.
pub(super) struct Before {
    pub lane: Lane,
    pub change: Arc<Change>,
    /// Where the change was first known.
    pub since: Offset,
}

impl Before {
    /// Feeds both lanes from `from` on, up to the next place at which something ends. Whether a rule stops them there.
    pub(super) fn feed(
        &mut self,
        now: &mut Lane,
        before: &Fetch<'_>,
        fetch: &Fetch<'_>,
        from: Offset,
        said: &mut Said,
    ) -> Result<bool, Error> {
        if let Some(halt) = self.runaway(now) {
            said.before.halt = Some(halt);
            return Ok(true);
        }
        let ends = [self.lane.position(), now.position(), self.lane.silent_until(), now.silent_until()];
        let until = ends.into_iter().filter(|end| *end > from).fold(fetch.end, Offset::min);
        let until = self.within_patience(fetch, from, until);
        let Stretch { theirs, cut, halt } = self.foresee(before, fetch, from, until)?;
        let verdicts = feed_now(now, fetch, from, cut, &theirs, said)?;
        if self.lane.position() <= from {
            let of_theirs: Vec<(i64, Verdict)> =
                verdicts.into_iter().filter(|(offset, _)| theirs.binary_search(offset).is_ok()).collect();
            let mut emissions = self.lane.feed_beside(&before.part(from, cut).fetch(), &of_theirs)?;
            emissions.refused.retain(|refused| theirs.binary_search(&refused.offset.0).is_err());
            emissions.verdicts.clear();
            said.before.append(self.own(emissions));
        }
        if let Some((is_before, halt)) = halt {
            let of = if is_before { &mut said.before } else { &mut said.now };
            of.halt = Some(halt);
        }
        Ok(halt.is_some())
    }

    /// Where both lanes stand because too much of the batch that the meaning before reports went to the dead letters.
    pub(super) fn runaway(&self, now: &Lane) -> Option<Halt> {
        let settled = !now.is_replaying() && now.position() == self.lane.position();
        self.lane.runaway_by(self.change.beside.guard).filter(|_| settled)
    }

    /// The end of a stretch in which the guard can not stop before its end, whatever the records are: none of the two lanes can be
    /// stopped in the middle.
    fn within_patience(&self, fetch: &Fetch<'_>, from: Offset, until: Offset) -> Offset {
        let Some(guard) = self.change.beside.guard.filter(|_| !self.lane.is_replaying()) else { return until };
        let (letters, records) = self.lane.letters();
        let patience = guard.patience(letters, records).min(guard.patience(0, 0));
        let part = fetch.part(from, until);
        let part = part.fetch();
        let mut offsets: Vec<i64> =
            part.offsets.iter().copied().chain(part.undecodable.iter().map(|bad| bad.offset.0)).collect();
        offsets.sort_unstable();
        let last = usize::try_from(patience - 1).ok().and_then(|last| offsets.get(last));
        last.map_or(until, |last| Offset(last + 1).min(until))
    }

    /// How the records from `from` on can be fed to both lanes at once: none behind the one that closes the last window before, and none
    /// at or behind one before which a rule stops. That depends on the records alone.
    fn foresee(&self, before: &Fetch<'_>, now: &Fetch<'_>, from: Offset, until: Offset) -> Result<Stretch, Error> {
        let Change { before: program, beside, until: boundary } = &*self.change;
        let (before, now) = (before.part(from, until), now.part(from, until));
        let (before, now) = (before.fetch(), now.fetch());
        let validity = Validity::of(program, &before)?;
        let is_theirs = |(offset, time): &(i64, Option<i64>)| {
            *offset >= self.since.0 && time.is_some_and(|time| program.windows.floor(EventTime(time)) >= *boundary)
        };
        let theirs: Vec<i64> = validity.rows().filter(is_theirs).map(|(offset, _)| offset).collect();
        let is_theirs = |offset: i64| theirs.binary_search(&offset).is_ok();
        let closes = self.change.closes();
        let watermark = self.lane.watermark();
        let reached = if watermark >= closes { Some(from) } else { validity.reaches(watermark, program, closes) };
        // What came before the change was known is told of by the meaning before, also behind its last window.
        let closing = reached.map(|reached| reached.max(self.since));
        let cut = closing.filter(|_| !self.lane.is_replaying()).map_or(until, |closing| closing.min(until));
        let stops = [
            validity.stops(|offset| !is_theirs(offset)).map(|halt| (true, halt)),
            Validity::of(beside, &now)?.stops(is_theirs).map(|halt| (false, halt)),
        ];
        let halt = stops.into_iter().flatten().min_by_key(|(_, halt)| halt.offset);
        let halt = halt.filter(|(_, halt)| halt.offset < cut);
        let cut = halt.map_or(cut, |(_, halt)| halt.offset);
        Ok(Stretch { theirs, cut, halt })
    }

    /// What of the emissions is about windows of the meaning before.
    pub(super) fn own(&self, mut emissions: Emissions) -> Emissions {
        let (until, closes) = (self.change.until, self.change.closes());
        emissions.items.retain_mut(|item| match item {
            Emission::Partial(partial) => partial.window.start < until,
            Emission::Report(_) => true,
            Emission::Seal(seal) => {
                seal.closed.retain(|closed| closed.window.start < until);
                seal.until = seal.until.min(closes);
                seal.after < closes
            }
        });
        emissions
    }
}

/// Records that both lanes are fed at once.
struct Stretch {
    /// Offsets of those whose verdict the new meaning gives.
    theirs: Vec<i64>,
    /// Where it ends.
    cut: Offset,
    /// The record there, if a rule stops before it; true where that is one of the meaning before.
    halt: Option<(bool, Halt)>,
}

/// Feeds the lane of the new meaning, if it has come so far; what it says of the records.
fn feed_now(
    now: &mut Lane,
    fetch: &Fetch<'_>,
    from: Offset,
    cut: Offset,
    own: &[i64],
    said: &mut Said,
) -> Result<Vec<(i64, Verdict)>, Error> {
    if now.position() > from {
        return Ok(Vec::new());
    }
    let part = fetch.part(from, cut);
    let others = part.offsets.iter().filter(|offset| own.binary_search(offset).is_err());
    let others: Vec<(i64, Verdict)> = others.map(|offset| (*offset, Verdict::Late)).collect();
    let mut emissions = now.feed_beside(&part.fetch(), &others)?;
    emissions.refused.retain(|refused| own.binary_search(&refused.offset.0).is_ok());
    emissions.items.retain(|item| !matches!(item, Emission::Report(_)));
    let verdicts = std::mem::take(&mut emissions.verdicts);
    said.now.append(emissions);
    Ok(verdicts)
}

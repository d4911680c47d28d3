//! A change of meaning: every window is what its own meaning alone makes of the log, whatever the fetches and the deaths, and every
//! record has one verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use stream_core::{
    BatchReport, BeforeProgress, Change, Emission, Error, EventTime, Lane, Lanes, Offset, Partial, Program, Progress,
    Refused, Said as Both, Seal, Targets, Verdict, Window,
};
use tests::model::Params;
use tests::worlds::{Cutting, Drive, Log, Run, Said, Setting, arb_cutting, arb_run, program};

use crate::{cases, unexpected};

/// A run whose meaning changes.
#[derive(Clone, Debug)]
struct Changing {
    run: Run,
    /// The new meaning.
    setting: Setting,
    /// Picks the boundary, the position at which the lanes are taken up, and how far ahead of it the change is first known.
    until: usize,
    taken: usize,
    ahead: usize,
}

impl Changing {
    fn programs(&self) -> [Arc<Program>; 3] {
        let cut = |params: &Params, like: &Params| Params {
            batch_interval: like.batch_interval,
            batch_max_records: like.batch_max_records,
            ..params.clone()
        };
        let beside = Setting { params: cut(&self.setting.params, &self.run.setting.params), ..self.setting.clone() };
        [program(&self.run.setting), program(&self.setting), program(&beside)]
    }

    fn change(&self) -> Arc<Change> {
        let [before, now, beside] = self.programs();
        let events = self.run.log.records.iter().filter_map(|record| record.decodable.as_ref()?.event_time);
        // A boundary lies where events can be.
        let times: Vec<i64> = events.filter(|time| self.run.setting.params.in_calendar(*time)).collect();
        let time = times.get(self.until * times.len() / 1000).copied().unwrap_or(0);
        Arc::new(Change { before, beside, until: now.windows.floor(EventTime(time)) })
    }

    fn taken(&self) -> i64 {
        let (start, end) = (self.run.log.start(), self.run.log.end());
        start + (end - start) * self.taken as i64 / 1000
    }

    /// Where the change is first known by lanes that are taken up at `position`.
    fn since(&self, position: Offset) -> Offset {
        Offset(position.0 + (self.run.log.end() - position.0).max(0) * self.ahead as i64 / 1000)
    }

    /// The first record that can count from the boundary on.
    fn first(&self, change: &Change) -> i64 {
        let log = &self.run.log;
        let can = |(_, log_time): &(_, &i64)| **log_time >= change.begins().0;
        log.records.iter().zip(&log.folded).find(can).map_or(log.end(), |(record, _)| record.offset)
    }

    /// The decrees that are made once the lanes are taken up, the last of which closes everything.
    fn decrees(&self) -> Vec<(i64, EventTime)> {
        let known = self.run.decrees.iter().filter(|decree| decree.at > self.taken());
        let known = known.map(|decree| (decree.at, EventTime(decree.to)));
        let mut decrees: Vec<_> = known.collect();
        // A decree may lie behind the last record, where only markers of transactions are.
        let end = decrees.last().map_or(self.run.log.end(), |(at, _)| self.run.log.end().max(*at));
        decrees.push((end, EventTime(1 << 60)));
        decrees
    }
}

/// What was said by both, in the terms of one lane each.
#[derive(Clone, Debug, Default, PartialEq)]
struct All {
    before: Said,
    now: Said,
}

impl All {
    fn add(&mut self, said: Both) {
        self.before.add(said.before);
        self.now.add(said.now);
    }

    fn lengths(&self) -> [usize; 4] {
        [self.before.items.len(), self.before.refused.len(), self.now.items.len(), self.now.refused.len()]
    }

    fn truncate(&mut self, lengths: [usize; 4]) {
        self.before.items.truncate(lengths[0]);
        self.before.refused.truncate(lengths[1]);
        self.now.items.truncate(lengths[2]);
        self.now.refused.truncate(lengths[3]);
    }
}

/// An owner that does not know of the change, up to where the lanes are taken up; what it says.
fn until_taken<'a>(changing: &'a Changing, before: &Arc<Program>) -> Result<(Drive<'a>, Said), Error> {
    let (mut drive, mut said) = (Drive::start(&changing.run.log, before)?, Said::default());
    while drive.lane.position().0 < changing.taken() {
        said.add(drive.step(changing.taken(), &mut Cutting::whole())?);
    }
    Ok((drive, said))
}

/// The lanes from where they are taken up to the end, dying after so many steps again and again.
fn play(changing: &Changing, mut cutting: Cutting, deaths: &[usize]) -> Result<All, Error> {
    let (log, change) = (&changing.run.log, changing.change());
    let [before, now, _] = changing.programs();
    let (old, _) = until_taken(changing, &before)?;
    let position = old.lane.position();
    let since = changing.since(position);
    let begin = change.begin(Offset(changing.first(&change).min(position.0)));
    let mut committed = (begin, Some(BeforeProgress { progress: old.lane.progress(), since }));
    let mut all = All::default();
    let (planned, mut decreed) = (changing.decrees(), 0);
    'lives: for life in deaths.iter().copied().chain([usize::MAX]) {
        let mut lanes = take_up(&now, &change, &committed)?;
        let (mut lengths, mut made) = (all.lengths(), decreed);
        for step in 0.. {
            if step == life {
                all.truncate(lengths);
                decreed = made;
                continue 'lives;
            }
            assert!(step < 10_000, "it does not come to its end: {:?} of {planned:?}", lanes.progress());
            let until = planned.get(decreed).map(|(at, _)| *at);
            let Some(until) = until else { return Ok(all) };
            if lanes.position().0 < until || lanes.is_replaying() {
                let range = cutting.fetch(log, lanes.position().0, until);
                all.add(log.with_fetch(range, |fetch| lanes.feed(fetch, Some(fetch)))?);
            } else {
                let to = planned[decreed].1;
                let both = lanes.decree(Targets { before: to, now: to })?;
                all.add(both.said);
                decreed += 1;
            }
            if !lanes.is_replaying() && step % 3 == 0 {
                (committed, lengths, made) = (lanes.progress(), all.lengths(), decreed);
            }
        }
    }
    Ok(all)
}

fn take_up(
    now: &Arc<Program>,
    change: &Arc<Change>,
    (progress, before): &(Progress, Option<BeforeProgress>),
) -> Result<Lanes, Error> {
    match before {
        Some(before) => Lanes::resume(now.clone(), change.clone(), progress, before),
        None => Ok(Lanes::from(Lane::resume(now.clone(), progress)?.with_windows_from(change.until))),
    }
}

/// What a lane alone says that begins with `progress`.
fn alone(log: &Log, program: &Arc<Program>, progress: &Progress, decrees: &[(i64, EventTime)]) -> Result<Said, Error> {
    let (mut drive, mut said) = (Drive::resume(log, program, progress)?, Said::default());
    for (at, to) in decrees {
        while drive.lane.position().0 < *at {
            said.add(drive.step(*at, &mut Cutting::whole())?);
        }
        said.add(drive.lane.decree(*to)?.emissions);
    }
    Ok(said)
}

type Windows = BTreeMap<(Window, u32, u32), Partial>;

/// The parts of the windows that `own` accepts.
fn parts(said: &Said, own: impl Fn(Window) -> bool) -> Windows {
    let partials =
        said.items.iter().filter_map(|item| if let Emission::Partial(partial) = item { Some(partial) } else { None });
    let own = partials.filter(|partial| own(partial.window));
    own.map(|partial| ((partial.window, partial.output, partial.part), partial.clone())).collect()
}

fn seals(said: &Said) -> impl Iterator<Item = &Seal> {
    said.items.iter().filter_map(|item| if let Emission::Seal(seal) = item { Some(seal) } else { None })
}

/// How many records each verdict was given to, by the reports.
fn reported(all: &All, verdict: Option<Verdict>) -> u64 {
    let reports = all
        .before
        .items
        .iter()
        .chain(&all.now.items)
        .filter_map(|item| if let Emission::Report(report) = item { Some(report) } else { None });
    reports
        .map(|report| verdict.map_or_else(|| report.verdicts.consumed(), |verdict| report.verdicts.of(verdict)))
        .sum()
}

/// The reports and the dead letters of records before `end` alone.
fn until(said: &Said, end: Offset) -> (Vec<&BatchReport>, Vec<&Refused>) {
    let reports =
        said.items.iter().filter_map(|item| if let Emission::Report(report) = item { Some(report) } else { None });
    let reports = reports.filter(|report| report.end <= end);
    (reports.collect(), said.refused.iter().filter(|refused| refused.offset < end).collect())
}

fn arb_changing() -> impl Strategy<Value = Changing> {
    let numbers = (1..30_i64, 0..30_i64, 0..30_i64, 0..20_i64, 1..40_i64, 1..9_i64, any::<u8>());
    (arb_run(), numbers, 0..1000_usize, 0..1000_usize, arb_ahead()).prop_map(|(run, numbers, until, taken, ahead)| {
        let (window, offset, delay, skew, batch_interval, batch_max_records, refuse) = numbers;
        let refused = |rule: usize| refuse & (1 << (rule % 8)) != 0;
        let params = Params {
            window,
            window_offset: offset % window,
            delay,
            max_future_skew: skew,
            earliest: -1_000_000_000,
            doubt: run.setting.params.doubt,
            batch_interval,
            batch_max_records,
            dead_letter: (0..run.setting.params.dead_letter.len()).map(refused).collect(),
        };
        let setting = Setting { params, ..run.setting.clone() };
        Changing { run, setting, until, taken, ahead }
    })
}

fn arb_ahead() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0_usize), 0..=1000_usize]
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_window_is_what_its_own_meaning_alone_makes_of_the_log(changing in arb_changing()) {
        let (log, change) = (&changing.run.log, changing.change());
        let [before, now, _] = changing.programs();
        let all = play(&changing, Cutting::whole(), &[]).map_err(|error| unexpected(&error))?;
        let decrees = changing.decrees();
        let start = Progress::start(Offset(log.start()));
        let old = alone(log, &before, &start, &decrees).map_err(|error| unexpected(&error))?;
        let mut told = parts(&all.before, |_| true);
        // What the meaning before had said before the lanes were taken up stays said.
        let (_, earlier) = until_taken(&changing, &before).map_err(|error| unexpected(&error))?;
        told.extend(parts(&earlier, |window| window.start < change.until));
        prop_assert_eq!(told, parts(&old, |window| window.start < change.until), "windows before the boundary");

        let joined = change.begin(Offset(log.start()));
        let new = alone(log, &now, &joined, &decrees).map_err(|error| unexpected(&error))?;
        let from = |window: Window| window.start >= change.until;
        prop_assert_eq!(parts(&all.now, |_| true), parts(&new, from), "windows from the boundary on");
        prop_assert!(parts(&all.now, |window| window.start < change.until).is_empty());
        let last = seals(&all.before).last().map(|seal| seal.until);
        prop_assert!(last.is_none_or(|last| last == change.closes()), "{:?}", last);
        let is_chained = |said: &Said| seals(said).zip(seals(said).skip(1)).all(|(one, next)| one.until == next.after);
        prop_assert!(is_chained(&all.before) && is_chained(&all.now), "seals follow on one another");
    }

    #[test]
    fn what_comes_before_the_change_is_known_is_told_of_as_an_owner_that_never_knew_it_tells(changing in arb_changing()) {
        let log = &changing.run.log;
        let [before, ..] = changing.programs();
        let (drive, mut told) = until_taken(&changing, &before).map_err(|error| unexpected(&error))?;
        let since = changing.since(drive.lane.position());
        let all = play(&changing, Cutting::whole(), &[]).map_err(|error| unexpected(&error))?;
        told.items.extend(all.before.items);
        told.refused.extend(all.before.refused);
        let start = Progress::start(Offset(log.start()));
        let old = alone(log, &before, &start, &changing.decrees()).map_err(|error| unexpected(&error))?;
        let ((told, told_refused), (old, old_refused)) = (until(&told, since), until(&old, since));
        // One more may end where the meaning before is over.
        prop_assert_eq!(&told[..old.len().min(told.len())], &old[..]);
        prop_assert!(told.get(old.len()).is_none_or(|last| last.end == since));
        prop_assert_eq!(told_refused, old_refused);
        prop_assert!(all.now.refused.iter().all(|refused| refused.offset >= since));
    }

    #[test]
    fn neither_fetches_nor_deaths_change_what_is_said(
        changing in arb_changing(),
        cutting in arb_cutting(),
        deaths in proptest::collection::vec(0..12_usize, 0..6),
    ) {
        let plain = play(&changing, Cutting::whole(), &[]).map_err(|error| unexpected(&error))?;
        let disturbed = play(&changing, cutting, &deaths).map_err(|error| unexpected(&error))?;
        prop_assert_eq!(disturbed, plain);
    }

    #[test]
    fn every_record_has_one_verdict_and_what_is_counted_is_in_a_window(changing in arb_changing()) {
        let changing = Changing { taken: 0, ..changing };
        let all = play(&changing, Cutting::whole(), &[]).map_err(|error| unexpected(&error))?;
        prop_assert_eq!(reported(&all, None), changing.run.log.records.len() as u64);
        let mut records: BTreeMap<(bool, Window), u64> = BTreeMap::new();
        for (is_before, said) in [(true, &all.before), (false, &all.now)] {
            let closed = seals(said).flat_map(|seal| &seal.closed);
            records.extend(closed.map(|closed| ((is_before, closed.window), closed.records)));
        }
        let (counted, folded) = (reported(&all, Some(Verdict::Counted)), records.values().sum::<u64>());
        let change = changing.change();
        if changing.ahead > 0 {
            // The meaning before tells of what lies before the place where the change is known, the new one folds its own of it.
        } else if change.closes() == change.until {
            prop_assert_eq!(counted, folded);
        } else {
            // The last window of the meaning before reaches into the first ones of the new.
            prop_assert!(counted <= folded, "{} counted, {} folded", counted, folded);
        }
        let mut letters: Vec<i64> = all.before.refused.iter().chain(&all.now.refused).map(|refused| refused.offset.0).collect();
        let count = letters.len();
        letters.sort_unstable();
        letters.dedup();
        prop_assert_eq!(letters.len(), count, "each letter once");
    }
}

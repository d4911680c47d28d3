//! What is gone on with when a partition's log has lost records: the same after every death, and whole wherever no loss is named.
//!
//! A lane reads up to some commit and beyond it, and dies; then the log begins only somewhere behind the anchor, before or behind the
//! commit. What the next owner says is compared with itself in other cuts and after more deaths, and with what the whole log would have
//! given. Decrees are made at the end of what is known, so none falls between the commit and the first record that is left.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stream_core::{ClosedWindow, Emission, EventTime, Loss, Offset, Progress, Seal, Window};
use tests::worlds::{Cutting, Drive, Run, Said, arb_cutting, arb_rising_run};

use crate::{cases, unexpected};

/// A run of which something was lost.
struct Lossy {
    run: Run,
    /// What the whole log gives, and how much of it was said by the commit.
    whole: Said,
    committed: usize,
    /// What the next owner goes on with.
    rest: Progress,
    loss: Loss,
}

impl Lossy {
    /// The commit lies `commit` thousandths into the log, the first record left `gone` thousandths between the anchor and the end.
    fn of(mut run: Run, commit: usize, gone: usize) -> Result<Option<Self>, TestCaseError> {
        let program = run.program();
        let mut steps = Vec::new();
        let mut read = |run: &Run| {
            steps.clear();
            let mut drive = Drive::start(&run.log, &program)?;
            let mut said = Said::default();
            drive.run(&run.decrees, &mut Cutting::single(), |step| {
                said.add(step.emissions);
                steps.push((step.lane.progress(), said.items.len()));
            })?;
            Ok::<_, stream_core::Error>((said, steps.clone()))
        };
        let (_, steps) = read(&run).map_err(|error| unexpected(&error))?;
        let Some((progress, _)) = steps.get(commit * steps.len() / 1000) else { return Ok(None) };
        let (position, anchor) = (progress.position, progress.anchor.offset);
        let low = Offset(anchor.0 + 1 + (run.log.end() - anchor.0) * gone as i64 / 1000).min(Offset(run.log.end()));
        if low <= anchor {
            return Ok(None);
        }
        run.decrees.retain(|decree| decree.at <= position.0 || decree.at >= low.0);
        let (whole, steps) = read(&run).map_err(|error| unexpected(&error))?;
        let at = steps.iter().rposition(|(progress, _)| progress.position <= position).unwrap_or_default();
        let (progress, committed) = steps[at].clone();
        if progress.anchor.offset >= low {
            return Ok(None);
        }
        let rest = progress.without_records_before(low, &program);
        let loss = *rest.losses.last().expect("something was lost");
        Ok(Some(Self { run, whole, committed, rest, loss }))
    }

    /// What the next owners say: they die after the steps at `deaths`, each at its last commit.
    fn said(&self, mut cutting: Cutting, deaths: &[usize]) -> Result<Vec<Emission>, TestCaseError> {
        let program = self.run.program();
        let resume =
            |progress: &Progress| Drive::resume(&self.run.log, &program, progress).map_err(|error| unexpected(&error));
        let (mut drive, mut said, mut commit) = (resume(&self.rest)?, Vec::new(), (self.rest.clone(), 0));
        let mut decrees =
            self.run.decrees.iter().filter(|decree| decree.at >= self.rest.position.0 && decree.at >= self.loss.to.0);
        let mut next = decrees.next();
        for step in 0.. {
            let until = next.map_or(self.run.log.end(), |decree| decree.at);
            let emissions = if drive.lane.position().0 < until {
                drive.step(until, &mut cutting).map_err(|error| unexpected(&error))?
            } else if let Some(decree) = next {
                next = decrees.next();
                drive.lane.decree(EventTime(decree.to)).map_err(|error| unexpected(&error))?.emissions
            } else {
                return Ok(said);
            };
            said.extend(emissions.items);
            if drive.lane.is_replaying() {
                prop_assert_eq!(said.len(), commit.1, "a replay is silent");
            } else if deaths.contains(&step) {
                commit = (drive.lane.progress(), said.len());
                drive = resume(&commit.0)?;
            }
        }
        unreachable!("the log has an end")
    }
}

/// The windows that seals close, with what they say of them.
fn closed(items: &[Emission]) -> BTreeMap<(Window, u32), ClosedWindow> {
    let seals = items.iter().filter_map(|item| if let Emission::Seal(seal) = item { Some(seal) } else { None });
    seals.flat_map(|seal| &seal.closed).map(|closed| ((closed.window, closed.output), *closed)).collect()
}

fn seals(items: &[Emission]) -> impl Iterator<Item = &Seal> {
    items.iter().filter_map(|item| if let Emission::Seal(seal) = item { Some(seal) } else { None })
}

/// Whether a seal that closes `window` names it.
fn is_named(items: &[Emission], window: Window) -> bool {
    let closing = seals(items).filter(|seal| seal.after < window.end && window.end <= seal.until);
    closing.flat_map(|seal| &seal.lost).any(|loss| loss.concerns(window))
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn after_a_loss_every_cut_and_every_death_gives_the_same(
        run in arb_rising_run(),
        commit in 0..1000_usize,
        gone in 0..1000_usize,
        cutting in arb_cutting(),
        deaths in proptest::collection::vec(0..30_usize, 0..4),
    ) {
        let Some(lossy) = Lossy::of(run, commit, gone)? else { return Ok(()) };
        let plain = lossy.said(Cutting::whole(), &[])?;
        prop_assert_eq!(&lossy.said(cutting, &deaths)?, &plain);
        prop_assert_eq!(&lossy.said(Cutting::single(), &deaths)?, &plain);
        for item in &plain {
            if let Emission::Report(report) = item {
                prop_assert_eq!(report.verdicts.consumed() + report.gaps, (report.end.0 - report.first.0) as u64);
            }
        }
    }

    #[test]
    fn a_window_that_no_seal_names_is_whole(run in arb_rising_run(), commit in 0..1000_usize, gone in 0..1000_usize) {
        let Some(lossy) = Lossy::of(run, commit, gone)? else { return Ok(()) };
        let left = lossy.said(Cutting::whole(), &[])?;
        let (whole, found) = (closed(&lossy.whole.items[lossy.committed..]), closed(&left));
        let sealed = seals(&left).map(|seal| seal.until).max().unwrap_or(lossy.loss.after);
        for (key @ (window, _), expected) in whole.iter().filter(|((window, _), _)| window.end <= sealed) {
            prop_assert!(found.get(key) == Some(expected) || is_named(&left, *window), "{window:?} lacks something");
        }
        for ((window, output), found) in &found {
            prop_assert!(window.end > lossy.loss.after, "{window:?} was closed already");
            let expected = whole.get(&(*window, *output));
            prop_assert!(Some(found) == expected || is_named(&left, *window), "{window:?} is another");
        }
        // What follows on the seals told before leaves none out.
        let mut after = lossy.loss.after;
        for seal in seals(&left) {
            prop_assert_eq!(seal.after, after);
            after = seal.until;
        }
    }
}

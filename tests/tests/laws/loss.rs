//! What is gone on with when a partition's log has lost records: the same after every death, and whole wherever no loss is named.
//!
//! A lane reads up to some commit and beyond it, and dies; then the log begins only somewhere behind the anchor, before or behind the
//! commit. What the next owner says is compared with itself in other cuts and after more deaths, and with what the whole log would have
//! given. Decrees are made at the end of what is known, so none falls between the commit and the first record that is left.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stream_core::{
    ClosedWindow, Collector, CollectorProgress, Emission, EventTime, Loss, Lost, Message, Offset, Partition, Progress,
    Published, Seal, Window,
};
use tests::worlds::{
    Cutting, Drive, Run, Said, Sent, Several, Topic, arb_cutting, arb_run, arb_several, program, undisturbed,
};

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
        run in arb_run(),
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
    fn a_window_that_no_seal_names_is_whole(run in arb_run(), commit in 0..1000_usize, gone in 0..1000_usize) {
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

/// A topic on which partition 0 said `told` of what follows its commit, lost something and went on, in the order of `turns`.
fn topic(lossy: &Lossy, others: &[Vec<Emission>], told: usize, turns: &[bool]) -> Result<Topic, TestCaseError> {
    let until = (lossy.committed + told).min(lossy.whole.items.len());
    let sent = |items: &[Emission]| Topic::play(&[items.to_vec()], 0, &[]).messages.into_iter().map(|(_, sent)| sent);
    let mut own: Vec<(u64, Sent)> = sent(&lossy.whole.items[..until]).map(|sent| (1, sent)).collect();
    own.push((2, Sent::Fence));
    own.push((2, Sent::Loss(lossy.loss)));
    own.extend(sent(&lossy.said(Cutting::whole(), &[])?).map(|sent| (2, sent)));
    let others =
        others.iter().enumerate().flat_map(|(index, items)| sent(items).map(move |sent| (index as i32 + 1, sent)));
    let (mut own, mut others) = (own.into_iter(), others);
    let mut topic = Topic::default();
    let mut push = |partition: i32, incarnation: u64, sent: Sent| {
        let at = Offset(topic.messages.len() as i64);
        topic.messages.push((Message { at, partition: Partition(partition), incarnation }, sent));
    };
    for own_first in turns {
        if *own_first {
            own.by_ref().take(3).for_each(|(incarnation, sent)| push(0, incarnation, sent));
        } else {
            others.by_ref().take(3).for_each(|(partition, sent)| push(partition, 1, sent));
        }
    }
    own.for_each(|(incarnation, sent)| push(0, incarnation, sent));
    others.for_each(|(partition, sent)| push(partition, 1, sent));
    Ok(topic)
}

/// What is published, with restarts from the last commit after each of `restarts` messages.
fn published(
    several: &Several,
    topic: &Topic,
    restarts: &[usize],
    stride: usize,
) -> Result<BTreeMap<Window, Published>, TestCaseError> {
    let program = program(&several.setting);
    let start = CollectorProgress::start(Offset(0), several.partitions.len());
    let mut collector = Collector::resume(program.clone(), &start);
    let (mut files, mut at) = (BTreeMap::new(), 0);
    let mut restarts: Vec<usize> = restarts.iter().map(|at| at * topic.messages.len() / 1000).collect();
    restarts.sort_unstable();
    let mut restarts = restarts.into_iter().peekable();
    while at < topic.messages.len() {
        tests::worlds::take_in(&mut collector, &topic.messages[at]);
        at += 1;
        if at % stride == 0 || at == topic.messages.len() {
            for published in collector.complete().map_err(|error| unexpected(&error))? {
                collector.published(published.window);
                let window = published.window;
                prop_assert_eq!(files.insert(window, published), None, "{:?} is published twice", window);
            }
        }
        if restarts.next_if(|restart| *restart <= at).is_some() {
            let committed = collector.progress();
            collector = Collector::resume(program.clone(), &committed);
            at = committed.anchor.0 as usize;
        }
    }
    prop_assert_eq!(collector.divergences(), &[]);
    Ok(files)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_is_published_after_a_loss_is_marked_or_whole_and_the_same_after_every_restart(
        mut several in arb_several(),
        commit in 0..1000_usize,
        gone in 0..1000_usize,
        told in 0..20_usize,
        turns in proptest::collection::vec(any::<bool>(), 0..40),
        restarts in proptest::collection::vec(0..1000_usize, 0..4),
        stride in 1..12_usize,
    ) {
        several.setting.outputs = 1;
        let program = program(&several.setting);
        let (log, decrees) = several.partitions[0].clone();
        let run = Run { setting: several.setting.clone(), log, decrees };
        let Some(lossy) = Lossy::of(run, commit, gone)? else { return Ok(()) };
        let others: Vec<Vec<Emission>> = several.partitions[1..]
            .iter()
            .map(|(log, decrees)| undisturbed(log, &program, decrees, Cutting::whole()).map(|said| said.items))
            .collect::<Result<_, _>>()
            .map_err(|error| unexpected(&error))?;
        let plain = topic(&lossy, &others, told, &turns)?;
        let files = published(&several, &plain, &[], 1)?;
        prop_assert_eq!(&published(&several, &plain, &restarts, stride)?, &files, "after restarts");

        let whole: Vec<_> = std::iter::once(lossy.whole.items.clone()).chain(others).collect();
        let whole = published(&several, &Topic::play(&whole, 0, &[]), &[], 1)?;
        for (window, file) in &files {
            prop_assert!(!file.lost.is_empty() || whole.get(window) == Some(file), "{window:?} lacks something unmarked");
            let Loss { from, to, .. } = lossy.loss;
            let lost = Lost { partition: Partition(0), from, to };
            prop_assert!(file.lost.iter().all(|marked| *marked == lost));
        }
    }
}

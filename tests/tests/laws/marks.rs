//! What is published when partitions lose records, again and again: every window is marked or whole, and the marks follow from the
//! partials log alone, wherever publishers began to read and whenever they looked.
//!
//! Owners of a partition follow on each other at any commit, each after a loss or not, and tell as much beyond it, in time or behind their
//! successor's fence, as they like.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use stream_core::{
    Collector, CollectorProgress, Emission, EventTime, Loss, Lost, Message, Offset, Partition, Program, Progress,
    Published, Window,
};
use tests::model::Decree;
use tests::worlds::{Cutting, Drive, Log, Sent, Topic, arb_several, program, take_in, to_output, undisturbed};

use crate::{cases, unexpected};

/// How an owner ends and what its successor finds.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Its last commit, in thousandths of its steps.
    commit: usize,
    /// How many messages it sent beyond that.
    told: usize,
    /// How many more it sends behind the fence.
    late: usize,
    /// Where the log begins now, in thousandths between the anchor and the end; as before if not there.
    gone: Option<usize>,
}

fn arb_end() -> impl Strategy<Value = End> {
    let gone = proptest::option::weighted(0.7, 0..1000_usize);
    (0..1000_usize, 0..20_usize, 0..4_usize, gone).prop_map(|(commit, told, late, gone)| End {
        commit,
        told,
        late,
        gone,
    })
}

/// A partition's log, and how it is read.
struct Source<'a> {
    log: &'a Log,
    decrees: &'a [Decree],
    program: &'a Arc<Program>,
}

/// What an owner says, and the progress that it could commit with how much of it was said by then.
struct Owned {
    items: Vec<Emission>,
    commits: Vec<(Progress, usize)>,
}

impl Source<'_> {
    fn own(&self, progress: &Progress) -> Result<Owned, stream_core::Error> {
        let mut drive = Drive::resume(self.log, self.program, progress)?;
        let mut owned = Owned { items: Vec::new(), commits: vec![(progress.clone(), 0)] };
        let mut decrees = self.decrees.iter().filter(|decree| decree.at >= progress.position.0).peekable();
        loop {
            let until = decrees.peek().map_or(self.log.end(), |decree| decree.at);
            let emissions = if drive.lane.position().0 < until {
                drive.step(until, &mut Cutting::single())?
            } else if let Some(decree) = decrees.next() {
                drive.lane.decree(EventTime(decree.to))?.emissions
            } else {
                return Ok(owned);
            };
            owned.items.extend(emissions.items);
            if !drive.lane.is_replaying() {
                owned.commits.push((drive.lane.progress(), owned.items.len()));
            }
        }
    }

    /// What all owners send, and the incarnation of each.
    fn sent(&self, ends: &[End]) -> Result<Vec<(u64, Sent)>, stream_core::Error> {
        let mut progress = Progress::start(Offset(self.log.start()));
        let mut sent = Vec::new();
        let mut incarnation = 1;
        for end in ends {
            let Owned { items, commits } = self.own(&progress)?;
            let (committed, said) = &commits[end.commit * commits.len() / 1000];
            let (told, untold) = items.split_at((said + end.told).min(items.len()));
            sent.extend(told.iter().filter_map(message).map(|sent| (incarnation, sent)));
            progress = self.taken_over(committed, *end);
            sent.extend([(incarnation + 1, Sent::Fence)]);
            let losses = progress.losses.iter().copied().map(Sent::Loss);
            sent.extend(losses.map(|loss| (incarnation + 1, loss)));
            sent.extend(untold.iter().take(end.late).filter_map(message).map(|sent| (incarnation, sent)));
            incarnation += 1;
        }
        sent.extend(self.own(&progress)?.items.iter().filter_map(message).map(|sent| (incarnation, sent)));
        Ok(sent)
    }

    fn taken_over(&self, committed: &Progress, end: End) -> Progress {
        let anchor = committed.anchor.offset.0;
        let left = |gone: usize| anchor + 1 + (self.log.end() - anchor) * gone as i64 / 1000;
        let low = end.gone.map(left).filter(|low| *low <= self.log.end());
        low.map_or_else(|| committed.clone(), |low| committed.without_records_before(Offset(low), self.program))
    }
}

/// As the only output gets it.
fn message(item: &Emission) -> Option<Sent> {
    to_output(item, 0)
}

/// What the partitions send, a few messages of one at each of `turns`, and then the rest.
fn topic(sent: Vec<Vec<(u64, Sent)>>, turns: &[usize]) -> Topic {
    let mut senders: Vec<_> = sent.into_iter().map(Vec::into_iter).collect();
    let mut topic = Topic::default();
    let all = 0..senders.len();
    let turns = turns.iter().map(|turn| (turn % senders.len(), 3)).chain(all.map(|partition| (partition, usize::MAX)));
    for (partition, most) in turns.collect::<Vec<_>>() {
        for (incarnation, sent) in senders[partition].by_ref().take(most) {
            let at = Offset(topic.messages.len() as i64);
            topic.messages.push((Message { at, partition: Partition(partition as i32), incarnation }, sent));
        }
    }
    topic
}

/// How publishers read: they look at what is complete and commit after so many messages, and die now and then.
#[derive(Clone, Debug)]
struct Reading {
    complete: usize,
    commit: usize,
    /// In thousandths of the topic.
    deaths: Vec<usize>,
}

fn arb_reading() -> impl Strategy<Value = Reading> {
    let deaths = proptest::collection::vec(0..1000_usize, 0..5);
    (1..12_usize, 1..8_usize, deaths).prop_map(|(complete, commit, deaths)| Reading { complete, commit, deaths })
}

/// The files that come out.
fn published(
    program: &Arc<Program>,
    topic: &Topic,
    partitions: usize,
    reading: &Reading,
) -> Result<BTreeMap<Window, Published>, TestCaseError> {
    let mut committed = CollectorProgress::start(Offset(0), partitions);
    let mut deaths: Vec<usize> = reading.deaths.iter().map(|at| at * topic.messages.len() / 1000).collect();
    deaths.sort_unstable();
    let mut files = BTreeMap::new();
    for death in deaths.into_iter().chain([usize::MAX]) {
        let mut collector = Collector::resume(program.clone(), &committed);
        let from = committed.anchor.0 as usize;
        for at in from..topic.messages.len().min(death.max(from)) {
            take_in(&mut collector, &topic.messages[at]);
            if (at + 1) % reading.complete == 0 || at + 1 == topic.messages.len() {
                for published in collector.complete().map_err(|error| unexpected(&error))? {
                    let window = published.window;
                    collector.published(window);
                    let known = files.entry(window).or_insert_with(|| published.clone());
                    prop_assert_eq!(&*known, &published, "two files of one window");
                }
            }
            if (at + 1) % reading.commit == 0 {
                committed = collector.progress();
            }
        }
        prop_assert_eq!(collector.divergences(), &[]);
    }
    Ok(files)
}

/// What the seal that closes `window` first names of it, of each partition.
fn marks(topic: &Topic, window: Window) -> Vec<Lost> {
    let mut owners: BTreeMap<Partition, (u64, EventTime)> = BTreeMap::new();
    let mut marks = Vec::new();
    for (Message { partition, incarnation, .. }, sent) in &topic.messages {
        let (owner, sealed) = owners.entry(*partition).or_insert((0, EventTime::NEVER));
        match sent {
            Sent::Fence => *owner = *incarnation,
            Sent::Seal(seal) if incarnation >= owner => {
                if *sealed < window.end && window.end <= seal.until {
                    let named = seal.lost.iter().filter(|loss| loss.concerns(window));
                    marks.extend(named.map(|Loss { from, to, .. }| Lost {
                        partition: *partition,
                        from: *from,
                        to: *to,
                    }));
                }
                *sealed = (*sealed).max(seal.until);
            }
            _ => {}
        }
    }
    marks.sort_unstable();
    marks
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn what_is_published_after_losses_is_marked_or_whole_and_the_same_in_every_reading(
        mut several in arb_several(),
        ends in proptest::collection::vec(proptest::collection::vec(arb_end(), 0..4), 3),
        turns in proptest::collection::vec(0..3_usize, 0..60),
        reading in arb_reading(),
    ) {
        several.setting.outputs = 1;
        let program = program(&several.setting);
        let (mut sent, mut whole) = (Vec::new(), Vec::new());
        for ((log, decrees), ends) in several.partitions.iter().zip(&ends) {
            let source = Source { log, decrees, program: &program };
            sent.push(source.sent(ends).map_err(|error| unexpected(&error))?);
            let said = undisturbed(log, &program, decrees, Cutting::whole());
            whole.push(said.map_err(|error| unexpected(&error))?.items);
        }
        let (partitions, topic) = (sent.len(), topic(sent, &turns));
        let at_once = Reading { complete: 1, commit: 1, deaths: Vec::new() };
        let files = published(&program, &topic, partitions, &at_once)?;
        prop_assert_eq!(&published(&program, &topic, partitions, &reading)?, &files);

        let whole = published(&program, &Topic::play(&whole, 0, &[]), partitions, &at_once)?;
        for (window, file) in &files {
            prop_assert_eq!(&file.lost, &marks(&topic, *window));
            prop_assert!(!file.sources.is_empty(), "{window:?} has a file and nothing in it");
            prop_assert!(!file.lost.is_empty() || whole.get(window) == Some(file), "{window:?} lacks something unmarked");
        }
    }
}

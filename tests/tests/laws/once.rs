//! L6 and L7: a window is published once, also by a publisher that dies, and not before every partition has sealed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use stream_core::{Collector, CollectorProgress, Offset, Program, Published, Window};
use tests::worlds::{Cutting, Topic, arb_several, arb_turns, program, take_in};

use crate::placement::{published, said_by_all};
use crate::{cases, unexpected};

/// What happens to the publisher.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// It takes in this many messages.
    TakeIn(usize),
    /// It asks for complete windows.
    Complete,
    /// It writes one of those that it holds.
    Write(usize),
    /// It commits.
    Commit,
    /// It dies, and another one takes over.
    Die,
}

struct Publisher<'a> {
    program: Arc<Program>,
    topic: &'a Topic,
    partitions: usize,
    collector: Collector,
    /// Messages taken in.
    read: usize,
    /// Windows handed out since it took over.
    handed_out: BTreeSet<Window>,
    to_write: Vec<Published>,
    commit: CollectorProgress,
    /// What any publisher ever handed out, and what of it is written.
    seen: BTreeMap<Window, Published>,
    files: BTreeMap<Window, Published>,
}

impl<'a> Publisher<'a> {
    fn first(program: &Arc<Program>, topic: &'a Topic, partitions: usize) -> Self {
        let commit = CollectorProgress::start(Offset(0), partitions);
        Self {
            program: program.clone(),
            topic,
            partitions,
            collector: Collector::resume(program.clone(), &commit),
            read: 0,
            handed_out: BTreeSet::new(),
            to_write: Vec::new(),
            commit,
            seen: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    fn act(&mut self, act: Act) -> TestCaseResult {
        match act {
            Act::TakeIn(count) => {
                let end = (self.read + count).min(self.topic.messages.len());
                self.topic.messages[self.read..end].iter().for_each(|sent| take_in(&mut self.collector, sent));
                self.read = end;
                Ok(())
            }
            Act::Complete => self.complete(),
            Act::Write(index) => {
                if !self.to_write.is_empty() {
                    let published = self.to_write.remove(index % self.to_write.len());
                    self.collector.published(published.window);
                    self.files.insert(published.window, published);
                }
                Ok(())
            }
            Act::Commit => self.commit(),
            Act::Die => {
                self.collector = Collector::resume(self.program.clone(), &self.commit);
                self.read = self.commit.anchor.0 as usize;
                self.handed_out.clear();
                self.to_write.clear();
                Ok(())
            }
        }
    }

    fn complete(&mut self) -> TestCaseResult {
        let sealed = self.topic.sealed(self.read, self.partitions).into_iter().min();
        for published in self.collector.complete().map_err(|error| unexpected(&error))? {
            let window = published.window;
            prop_assert!(sealed >= Some(window.end), "{:?} is early, sealed until {:?}", window, sealed);
            prop_assert!(self.handed_out.insert(window), "{:?} is handed out twice", window);
            prop_assert!(window.end > self.commit.published_until, "{:?} was written and committed", window);
            let seen = self.seen.entry(window).or_insert_with(|| published.clone());
            prop_assert_eq!(&*seen, &published, "the same window again");
            self.to_write.push(published);
        }
        Ok(())
    }

    fn commit(&mut self) -> TestCaseResult {
        let (before, now) = (&self.commit, self.collector.progress());
        prop_assert!(now.anchor <= now.position && now.position >= before.position, "{:?}, {:?}", before, now);
        prop_assert!(now.anchor >= before.anchor && now.published_until >= before.published_until);
        prop_assert!(before.sealed.iter().zip(&now.sealed).all(|(before, now)| before <= now));
        let unwritten = self.to_write.iter().find(|published| published.window.end <= now.published_until);
        prop_assert_eq!(unwritten, None, "committed as published");
        self.commit = now;
        Ok(())
    }

    /// Takes in and writes everything.
    fn finish(&mut self) -> TestCaseResult {
        for act in [Act::TakeIn(usize::MAX / 2), Act::Complete] {
            self.act(act)?;
        }
        while !self.to_write.is_empty() {
            self.act(Act::Write(0))?;
        }
        self.complete()?;
        self.commit()
    }
}

fn arb_acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..9_usize).prop_map(Act::TakeIn),
        4 => Just(Act::Complete),
        4 => (0..4_usize).prop_map(Act::Write),
        2 => Just(Act::Commit),
        1 => Just(Act::Die),
    ];
    proptest::collection::vec(act, 0..60)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn l6_l7_every_window_once_and_none_early(several in arb_several(), turns in arb_turns(), acts in arb_acts()) {
        let (program, partitions) = (program(&several.setting), several.partitions.len());
        let said = said_by_all(&several, &Cutting::whole())?;
        let expected = published(&program, &Topic::play(&said, 0, &[]), partitions, 1)?;
        let topic = Topic::play(&said, 0, &turns);
        let mut publisher = Publisher::first(&program, &topic, partitions);
        for act in acts {
            publisher.act(act)?;
        }
        publisher.finish()?;
        prop_assert_eq!(&publisher.files, &expected);
        prop_assert_eq!(publisher.collector.divergences(), &[]);

        // Nothing is left but what some partition has not sealed yet.
        let sealed = topic.sealed(topic.messages.len(), partitions).into_iter().min();
        prop_assert!(publisher.collector.waiting().all(|(window, _)| Some(window.end) > sealed));
        if publisher.collector.waiting().next().is_none() {
            prop_assert_eq!(publisher.commit.anchor, publisher.commit.position);
            prop_assert_eq!(Some(publisher.commit.published_until), sealed);
        }
    }
}

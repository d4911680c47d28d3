//! What is written again of a partials topic whose beginning is gone: of every window all or nothing, and what is lost is told.

use proptest::prelude::*;
use stream_core::{Collector, CollectorProgress, Offset, Window};
use tests::worlds::{Cutting, Topic, arb_several, arb_turns, program, take_in};

use crate::placement::{published, said_by_all};
use crate::{cases, unexpected};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn of_a_topic_that_begins_anywhere_every_window_comes_out_whole_or_is_told_as_lost(
        several in arb_several(),
        turns in arb_turns(),
        gone in 0..1000_usize,
        stride in 1..12_usize,
        restart in 0..1000_usize,
    ) {
        let (program, partitions) = (program(&several.setting), several.partitions.len());
        let said = said_by_all(&several, &Cutting::whole())?;
        let topic = Topic::play(&said, 0, &turns);
        let expected = published(&program, &topic, partitions, usize::MAX)?;
        let begin = gone * topic.messages.len() / 1000;
        let restart = begin + restart * (topic.messages.len() - begin) / 1000;

        let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(begin as i64), partitions));
        let mut files = std::collections::BTreeMap::new();
        let mut take = |collector: &mut Collector, from: usize, to: usize| {
            for messages in topic.messages[from..to].chunks(stride) {
                for message in messages {
                    take_in(collector, message);
                }
                for published in collector.complete().map_err(|error| unexpected(&error))? {
                    collector.published(published.window);
                    files.insert(published.window, published);
                }
            }
            Ok::<(), TestCaseError>(())
        };
        take(&mut collector, begin, restart)?;
        let committed = collector.progress();
        collector = Collector::resume(program.clone(), &committed);
        take(&mut collector, committed.anchor.0 as usize, topic.messages.len())?;

        let lost = collector.lost_until();
        for (window, file) in &files {
            prop_assert_eq!(expected.get(window), Some(file), "{:?} is another", window);
        }
        // A partition of which no seal is left says with its next one what is lost.
        let is_unsealed = |window: &Window| collector.sealed().iter().any(|sealed| *sealed < window.end);
        let is_told = |window: &Window| files.contains_key(window) || window.end <= lost || is_unsealed(window);
        let missing = expected.keys().find(|window| !is_told(window));
        prop_assert_eq!(missing, None, "missing, and what is lost ends by {:?}", lost);
        prop_assert_eq!(collector.divergences(), &[]);
        if begin == 0 {
            prop_assert_eq!(&files, &expected);
        }
    }
}

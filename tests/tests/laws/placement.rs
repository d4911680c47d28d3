//! L4: in whatever order the lanes' messages arrive, and however often, the same windows are published.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use stream_core::{Collector, CollectorProgress, Emission, Offset, Program, Published, Window};
use tests::model::{self, publish, run_with_decrees};
use tests::worlds::{Cutting, Gold, Several, Topic, arb_cutting, arb_several, arb_turns, gold_of, program, read_gold};
use tests::worlds::{take_in, undisturbed};

use crate::{cases, unexpected};

/// What the lanes of all partitions say.
pub fn said_by_all(several: &Several, cutting: &Cutting) -> Result<Vec<Vec<Emission>>, TestCaseError> {
    let program = program(&several.setting);
    let said = |(log, decrees): &(_, Vec<_>)| undisturbed(log, &program, decrees, cutting.clone());
    several
        .partitions
        .iter()
        .map(|partition| said(partition).map(|said| said.items))
        .collect::<Result<_, _>>()
        .map_err(|error| unexpected(&error))
}

/// What is published of `topic` when windows are asked for after every `stride` messages, and written at once.
pub fn published(
    program: &Arc<Program>,
    topic: &Topic,
    partitions: usize,
    stride: usize,
) -> Result<BTreeMap<Window, Published>, TestCaseError> {
    let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), partitions));
    let mut files = BTreeMap::new();
    for messages in topic.messages.chunks(stride.max(1)) {
        for message in messages {
            take_in(&mut collector, message);
        }
        for published in collector.complete().map_err(|error| unexpected(&error))? {
            collector.published(published.window);
            let window = published.window;
            prop_assert_eq!(files.insert(window, published), None, "{:?} is published twice", window);
        }
    }
    prop_assert_eq!(collector.divergences(), &[]);
    Ok(files)
}

/// The rows of all outputs together, by window and group.
fn gold_of_all(files: &[BTreeMap<Window, Published>]) -> BTreeMap<model::Window, Vec<Gold>> {
    let mut gold: BTreeMap<model::Window, Vec<Gold>> = BTreeMap::new();
    for published in files.iter().flat_map(BTreeMap::values) {
        let window = model::Window { start: published.window.start.0, end: published.window.end.0 };
        gold.entry(window).or_default().extend(read_gold(&published.rows));
    }
    for rows in gold.values_mut() {
        rows.sort();
    }
    gold
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn l4_no_order_of_arrival_changes_what_is_published(
        several in arb_several(),
        cutting in arb_cutting(),
        turns in arb_turns(),
        stride in 1..12_usize,
    ) {
        let (program, partitions) = (program(&several.setting), several.partitions.len());
        let in_order = said_by_all(&several, &Cutting::whole())?;
        let said = said_by_all(&several, &cutting)?;
        for output in 0..several.setting.outputs {
            let plain = published(&program, &Topic::play(&in_order, output, &[]), partitions, usize::MAX)?;
            let mixed = published(&program, &Topic::play(&said, output, &turns), partitions, stride)?;
            prop_assert_eq!(&mixed, &plain);
            for file in plain.values() {
                prop_assert!(read_gold(&file.rows).is_sorted_by(|a, b| a.group < b.group), "sorted by group");
            }
        }
    }

    #[test]
    fn l4_what_is_published_is_what_the_oracle_publishes(several in arb_several(), turns in arb_turns()) {
        let (program, partitions) = (program(&several.setting), several.partitions.len());
        let said = said_by_all(&several, &Cutting::whole())?;
        let outputs = 0..several.setting.outputs;
        let topics = outputs.map(|output| Topic::play(&said, output, &turns));
        let files = topics.map(|topic| published(&program, &topic, partitions, 5)).collect::<Result<Vec<_>, _>>()?;

        let judged = |(log, decrees): &(tests::worlds::Log, Vec<_>)| {
            run_with_decrees(&log.records, &several.setting.params, decrees)
        };
        let outcomes: Vec<_> = several.partitions.iter().map(judged).collect();
        let expected = publish(&outcomes).into_iter().map(|(window, rows)| (window, rows.iter().map(gold_of).collect()));
        prop_assert_eq!(gold_of_all(&files), expected.collect::<BTreeMap<_, Vec<_>>>());
    }

    #[test]
    fn several_outputs_publish_together_what_one_publishes(mut several in arb_several()) {
        let partitions = several.partitions.len();
        let mut gold = Vec::new();
        for outputs in [1, 3] {
            several.setting.outputs = outputs;
            let (program, said) = (program(&several.setting), said_by_all(&several, &Cutting::whole())?);
            let topics = (0..outputs).map(|output| Topic::play(&said, output, &[]));
            let files = topics.map(|topic| published(&program, &topic, partitions, 1)).collect::<Result<Vec<_>, _>>()?;
            gold.push(gold_of_all(&files));
        }
        prop_assert_eq!(&gold[0], &gold[1]);
    }
}

//! What Kafka knows beside the records: the seals in the partials topic, and how far windows are published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, KIND_HEADER, Record};
use thiserror::Error;
use worker::client::{client, publish_group};
use worker::progress::published_until;
use worker::recompute::Seen;

use super::store::Store;
use crate::stretch::{Stretch, StretchError};

/// How long the broker may take for one answer.
const ASK: Duration = Duration::from_secs(10);

/// Why it cannot be known.
#[derive(Debug, Error)]
pub enum KnownError {
    /// The partials topic.
    #[error(transparent)]
    Read(#[from] StretchError),
    /// The commits.
    #[error("cannot read the progress of group '{group}': {source}")]
    Progress {
        /// The group that publishes.
        group: String,
        /// Why.
        source: KafkaError,
    },
}

/// What is known.
pub(super) struct KnownFacts {
    /// The revision of the meaning that all of it is about.
    revision: i64,
    seals: BTreeMap<i32, BTreeSet<Seen>>,
    /// Other meanings have sealed windows, too.
    has_others: bool,
    /// All seals of windows that start there or later are known; nothing: all.
    complete_from: Option<i64>,
    /// Windows that end by then are published, by output.
    published_until: BTreeMap<i32, i64>,
}

impl KnownFacts {
    /// What is known of a partition's watermark. Where seals are gone, the files say where it closed their windows.
    pub(super) fn seen(&self, partition: i32, store: &Store) -> Vec<Seen> {
        let mut seen = self.seals.get(&partition).cloned().unwrap_or_default();
        if let Some(complete_from) = self.complete_from {
            let files = store.contributions(self.revision);
            let files = files.filter(|(start, _, of)| *start < complete_from && of.partition == partition);
            seen.extend(files.map(|(_, end, of)| Seen { at: of.end, until: end }));
        }
        seen.into_iter().collect()
    }

    /// The seal that held at an offset of a partition, if that is known for sure: every later one is known, too.
    pub(super) fn sealed(&self, partition: i32, low: i64) -> Option<i64> {
        let before = self.seals.get(&partition).into_iter().flatten().filter(|seal| seal.at <= low);
        let newest = before.map(|seal| seal.until).max();
        newest.or((self.complete_from.is_none() && !self.has_others).then_some(i64::MIN))
    }

    /// Whether every decree that has a say in a window that starts there is known.
    pub(super) fn decrees_of(&self, start: i64) -> bool {
        self.complete_from.is_none_or(|from| from <= start)
    }

    /// Windows of `output` that end by then are published.
    pub(super) fn published_until(&self, output: i32) -> Option<i64> {
        self.published_until.get(&output).copied()
    }
}

/// Reads all of it.
pub(super) fn read(plan: &Plan) -> Result<KnownFacts, KnownError> {
    let group = publish_group(&plan.group);
    let published_until = published(plan, &group).map_err(|source| KnownError::Progress { group, source })?;
    let stretch = Stretch::open(plan, &plan.partials_topic, None)?;
    // Every output is told of every seal.
    let whole = stretch.lows().values().any(|low| *low == 0);
    let mut seals: BTreeMap<i32, BTreeSet<Seen>> = BTreeMap::new();
    let mut has_others = false;
    let mut joiners = BTreeMap::<i32, Joiner>::new();
    stretch.read(|message| {
        if message.header(KIND_HEADER) != Some(b"seal") {
            return;
        }
        let joiner = joiners.entry(message.partition).or_default();
        if let Ok(Some(Record { from, content: Content::Seal(body) })) =
            joiner.take(message.offset, message.value.as_deref().unwrap_or_default())
        {
            // Seals of another meaning tell of another watermark, on another grid.
            has_others |= from.revision != plan.revision;
            if from.revision == plan.revision {
                seals.entry(from.partition).or_default().insert(Seen { at: body.at, until: body.until });
            }
        }
    })?;
    let first = |partition: i32| seals.get(&partition).and_then(|seals| seals.iter().map(|seal| seal.until).min());
    let complete_from = (0..plan.source.partitions as i32).map(|partition| first(partition).unwrap_or(i64::MAX)).max();
    let complete_from = complete_from.filter(|_| !whole);
    Ok(KnownFacts { revision: plan.revision, complete_from, seals, has_others, published_until })
}

/// How far each output is published, as far as that is committed.
fn published(plan: &Plan, group: &str) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let asker: BaseConsumer = client(plan).set("group.id", group).create()?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(&plan.partials_topic, 0, plan.partials_partitions as i32 - 1);
    let committed = asker.committed_offsets(wanted, ASK)?;
    let until = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let Offset::Offset(position) = element.offset() else { return None };
        Some((element.partition(), published_until(position, element.metadata())?))
    };
    Ok(committed.elements().iter().filter_map(until).collect())
}

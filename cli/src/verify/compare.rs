//! One window after the other: what the store holds against what the log gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use plan::Plan;
use serde::Serialize;
use worker::publish::gold::{Gold, Lost};
use worker::publish::table;
use worker::recompute::{Again, Doubt, Recompute};
use worker::registry::SchemaCache;

use super::VerifyError;
use super::known::KnownFacts;
use super::store::{Facts, GoldFile, Key, Store};
use crate::generate::iso;

/// What is found of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Outcome {
    /// The file has the very bytes that the log gives.
    Equal,
    /// It has not.
    Different,
    /// There is no file, and the window was published.
    Missing,
    /// Nobody can say any more: records or seals are gone from Kafka, the pipeline itself went on without records, or another revision
    /// made it.
    Unknown,
}

/// A window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its start.
    pub window: String,
    /// Its partition of the partials topic.
    pub output: i32,
    /// What is found.
    pub outcome: Outcome,
    /// Why, unless it is equal.
    pub detail: String,
}

/// All windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Records that were read.
    pub records: u64,
    /// By window and output.
    pub windows: Vec<Finding>,
}

impl Verified {
    /// How many windows have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.windows.iter().filter(|window| window.outcome == outcome).count()
    }

    /// Whether there are windows, and all are equal.
    pub fn is_equal(&self) -> bool {
        !self.windows.is_empty() && self.count(Outcome::Equal) == self.windows.len()
    }
}

/// What has been compared so far.
pub(super) struct Comparison {
    plan: Arc<Plan>,
    store: Store,
    known: KnownFacts,
    /// Windows of each output that end by then have been published.
    due: Vec<i64>,
    /// Windows that start before are not asked for.
    since: i64,
    /// Windows that start before may have been other ones: another revision has made some.
    others_until: i64,
    found: Vec<(Key, Outcome, String)>,
    seen: BTreeSet<Key>,
}

impl Comparison {
    pub(super) fn new(plan: &Arc<Plan>, store: Store, known: KnownFacts, since: Option<i64>) -> Self {
        let newest = store.newest();
        let due = |output: i32| known.published_until(output).max(newest.get(&output).copied()).unwrap_or(i64::MIN);
        let due = (0..plan.partials_partitions as i32).map(due).collect();
        let others_until = store.others_until(plan.revision).unwrap_or(i64::MIN);
        let since = since.unwrap_or(i64::MIN);
        Self { plan: plan.clone(), store, due, since, others_until, known, found: Vec::new(), seen: BTreeSet::new() }
    }

    /// Compares a window that the log gives.
    pub(super) fn compare(&mut self, again: &Recompute<Arc<SchemaCache>>, window: &Again) -> Result<(), VerifyError> {
        let (start, end) = (window.published.window.start.0, window.published.window.end.0);
        let key = (start, window.output);
        if start < self.since {
            return Ok(());
        }
        self.seen.insert(key);
        let files = self.store.files.get(&key).map_or(&[][..], Vec::as_slice);
        let sources = window.published.sources.iter();
        let own: Vec<(i32, i64)> = sources.map(|(partition, closed)| (partition.0, closed.first.0)).collect();
        let (outcome, detail) = match files {
            [] if end > self.due[window.output as usize] || start < self.others_until => return Ok(()),
            [] => match again.doubt(start, &own) {
                Some(_) => return Ok(()),
                None => (Outcome::Missing, format!("the log gives '{}'", window.table.path())),
            },
            [file] => match self.difference(file, window)? {
                None => (Outcome::Equal, String::new()),
                Some(difference) => {
                    let firsts = [firsts(file), own].concat();
                    self.explain(again, start, &firsts, file, difference)
                }
            },
            [first, second, ..] => {
                (Outcome::Different, format!("there are several files of it: '{}', '{}'", first.path, second.path))
            }
        };
        self.found.push((key, outcome, detail));
        Ok(())
    }

    /// How the file differs from what it should be; nothing when it does not.
    fn difference(&self, file: &GoldFile, window: &Again) -> Result<Option<String>, VerifyError> {
        let bytes = self.store.bytes(file)?;
        if file.path == window.table.path() && bytes == window.table.bytes {
            return Ok(None);
        }
        if bytes == window.table.bytes {
            return Ok(Some(format!("it is named '{}', which is not the name of its content", file.path)));
        }
        // A reader schema that was raised since changes what the footer says, and nothing else.
        let older = facts(file).filter(|facts| facts.reader_schema != self.plan.reader_schema);
        if let Some(older) = older {
            let plan = Plan { reader_schema: older.reader_schema.clone(), ..(*self.plan).clone() };
            let table = table::gold(&plan, &window.published, window.output)
                .map_err(worker::recompute::RecomputeError::from)?;
            if file.path == table.path() && bytes == table.bytes {
                return Ok(None);
            }
        }
        Ok(Some(match Gold::read(bytes) {
            Err(error) => format!("'{}' is damaged: {error}", file.path),
            Ok(gold) => describe(&gold, window),
        }))
    }

    /// Whether something that is gone explains a difference.
    fn explain(
        &self,
        again: &Recompute<Arc<SchemaCache>>,
        start: i64,
        firsts: &[(i32, i64)],
        file: &GoldFile,
        difference: String,
    ) -> (Outcome, String) {
        let Some(facts) = facts(file) else { return (Outcome::Different, difference) };
        if facts.revision != self.plan.revision {
            let (made, ours) = (facts.revision, self.plan.revision);
            return (Outcome::Unknown, format!("revision {made} made it, the manifest has revision {ours}"));
        }
        if let Some(Lost { partition, from, to }) = facts.lost.first() {
            let marked =
                format!("it is marked: it may lack records of offsets {from} to {to} of partition {partition}");
            return (Outcome::Unknown, marked);
        }
        if let Some(doubt) = again.doubt(start, firsts) {
            return (Outcome::Unknown, lost(doubt, facts, self.since == i64::MIN));
        }
        if !self.known.decrees_of(start) {
            let topic = &self.plan.partials_topic;
            return (
                Outcome::Unknown,
                format!("the seals that tell of decrees are gone from '{topic}', and {difference}"),
            );
        }
        (Outcome::Different, difference)
    }

    /// What is left: files of windows that the log does not give.
    pub(super) fn finish(mut self, again: &Recompute<Arc<SchemaCache>>, records: u64) -> Verified {
        let is_left = |key: &&Key| key.0 >= self.since && !self.seen.contains(key);
        let left: Vec<Key> = self.store.files.keys().filter(is_left).copied().collect();
        for key in left {
            let file = &self.store.files[&key][0];
            let difference = match &file.content {
                Err(error) => format!("'{}' is damaged: {error}", file.path),
                Ok(_) => format!("the log gives no such window, the store has '{}'", file.path),
            };
            let (outcome, detail) = self.explain(again, key.0, &firsts(file), file, difference);
            self.found.push((key, outcome, detail));
        }
        self.found.sort_by_key(|(key, ..)| *key);
        let windows = self.found.into_iter().map(|((start, output), outcome, detail)| {
            let window = iso(start);
            Finding { window, output, outcome, detail }
        });
        Verified { records, windows: windows.collect() }
    }
}

fn facts(file: &GoldFile) -> Option<&Facts> {
    file.content.as_ref().ok()
}

/// The first record of each partition that contributed, by the footer.
fn firsts(file: &GoldFile) -> Vec<(i32, i64)> {
    let sources = facts(file).into_iter().flat_map(|facts| &facts.sources);
    sources.map(|source| (source.partition, source.first)).collect()
}

/// Which records are gone, or were not read where not all is asked for.
fn lost(doubt: Doubt, facts: &Facts, is_all: bool) -> String {
    let Doubt { partition, low, certain_from } = doubt;
    let source = facts.sources.iter().find(|source| source.partition == partition);
    let needed = source.map_or_else(String::new, |source| {
        format!("it was made of offsets {} to {} of partition {partition}; ", source.first, source.end)
    });
    let certain =
        certain_from.map_or_else(String::new, |certain| format!(", and verdicts are certain from {certain} on"));
    let begins = if is_all { "begins at" } else { "is read from" };
    format!("{needed}the log of partition {partition} {begins} offset {low}{certain}")
}

fn describe(gold: &Gold, window: &Again) -> String {
    let (found, given) = (&gold.rows, &window.published.rows);
    if found.num_rows() != given.num_rows() {
        return format!("the file has {} rows, the log gives {}", found.num_rows(), given.num_rows());
    }
    let sources = gold.sources.iter().map(|source| (source.partition, source.first, source.end, source.records));
    let given_sources =
        window.published.sources.iter().map(|(of, closed)| (of.0, closed.first.0, closed.end.0, closed.records));
    if found.columns() != given.columns() {
        let column = found.columns().iter().zip(given.columns()).position(|(found, given)| found != given);
        let name =
            column.map_or_else(String::new, |column| format!(", first in '{}'", given.schema().field(column).name()));
        return format!("the file has other values than the log gives{name}");
    }
    if !sources.clone().eq(given_sources.clone()) {
        let [found, given] = [sources.collect::<Vec<_>>(), given_sources.collect()].map(|list| format!("{list:?}"));
        return format!(
            "the rows are equal, but their origin (partition, first, end, records) is {found}, by the log {given}"
        );
    }
    "the rows are equal, but the bytes are not: another version of Sluice may have written them".to_owned()
}

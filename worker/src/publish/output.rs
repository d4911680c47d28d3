//! One partition of the partials topic: its collector, and the files that come out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::Plan;
use schemas::report::{OutputReport, WaitingWindow};
use schemas::wire::pieces::Joiner;
use schemas::wire::{BatchBody, Content, Record, Sender, WireError};
use stream_core::{Collector, CollectorProgress, EventTime, Message, Offset, Partition, Program, Published};

use super::overflow::{self, Told};
use super::table::{self, Table, gold_prefix};
use super::{PublishError, Publisher};
use crate::progress::CommittedPublish;
use crate::stop::Backoff;
use crate::wire::{PartialError, read_loss, read_partial, read_seal};

/// The state of one partition.
pub(super) struct Output {
    number: i32,
    now: Collecting,
    /// The meaning before, until all its windows are published.
    before: Option<Collecting>,
    /// The revision with which the meaning began, as far as that is known.
    meaning: Option<i64>,
    /// What comes next is of a later meaning than the pipeline has here: it is left to publishers that know that one.
    is_over: bool,
    /// What was taken up is of such a meaning.
    is_foreign: bool,
    position: i64,
    /// Puts messages together that arrive in pieces.
    joiner: Joiner,
    windows: u64,
    reports: u64,
    /// The gold file and the report that were written last, or found written.
    files: [Option<String>; 2],
    /// Log time of each source partition's newest report of those that were taken in.
    reported: BTreeMap<i32, i64>,
    /// What did not fit its columns.
    overflow: Told,
    committed: Option<CommittedPublish>,
}

/// What one meaning's windows need to be completed.
struct Collecting {
    collector: Collector,
    program: Arc<Program>,
    plan: Arc<Plan>,
}

impl Collecting {
    fn resume(program: &Arc<Program>, plan: &Arc<Plan>, publisher: &Publisher, progress: &CollectorProgress) -> Self {
        let (program, plan) = (program.clone(), plan.clone());
        let collector = Collector::resume_in(program.clone(), publisher.topology.clone(), progress);
        Self { collector, program, plan }
    }
}

impl Output {
    pub(super) fn resume(output: i32, publisher: &Publisher, taken: CommittedPublish) -> Result<Self, PublishError> {
        let CommittedPublish { progress, files, meaning, before, overflow } = taken;
        let before = publisher.previous.as_ref().zip(before);
        let anchors = before.as_ref().map(|(_, before)| before.anchor).into_iter().chain([progress.anchor]);
        Ok(Self {
            number: output,
            position: anchors.fold(progress.anchor, Offset::min).0,
            now: Collecting::resume(&publisher.program, &publisher.plan, publisher, &progress),
            before: before.map(|(previous, progress)| {
                Collecting::resume(&previous.change.before, &previous.plan, publisher, &progress)
            }),
            joiner: Joiner::default(),
            is_over: false,
            is_foreign: meaning.is_some_and(|meaning| meaning > publisher.plan.revision),
            meaning,
            windows: 0,
            reports: 0,
            files,
            reported: BTreeMap::new(),
            overflow: Told::resume(publisher, overflow)?,
            committed: None,
        })
    }

    pub(super) fn reported(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.reported.iter().map(|(partition, time)| (*partition, *time))
    }

    /// Up to where a source partition has sealed, in the meaning that the pipeline has.
    pub(super) fn sealed(&self, partition: usize) -> EventTime {
        self.now.collector.sealed()[partition]
    }

    pub(super) fn last_report(&self) -> Option<&str> {
        self.files[1].as_deref()
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn reached(&self) -> CommittedPublish {
        CommittedPublish {
            progress: self.now.collector.progress(),
            files: self.files.clone(),
            meaning: self.meaning,
            before: self.before.as_ref().map(|before| before.collector.progress()),
            overflow: self.overflow.file(),
        }
    }

    pub(super) fn is_committed(&self, reached: &CommittedPublish) -> bool {
        self.is_foreign || self.committed.as_ref() == Some(reached)
    }

    pub(super) fn set_committed(&mut self, reached: CommittedPublish) {
        self.committed = Some(reached);
    }

    /// Takes in one message of the topic; one that comes in pieces when its last piece does. What is no record of this pipeline is left
    /// out, loudly.
    pub(super) fn take_in(&mut self, publisher: &Publisher, at: i64, value: &[u8]) -> Result<(), PublishError> {
        if self.is_foreign || self.is_over {
            let revision = Record::decode(value).map_or(i64::MIN, |record| record.from.revision);
            self.leave(publisher, revision);
            return Ok(());
        }
        let record = self.joiner.take(at, value);
        let begun = self.joiner.open().map(|(from, _)| from.revision);
        let revision = record.as_ref().ok().and_then(Option::as_ref).map(|record| record.from.revision);
        if let Some(revision) = begun.chain(revision).max().filter(|revision| *revision > publisher.plan.revision) {
            self.leave(publisher, revision);
            return Ok(());
        }
        self.position = at + 1;
        self.admit(publisher, at, record)?;
        self.hold();
        for meaning in self.meanings() {
            meaning.collector.advance(Offset(at + 1));
        }
        Ok(())
    }

    fn admit(
        &mut self,
        publisher: &Publisher,
        at: i64,
        record: Result<Option<Record>, WireError>,
    ) -> Result<(), PublishError> {
        let foreign = match record {
            Ok(None) => None,
            Ok(Some(Record { from, content: Content::Report(body) })) => {
                // After a fence the former owner may know less of the decrees than its successor, and report otherwise.
                if self.now.collector.admits(message(at, from)) {
                    self.write_report(publisher, from, &body)?;
                    publisher.quality.observe(from.partition, &body);
                }
                None
            }
            Ok(Some(record)) => self.collect(publisher, at, &record).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = foreign {
            let what = format!("message {at} of partition {} of '{}'", self.number, publisher.plan.partials_topic);
            let task = format!("partials {}", self.number);
            publisher.status.trouble(&task, "ForeignPartial", format!("{what} is left out: {error}"));
        }
        Ok(())
    }

    /// Tells which messages are not whole yet.
    fn hold(&mut self) {
        let Self { joiner, before, now, .. } = self;
        for meaning in before.iter_mut().chain([now]) {
            let open = joiner.open().map(|(from, first)| (Partition(from.partition), from.incarnation, Offset(first)));
            meaning.collector.hold(open);
        }
    }

    /// Takes in nothing any more: a later meaning has begun, of which this worker has not been told. What was taken in before can be
    /// completed, and is the same to the byte as what a publisher of the later one writes of it.
    fn leave(&mut self, publisher: &Publisher, revision: i64) {
        if !std::mem::replace(&mut self.is_over, true) {
            let (number, own) = (self.number, publisher.plan.revision);
            let revision = self.meaning.unwrap_or(revision).max(revision);
            let message =
                format!("output {number} goes on with revision {revision}, and this worker has revision {own}");
            publisher.status.trouble(&format!("output {number}"), "NewerMeaning", message);
        }
    }

    /// The meaning before, while it has windows, and the one that the pipeline has.
    fn meanings(&mut self) -> impl Iterator<Item = &mut Collecting> {
        self.before.iter_mut().chain([&mut self.now])
    }

    fn collect(&mut self, publisher: &Publisher, at: i64, record: &Record) -> Result<(), PartialError> {
        let (from, output) = (message(at, record.from), self.number as u32);
        if record.content == Content::Fence {
            self.meanings().for_each(|meaning| meaning.collector.fence(from));
            return Ok(());
        }
        let revision = record.from.revision;
        let (meaning, until) = match (&mut self.before, &publisher.previous) {
            (Some(before), Some(previous)) if previous.plan.revision == revision => (before, previous.change.until),
            _ if self.meaning.is_some_and(|meaning| revision < meaning) => {
                self.lose_unknown(from, &record.content);
                return Ok(());
            }
            _ => (&mut self.now, EventTime(i64::MAX)),
        };
        match &record.content {
            Content::Partial(header, _) if header.start >= until.0 => {}
            Content::Partial(header, rows) => {
                meaning.collector.partial(from, read_partial(header, rows, output, &meaning.program)?);
            }
            Content::Seal(body) => {
                let mut seal = read_seal(body, output)?;
                seal.closed.retain(|closed| closed.window.start < until);
                meaning.collector.seal(from, &seal);
            }
            Content::Loss(body) => meaning.collector.lost(from, &read_loss(body)),
            Content::Fence | Content::Report(_) | Content::Piece(..) => {}
        }
        Ok(())
    }

    /// What is told of windows of a meaning that is not known here any more. Those that are not published cannot be completed: they are lost.
    fn lose_unknown(&mut self, from: Message, content: &Content) {
        let Content::Seal(body) = content else { return };
        let collector = &mut self.before.as_mut().unwrap_or(&mut self.now).collector;
        let ends = body.closed.iter().map(|closed| EventTime(closed.end));
        if let Some(last) = ends.max().filter(|last| collector.admits(from) && *last > collector.published_until()) {
            collector.tell_lost(last);
        }
    }

    fn write_report(&mut self, publisher: &Publisher, from: Sender, body: &BatchBody) -> Result<(), PublishError> {
        let previous = publisher.previous.as_ref().filter(|previous| previous.plan.revision == from.revision);
        let plan = previous.map_or(&publisher.plan, |previous| &previous.plan);
        // The report is what a commit names: where it is, its samples must be too.
        if let Some(samples) = table::samples(plan, from.partition, body)? {
            write(publisher, &samples)?;
        }
        let report = table::report(plan, from.partition, body)?;
        write(publisher, &report)?;
        self.files[1] = Some(report.path());
        self.reports += 1;
        self.reported.insert(from.partition, body.first_log_time);
        Ok(())
    }

    /// Writes every window that is complete.
    pub(super) fn write_complete(&mut self, publisher: &Publisher) -> Result<(), PublishError> {
        let number = self.number;
        let mut written = Vec::new();
        let meanings = self.before.iter_mut().chain([&mut self.now]);
        for meaning in meanings {
            meaning.write_complete(publisher, number, &mut written, &mut self.overflow)?;
        }
        self.overflow.forget(self.published_until());
        self.windows += written.len() as u64;
        self.files[0] = written.pop().or_else(|| self.files[0].take());
        if let Some(divergence) = self.meanings().find_map(|meaning| meaning.collector.divergences().last()) {
            let what = format!("output {number}");
            publisher.status.trouble(&what, "Divergence", describe(divergence));
        }
        if let Some(previous) = &publisher.previous {
            let closes = previous.change.closes();
            self.before.take_if(|before| before.collector.published_until() >= closes);
        }
        Ok(())
    }

    /// Windows that end by then are published, in either meaning.
    fn published_until(&self) -> Option<i64> {
        time(self.before.as_ref().unwrap_or(&self.now).collector.published_until())
    }

    pub(super) fn report(&self) -> OutputReport {
        let meanings = || self.before.iter().chain([&self.now]).map(|meaning| &meaning.collector);
        let waiting = meanings().flat_map(Collector::waiting).map(|(window, unsealed)| WaitingWindow {
            start: window.start.0,
            end: window.end.0,
            unsealed: unsealed.into_iter().map(|partition| partition.0).collect(),
        });
        OutputReport {
            output: self.number,
            position: self.position,
            published_until: self.published_until(),
            lost_until: meanings().map(Collector::lost_until).max().and_then(time),
            windows_published: self.windows,
            reports_published: self.reports,
            waiting: waiting.collect(),
            divergences: meanings().flat_map(Collector::divergences).map(describe).collect(),
            overflows: self.overflow.reports(),
        }
    }
}

impl Collecting {
    /// Writes every window that is complete, and tells the files.
    fn write_complete(
        &mut self,
        publisher: &Publisher,
        output: i32,
        written: &mut Vec<String>,
        told: &mut Told,
    ) -> Result<(), PublishError> {
        for published in self.collector.complete()? {
            let table = table::gold(&self.plan, &published, output)?;
            if let Some(other) = foreign_file(publisher, &published, output, &table)? {
                let partition = published.sources.first().map_or(Partition(-1), |(partition, _)| *partition);
                self.collector.diverge(published.window, partition, other, table.name);
                continue;
            }
            write(publisher, &table)?;
            let overflowed = overflow::of(&published, self.plan.groups.len())?;
            told.add((published.window.start.0, published.window.end.0), &overflowed, &table.path());
            written.push(table.path());
            self.collector.published(published.window);
        }
        Ok(())
    }
}

/// A file of the same window with another digest.
fn foreign_file(
    publisher: &Publisher,
    complete: &Published,
    output: i32,
    table: &Table,
) -> Result<Option<String>, PublishError> {
    let names = persist_sink(publisher, || publisher.files.names(&table.folder))?;
    let prefix = gold_prefix(complete, output);
    let foreign = |name: &String| name.starts_with(&prefix) && name.ends_with(".parquet") && *name != table.name;
    Ok(names.into_iter().find(foreign))
}

fn time(time: EventTime) -> Option<i64> {
    (time != EventTime::NEVER).then_some(time.0)
}

fn message(at: i64, from: Sender) -> Message {
    Message { at: Offset(at), partition: Partition(from.partition), incarnation: from.incarnation }
}

fn describe(divergence: &stream_core::Divergence) -> String {
    let (start, end) = (divergence.window.start, divergence.window.end);
    let (partition, known, other) = (divergence.partition, &divergence.known, &divergence.other);
    format!("window {start}..{end} is stopped: partition {partition} gave '{known}' and then '{other}'")
}

fn write(publisher: &Publisher, table: &Table) -> Result<(), PublishError> {
    persist_sink(publisher, || publisher.files.create(&table.path(), &table.bytes)).map(drop)
}

/// Repeats `action` on the store until it succeeds: a full or missing disk stops publishing and loses nothing.
pub(super) fn persist_sink<T>(
    publisher: &Publisher,
    mut action: impl FnMut() -> Result<T, super::StoreError>,
) -> Result<T, PublishError> {
    let mut backoff = Backoff::default();
    loop {
        match action() {
            Ok(done) => {
                publisher.status.recovered("sink");
                return Ok(done);
            }
            Err(error) => publisher.status.trouble("sink", error.reason(), error.to_string()),
        }
        if publisher.stop.wait(backoff.next()) {
            return Err(PublishError::Stopped);
        }
    }
}

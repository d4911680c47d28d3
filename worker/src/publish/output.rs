//! One partition of the partials topic: its collector, and the files that come out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::report::{OutputReport, WaitingWindow};
use schemas::wire::{BatchBody, Content, Record, Sender};
use stream_core::{Collector, EventTime, Message, Offset, Partition, Program, Published};

use super::reports::DAY;
use super::table::{self, Table, gold_prefix};
use super::{PublishError, Publisher};
use crate::progress::CommittedPublish;
use crate::stop::Backoff;
use crate::wire::{PartialError, read_partial, read_seal};

/// The state of one partition.
pub(super) struct Output {
    number: i32,
    collector: Collector,
    program: Arc<Program>,
    position: i64,
    windows: u64,
    reports: u64,
    /// The gold file and the report that were written last, or found written.
    files: [Option<String>; 2],
    /// The UTC day of each source partition's newest report since then.
    days: BTreeMap<i32, i64>,
    committed: Option<CommittedPublish>,
}

impl Output {
    pub(super) fn resume(output: i32, publisher: &Publisher, taken: CommittedPublish) -> Self {
        let program = publisher.program.clone();
        let collector = Collector::resume_in(program.clone(), publisher.topology.clone(), &taken.progress);
        let (position, files) = (taken.progress.anchor.0, taken.files);
        Self {
            number: output,
            collector,
            program,
            position,
            windows: 0,
            reports: 0,
            files,
            days: BTreeMap::new(),
            committed: None,
        }
    }

    pub(super) fn days(&self) -> impl Iterator<Item = (i32, i64)> + '_ {
        self.days.iter().map(|(partition, day)| (*partition, *day))
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn reached(&self) -> CommittedPublish {
        CommittedPublish { progress: self.collector.progress(), files: self.files.clone() }
    }

    pub(super) fn is_committed(&self, reached: &CommittedPublish) -> bool {
        self.committed.as_ref() == Some(reached)
    }

    pub(super) fn set_committed(&mut self, reached: CommittedPublish) {
        self.committed = Some(reached);
    }

    /// Takes in one message of the topic. What is no record of this pipeline is left out, loudly.
    pub(super) fn take_in(&mut self, publisher: &Publisher, at: i64, value: &[u8]) -> Result<(), PublishError> {
        self.position = at + 1;
        let foreign = match Record::decode(value) {
            Ok(Record { from, content: Content::Report(body) }) => {
                // After a fence the former owner may know less of the decrees than its successor, and report otherwise.
                if self.collector.admits(message(at, from)) {
                    self.write_report(publisher, from.partition, &body)?;
                    publisher.quality.observe(from.partition, &body);
                }
                None
            }
            Ok(record) => self.collect(at, &record).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = foreign {
            let what = format!("message {at} of partition {} of '{}'", self.number, publisher.plan.partials_topic);
            let task = format!("partials {}", self.number);
            publisher.status.trouble(&task, "ForeignPartial", format!("{what} is left out: {error}"));
        }
        self.collector.advance(Offset(at + 1));
        Ok(())
    }

    fn collect(&mut self, at: i64, record: &Record) -> Result<(), PartialError> {
        let (from, output) = (message(at, record.from), self.number as u32);
        match &record.content {
            Content::Partial(header, rows) => {
                self.collector.partial(from, read_partial(header, rows, output, &self.program)?);
            }
            Content::Seal(body) => self.collector.seal(from, &read_seal(body, output)?),
            Content::Fence => self.collector.fence(from),
            Content::Report(_) => {}
        }
        Ok(())
    }

    fn write_report(&mut self, publisher: &Publisher, partition: i32, body: &BatchBody) -> Result<(), PublishError> {
        // The report is what a commit names: where it is, its samples must be too.
        if let Some(samples) = table::samples(&publisher.plan, partition, body)? {
            write(publisher, &samples)?;
        }
        let report = table::report(&publisher.plan, partition, body)?;
        write(publisher, &report)?;
        self.files[1] = Some(report.path());
        self.reports += 1;
        self.days.insert(partition, body.first_log_time.div_euclid(DAY));
        Ok(())
    }

    /// Writes every window that is complete.
    pub(super) fn write_complete(&mut self, publisher: &Publisher) -> Result<(), PublishError> {
        for published in self.collector.complete()? {
            let table = table::gold(&publisher.plan, &published, self.number)?;
            if let Some(other) = self.foreign_file(publisher, &published, &table)? {
                let partition = published.sources.first().map_or(Partition(-1), |(partition, _)| *partition);
                self.collector.diverge(published.window, partition, other, table.name);
                continue;
            }
            write(publisher, &table)?;
            self.files[0] = Some(table.path());
            self.collector.published(published.window);
            self.windows += 1;
        }
        if let Some(divergence) = self.collector.divergences().last() {
            let what = format!("output {}", self.number);
            publisher.status.trouble(&what, "Divergence", describe(divergence));
        }
        Ok(())
    }

    /// A file of the same window with another digest.
    fn foreign_file(
        &self,
        publisher: &Publisher,
        complete: &Published,
        table: &Table,
    ) -> Result<Option<String>, PublishError> {
        let names = persist_sink(publisher, || publisher.files.names(&table.folder))?;
        let prefix = gold_prefix(complete, self.number);
        let foreign = |name: &String| name.starts_with(&prefix) && name.ends_with(".parquet") && *name != table.name;
        Ok(names.into_iter().find(foreign))
    }

    pub(super) fn report(&self) -> OutputReport {
        let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
        let waiting = self.collector.waiting().map(|(window, unsealed)| WaitingWindow {
            start: window.start.0,
            end: window.end.0,
            unsealed: unsealed.into_iter().map(|partition| partition.0).collect(),
        });
        OutputReport {
            output: self.number,
            position: self.position,
            published_until: time(self.collector.published_until()),
            lost_until: time(self.collector.lost_until()),
            windows_published: self.windows,
            reports_published: self.reports,
            waiting: waiting.collect(),
            divergences: self.collector.divergences().iter().map(describe).collect(),
        }
    }
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

//! Judging records without any effect: what a pipeline would say of them, for people who want to know before they act.
//!
//! The same decoder and the same lane as ingest; nothing is sent, committed or written.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::Plan;
use schemas::report::Ledger;
use schemas::wire::{RuleBody, SampleBody};
use stream_core::{Emission, Emissions, EventTime, Fetch, Lane, Offset, Point, Program, Progress};
use thiserror::Error;

use crate::decode::{DecodeError, Decoder, Framed, LogClock, WriterSchemas};
use crate::ingest::words;
use crate::program::program;
use crate::wire::{ledger, report_body};

/// A trial cannot go on.
#[derive(Debug, Error)]
pub enum TrialError {
    /// Records could not be decoded: the registry did not answer.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The core refused.
    #[error(transparent)]
    Core(#[from] stream_core::Error),
}

/// A record that would not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Its offset.
    pub offset: i64,
    /// The verdict: `Undecodable`, `Invalid` or `Late`.
    pub reason: &'static str,
    /// The rule it breaks, if it breaks one.
    pub rule: Option<String>,
    /// What is wrong, for people.
    pub message: String,
}

/// What the pipeline would say.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Verdicts. Records before the first one were not seen, so their duplicates are not known.
    pub ledger: Ledger,
    /// Per rule, in the manifest's order.
    pub rules: Vec<RuleBody>,
    /// Examples of violations.
    pub samples: Vec<Sampled>,
    /// The records that would be refused.
    pub objections: Vec<Objection>,
    /// Where a partition would stop, if one would.
    pub stopped: Option<Stopped>,
}

/// An example of a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// The source partition.
    pub partition: i32,
    /// The record and its values.
    pub sample: SampleBody,
}

/// A record that a rule does not let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The rule's name.
    pub rule: String,
}

/// One partition's records, judged one after the other.
pub struct Trial<S> {
    plan: Arc<Plan>,
    program: Arc<Program>,
    partition: i32,
    decoder: Decoder<S>,
    clock: LogClock,
    lane: Lane,
    findings: Findings,
}

impl<S: WriterSchemas> Trial<S> {
    /// Begins before record `first` of a partition, as a lane whose watermark is `watermark` milliseconds (absent: that of a new partition).
    pub fn new(
        plan: &Arc<Plan>,
        schemas: S,
        partition: i32,
        first: i64,
        watermark: Option<i64>,
    ) -> Result<Self, TrialError> {
        let program = Arc::new(program(plan));
        let watermark = watermark.map_or(EventTime::NEVER, EventTime);
        let start = Progress::start(Offset(first));
        let progress = Progress { anchor: Point { watermark, ..start.anchor }, watermark, ..start };
        Ok(Self {
            plan: plan.clone(),
            decoder: Decoder::new(schemas, &plan.reader_schema, plan.arrow_schema.clone()),
            clock: LogClock::resume(0),
            lane: Lane::resume(program.clone(), &progress)?,
            program,
            partition,
            findings: Findings::default(),
        })
    }

    /// Judges records of rising offsets.
    pub fn feed<R: Framed>(&mut self, records: &[R]) -> Result<(), TrialError> {
        let Some(last) = records.last() else { return Ok(()) };
        if self.findings.stopped.is_some() {
            return Ok(());
        }
        let decoded = self.decoder.decode(records, &mut self.clock)?;
        let emissions = self.lane.feed(&Fetch {
            rows: &decoded.batch,
            offsets: &decoded.offsets,
            log_times: &decoded.log_times,
            undecodable: &decoded.poison(),
            end: Offset(last.offset() + 1),
        })?;
        self.note(&emissions);
        Ok(())
    }

    /// Ends the open batch and gives everything.
    pub fn finish(mut self) -> Result<Findings, TrialError> {
        let decreed = self.lane.decree(self.lane.watermark())?;
        self.note(&decreed.emissions);
        self.findings.ledger = ledger(&self.lane.verdicts());
        Ok(self.findings)
    }

    fn note(&mut self, emissions: &Emissions) {
        for refused in &emissions.refused {
            let (reason, rule, message) = words(&self.program, &refused.reason);
            self.findings.objections.push(Objection { offset: refused.offset.0, reason, rule, message });
        }
        let reports = emissions.items.iter().filter_map(|item| match item {
            Emission::Report(report) => Some(report_body(report, &self.plan)),
            _ => None,
        });
        for report in reports {
            let sampled = |sample| Sampled { partition: self.partition, sample };
            self.findings.add(report.rules, report.samples.into_iter().map(sampled));
        }
        if let Some(halt) = emissions.halt {
            let rule = self.program.rules[halt.rule].name.clone();
            self.findings.stopped = Some(Stopped { partition: self.partition, offset: halt.offset.0, rule });
        }
    }
}

impl Findings {
    /// Adds what was found on another partition.
    pub fn merge(&mut self, other: Self) {
        self.ledger.add(&other.ledger);
        self.add(other.rules, other.samples);
        self.objections.extend(other.objections);
        self.stopped = self.stopped.take().or(other.stopped);
    }

    fn add(&mut self, rules: Vec<RuleBody>, samples: impl IntoIterator<Item = Sampled>) {
        if self.rules.is_empty() {
            self.rules = rules;
        } else {
            for (mine, more) in self.rules.iter_mut().zip(rules) {
                mine.evaluated += more.evaluated;
                mine.violations += more.violations;
                mine.skipped += more.skipped;
            }
        }
        self.samples.extend(samples);
    }

    /// How many records would be refused for each reason and rule.
    pub fn grouped(&self) -> BTreeMap<(&'static str, Option<&str>), u64> {
        let mut groups = BTreeMap::new();
        for objection in &self.objections {
            *groups.entry((objection.reason, objection.rule.as_deref())).or_default() += 1;
        }
        groups
    }
}

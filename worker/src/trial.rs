//! Judging records without any effect: what a pipeline would say of them, for people who want to know before they act.
//!
//! The same decoder and the same lane as ingest; nothing is sent, committed or written.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::Plan;
use schemas::report::Ledger;
use schemas::wire::{ExpressionBody, RuleBody, SampleBody};
use stream_core::{Cause, Emission, Emissions, EventTime, Fetch, Halt, Lane, Offset, Point, Program, Progress};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

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
    /// The filter, groups and measures that would have no usable value for some record.
    pub expressions: Vec<ExpressionBody>,
    /// Examples of violations, and of records for which there is no value.
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
        // However bad the records are, all of them are judged.
        let program = Arc::new(Program { guard: None, ..program(plan) });
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
            Emission::Report(report) => Some(report_body(report, &self.plan, &self.program)),
            _ => None,
        });
        for report in reports {
            let sampled = |sample| Sampled { partition: self.partition, sample };
            self.findings.add(report.rules, report.expressions, report.samples.into_iter().map(sampled));
        }
        if let Some(Halt { offset, cause: Cause::Rule(rule) }) = emissions.halt {
            let rule = self.program.rules[rule].name.clone();
            self.findings.stopped = Some(Stopped { partition: self.partition, offset: offset.0, rule });
        }
    }
}

impl Findings {
    /// Adds what was found on another partition.
    pub fn merge(&mut self, other: Self) {
        self.ledger.add(&other.ledger);
        self.add(other.rules, other.expressions, other.samples);
        self.objections.extend(other.objections);
        self.stopped = self.stopped.take().or(other.stopped);
    }

    fn add(
        &mut self,
        rules: Vec<RuleBody>,
        expressions: Vec<ExpressionBody>,
        samples: impl IntoIterator<Item = Sampled>,
    ) {
        if self.rules.is_empty() {
            self.rules = rules;
        } else {
            for (mine, more) in self.rules.iter_mut().zip(rules) {
                mine.evaluated += more.evaluated;
                mine.violations += more.violations;
                mine.skipped += more.skipped;
                mine.no_value += more.no_value;
                mine.not_finite += more.not_finite;
            }
        }
        for more in expressions {
            match self.expressions.iter_mut().find(|mine| (&mine.kind, &mine.name) == (&more.kind, &more.name)) {
                Some(mine) => {
                    mine.no_value += more.no_value;
                    mine.not_finite += more.not_finite;
                }
                None => self.expressions.push(more),
            }
        }
        self.samples.extend(samples);
    }

    /// At most so many examples of violations, by rule in the manifest's order: as many of each rule as there are, and of its partitions,
    /// as far as it goes. Which ones is drawn by a hash, so the same records give the same examples.
    pub fn examples(&self, most: usize) -> Vec<&Sampled> {
        let mut groups: BTreeMap<(usize, i32), BTreeMap<u128, &Sampled>> = BTreeMap::new();
        for sampled in &self.samples {
            let Sampled { partition, sample } = sampled;
            let is_of = |rule: &RuleBody| sample.kind == "rule" && rule.name == sample.name;
            let rule = self.rules.iter().position(is_of).unwrap_or(self.rules.len());
            let drawn = format!("{partition} {} {} {:?}", sample.offset, sample.name, sample.field);
            groups.entry((rule, *partition)).or_default().insert(xxh3_128(drawn.as_bytes()), sampled);
        }
        // Of each rule the first of every partition, then the second; of these the first of every rule, then the second.
        let mut of_rules: BTreeMap<usize, BTreeMap<(usize, u128), &Sampled>> = BTreeMap::new();
        for ((rule, _), group) in groups {
            let ranked = group.into_iter().enumerate().map(|(rank, (drawn, sampled))| ((rank, drawn), sampled));
            of_rules.entry(rule).or_default().extend(ranked);
        }
        let ranked = of_rules.into_iter().flat_map(|(rule, samples)| {
            samples.into_values().enumerate().map(move |(rank, sampled)| (rank, rule, sampled))
        });
        let mut chosen: Vec<_> = ranked.collect();
        chosen.sort_by_key(|(rank, rule, _)| (*rank, *rule));
        chosen.truncate(most);
        chosen.sort_by_key(|(_, rule, sampled)| (*rule, sampled.partition, sampled.sample.offset));
        chosen.into_iter().map(|(.., sampled)| sampled).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_of_every_rule_and_partition() {
        let rule = |name: &str| RuleBody {
            name: name.to_owned(),
            fingerprint: String::new(),
            evaluated: 0,
            violations: 0,
            skipped: 0,
            no_value: 0,
            not_finite: 0,
        };
        let example = |rule: &str, partition: i32, offset: i64| Sampled {
            partition,
            sample: SampleBody {
                kind: "rule".to_owned(),
                name: rule.to_owned(),
                why: "violation".to_owned(),
                offset,
                event_id: None,
                field: None,
                value: None,
            },
        };
        let all = |rule: &'static str, partition: i32, count: i64| {
            (0..count).map(move |offset| example(rule, partition, offset))
        };
        // Partition 0 was read first and has most; one rule is broken twice.
        let samples =
            all("often", 0, 500).chain(all("seldom", 1, 2)).chain(all("often", 1, 40)).chain(all("often", 2, 3));
        let findings =
            Findings { rules: vec![rule("often"), rule("seldom")], samples: samples.collect(), ..Findings::default() };
        let shown = |most: usize| {
            let mut counts: BTreeMap<(&str, i32), usize> = BTreeMap::new();
            for Sampled { partition, sample } in findings.examples(most) {
                *counts.entry((&sample.name, *partition)).or_default() += 1;
            }
            counts
                .into_iter()
                .map(|((rule, partition), count)| format!("{rule} {partition}: {count}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(8), ["often 0: 2", "often 1: 2", "often 2: 2", "seldom 1: 2"]);
        assert_eq!(shown(20), ["often 0: 8", "often 1: 7", "often 2: 3", "seldom 1: 2"]);
        assert_eq!(shown(1000), ["often 0: 500", "often 1: 40", "often 2: 3", "seldom 1: 2"]);
        assert_eq!((shown(0).len(), findings.examples(2).len()), (0, 2));
        // Whatever was read first, the same ones; and not the first of each partition.
        let mut turned = findings.clone();
        turned.samples.reverse();
        assert_eq!(turned.examples(20), findings.examples(20));
        assert!(findings.examples(20).iter().any(|sampled| sampled.sample.offset > 100));
    }
}

//! Whether a lane said what the oracle says of the same log.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use stream_core::{BatchReport, ClosedWindow, Emission, Partial, Reason, Sample, Seal, Subject, Verdict, Why};

use super::program::SAMPLES;
use super::read::read_partial;
use super::{Log, Run, Said};
use crate::model::{self, Batch, Broken, History, Ledger, Params, Window};

/// Compares everything that a lane said of all of `run` with the oracle.
///
/// The oracle also names windows in which there were only duplicates; they have no rows, so the core does not.
pub fn agrees(run: &Run, said: &Said) -> TestCaseResult {
    let history = History::new(&run.setting.params, &run.log.records, &run.decrees);
    let refused: Vec<_> = said.refused.iter().map(|refused| (refused.offset.0, refused.reason.clone())).collect();
    prop_assert_eq!(refused, refusals(run, &history));

    let reports: Vec<_> = said.items.iter().filter_map(report_of).collect();
    let batches = history.batches();
    prop_assert_eq!(reports.len(), batches.len(), "as many reports as batches");
    for (report, batch) in reports.iter().zip(&batches) {
        check_report(&run.setting.params, &run.log, report, batch)?;
    }
    check_seals(run, &history, &said.items)?;
    check_order(&said.items, &batches)
}

fn report_of(item: &Emission) -> Option<&BatchReport> {
    if let Emission::Report(report) = item { Some(report) } else { None }
}

fn refusals(run: &Run, history: &History) -> Vec<(i64, Reason)> {
    let reason = |(record, (_, verdict)): (&model::Record, &(i64, model::Verdict))| {
        let event_time = record.decodable.as_ref().and_then(|event| event.event_time);
        let time = || stream_core::EventTime(event_time.expect("it was judged by its event time"));
        let reason = match verdict {
            model::Verdict::Undecodable => {
                let message = format!("no event at {}", record.offset);
                Reason::Undecodable { kind: "no-event".to_owned(), message }
            }
            model::Verdict::Invalid(Broken::EventTimeMissing) => Reason::EventTimeMissing,
            model::Verdict::Invalid(Broken::EventIdMissing) => Reason::EventIdMissing,
            model::Verdict::Invalid(Broken::Rule(rule)) => Reason::Rule(*rule),
            model::Verdict::Invalid(Broken::EventTimeRange) => {
                Reason::EventTimeRange { event_time: time(), written: event_time }
            }
            model::Verdict::Invalid(Broken::EventTimeFuture) => {
                let log_time = history.log_time(record.offset + 1).expect("it has been read");
                let log_time = stream_core::LogTime(log_time);
                Reason::EventTimeFuture { event_time: time(), log_time, written: event_time }
            }
            model::Verdict::Late if run.setting.late_to_dead_letter => {
                let watermark = history.watermark(record.offset).expect("something made it late");
                let window_end = run.setting.params.window_of(time().0).end;
                let [window_end, watermark] = [window_end, watermark].map(stream_core::EventTime);
                Reason::Late { window_end, watermark }
            }
            _ => return None,
        };
        Some((record.offset, reason))
    };
    run.log.records.iter().zip(&history.verdicts()).filter_map(reason).collect()
}

fn check_report(params: &Params, log: &Log, report: &BatchReport, batch: &Batch) -> TestCaseResult {
    prop_assert_eq!((report.first.0, report.end.0), (batch.first, batch.end));
    let of = |verdict| report.verdicts.of(verdict);
    let ledger = Ledger {
        consumed: report.verdicts.consumed(),
        counted: of(Verdict::Counted),
        duplicate: of(Verdict::Duplicate),
        late: of(Verdict::Late),
        filtered: of(Verdict::Filtered),
        invalid: of(Verdict::Invalid),
        undecodable: of(Verdict::Undecodable),
        gaps: report.gaps,
    };
    prop_assert_eq!(ledger, batch.ledger, "batch {}", batch.first);
    let rule = |counts: &stream_core::RuleCounts| (counts.evaluated, counts.violations, counts.skipped);
    let rules: Vec<_> = report.rules.iter().map(rule).collect();
    let expected: Vec<_> = batch.rules.iter().map(|rule| (rule.evaluated, rule.violations, rule.skipped)).collect();
    prop_assert_eq!(rules, expected, "rules of batch {}", batch.first);

    let records = log.records.iter().zip(&log.folded);
    let within: Vec<_> = records.filter(|(record, _)| (batch.first..batch.end).contains(&record.offset)).collect();
    let ends = within.first().zip(within.last()).map(|(first, last)| (*first.1, *last.1));
    prop_assert_eq!(Some((report.first_log_time.0, report.last_log_time.0)), ends, "log times of {}", batch.first);
    // What is no time has no latency.
    let is_time = |time: Option<i64>| time.is_some_and(|time| params.in_calendar(time));
    let timed = |(record, _): &&(&model::Record, &i64)| {
        let event = record.decodable.as_ref().is_some_and(|event| is_time(event.event_time));
        event && is_time(Some(record.log_time)) && record.offset % 5 != 0
    };
    prop_assert_eq!(report.latency.count(), within.iter().filter(timed).count() as u64, "latencies");
    check_samples(report, &within)
}

fn check_samples(report: &BatchReport, within: &[(&model::Record, &i64)]) -> TestCaseResult {
    for (index, counts) in report.rules.iter().enumerate() {
        let is_of = |sample: &&Sample| (sample.subject, sample.why) == (Subject::Rule(index), Why::Violation);
        let samples: Vec<_> = report.samples.iter().filter(is_of).collect();
        prop_assert_eq!(samples.len() as u64, counts.violations.min(SAMPLES as u64), "samples of rule {}", index);
        prop_assert!(samples.is_sorted_by(|a, b| a.offset < b.offset), "each once, in order");
        for sample in samples {
            let of_sample = within.iter().find(|(record, _)| record.offset == sample.offset.0);
            let event = of_sample.and_then(|(record, _)| record.decodable.as_ref());
            let violates = event.filter(|event| event.rules[index] == model::Answer::Violated);
            prop_assert_eq!(violates.map(|event| event.id.clone()), Some(sample.event_id.clone()));
        }
    }
    Ok(())
}

fn check_seals(run: &Run, history: &History, items: &[Emission]) -> TestCaseResult {
    let mut partials: Vec<&Partial> = Vec::new();
    let mut seals = history.seals().into_iter();
    let groups = history.partials();
    for item in items {
        match item {
            Emission::Report(_) => prop_assert!(partials.is_empty(), "partials and their seal stand together"),
            Emission::Partial(partial) => partials.push(partial),
            Emission::Seal(seal) => {
                let Some(expected) = seals.next() else { return Err(TestCaseError::fail("a seal too many")) };
                prop_assert_eq!((seal.at.0, seal.until.0), (expected.position, expected.sealed_until));
                let windows: Vec<_> = expected.closed.iter().filter(|window| !groups[window].is_empty()).collect();
                let mut named: Vec<_> = seal.closed.iter().map(|closed| window_of(closed.window)).collect();
                named.dedup();
                prop_assert!(
                    named.iter().eq(windows.iter().copied()),
                    "windows closed: {:?}, not {:?}",
                    named,
                    windows
                );
                for window in windows {
                    let parts: Vec<_> =
                        partials.extract_if(.., |partial| window_of(partial.window) == *window).collect();
                    check_window(run, history, *window, seal, &parts, &groups[window])?;
                }
                prop_assert!(partials.is_empty(), "a partial of a window that the seal does not close");
            }
        }
    }
    prop_assert_eq!(seals.next(), None, "a seal is missing");
    prop_assert!(partials.is_empty(), "partials without a seal");
    Ok(())
}

/// The parts of one window, and what the seal says of it.
fn check_window(
    run: &Run,
    history: &History,
    window: Window,
    seal: &Seal,
    parts: &[&Partial],
    groups: &model::Groups,
) -> TestCaseResult {
    let closed: Vec<&ClosedWindow> = seal.closed.iter().filter(|closed| window_of(closed.window) == window).collect();
    prop_assert!(closed.is_sorted_by(|a, b| a.output < b.output), "one entry per output, in order");
    prop_assert!(closed.iter().all(|closed| closed.output < run.setting.outputs && closed.parts > 0));
    let numbered: Vec<_> = parts.iter().map(|partial| (partial.output, partial.part)).collect();
    let named: Vec<_> = closed.iter().flat_map(|closed| (0..closed.parts).map(|part| (closed.output, part))).collect();
    prop_assert_eq!(numbered, named, "parts in order");

    let mut all = BTreeMap::new();
    for of_output in parts.chunk_by(|a, b| a.output == b.output) {
        let rows: Vec<_> = of_output.iter().flat_map(|partial| read_partial(&partial.rows)).collect();
        prop_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "groups in order");
        all.extend(rows);
    }
    prop_assert_eq!(&all, groups, "rows of {:?}", window);

    let first = first_remembered(&run.setting.params, &run.log, history, window);
    let records: u64 = groups.values().map(|state| state.records).sum();
    for closed in closed {
        prop_assert_eq!((Some(closed.first.0), closed.end, closed.records), (first, seal.at, records));
    }
    Ok(())
}

fn first_remembered(params: &Params, log: &Log, history: &History, window: Window) -> Option<i64> {
    let verdicts = history.verdicts();
    let remembered = log.records.iter().zip(&verdicts).filter(|(record, (_, verdict))| {
        let time = record.decodable.as_ref().and_then(|event| event.event_time);
        matches!(verdict, model::Verdict::Counted | model::Verdict::Duplicate)
            && time.is_some_and(|time| params.window_of(time) == window)
    });
    remembered.map(|(record, _)| record.offset).next()
}

/// The order of the log. At one position: the batch that a record ends by coming, the seal that it raises, the batch that
/// a decree ends, the seal that it raises.
fn check_order(items: &[Emission], batches: &[Batch]) -> TestCaseResult {
    let mut batches = batches.iter();
    let mut reached = (i64::MIN, 0);
    for item in items {
        let (at, ranks) = match item {
            Emission::Partial(_) => continue,
            Emission::Report(_) => {
                let batch = batches.next().expect("there are as many batches as reports");
                (batch.known_at, if batch.end == batch.known_at { &[2][..] } else { &[0] })
            }
            Emission::Seal(seal) => (seal.at.0, &[1, 3][..]),
        };
        let next = ranks.iter().map(|rank| (at, *rank)).find(|key| *key >= reached);
        let Some(next) = next else { return Err(TestCaseError::fail(format!("{item:?} comes too late"))) };
        reached = next;
    }
    Ok(())
}

fn window_of(window: stream_core::Window) -> Window {
    Window { start: window.start.0, end: window.end.0 }
}

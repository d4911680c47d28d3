//! `DataQualityHealthy`: how the records stand to the rules, by the report of the worker that watches them.
//!
//! Messages name rules, not figures: figures move with every batch, and every change of a condition is written. The figures are in
//! `status.dataQuality`, rounded.

use schemas::report::{QualityReport, QualityState, RuleStanding, Trouble, WorkerReport};
use schemas::status::{DataQuality, Reason, RuleState, RuleStatus, Time, WorstBatch};

use super::Answer;
use super::watermark::two_digits;

/// The answer of all workers together, and the figures behind it.
pub fn quality_condition(reports: &[&WorkerReport]) -> (Answer, Option<DataQuality>) {
    // All that watch see the same batches; the one that has seen most is the newest.
    let watching = reports.iter().filter_map(|report| report.quality.as_ref());
    let judged = watching.filter(|quality| quality.until.is_some()).max_by_key(|quality| quality.until);
    let figures = judged.map(figures);
    let (lost, overflowed) = (losses(reports), overflows(reports));
    let runaway = |trouble: &&Trouble| trouble.reason == "DeadLetterRunaway";
    let answer = match (reports.iter().flat_map(|report| &report.troubles).find(runaway), judged) {
        (Some(trouble), _) => Answer::no(Reason::DeadLetterRunaway, &trouble.message),
        (None, _) if lost.is_some() => Answer::no(Reason::WindowsIncomplete, lost.unwrap_or_default()),
        (None, _) if overflowed.is_some() => Answer::no(Reason::Overflow, overflowed.unwrap_or_default()),
        (None, Some(quality)) => answer(quality),
        (None, None) => Answer::unknown(Reason::NoBatchYet, "no batch has been reported yet"),
    };
    (answer, figures)
}

/// What source partitions have lost and gone on without, as long as that is recent.
fn losses(reports: &[&WorkerReport]) -> Option<String> {
    let time = |millis: i64| Time::from_millis(millis).to_string();
    let partitions = reports.iter().flat_map(|report| &report.partitions);
    let recent = partitions.flat_map(|partition| {
        let recent = partition.losses.iter().filter(|loss| loss.is_recent(partition.watermark));
        recent.map(|loss| loss.words(partition.partition, time))
    });
    let recent: Vec<String> = recent.collect();
    (!recent.is_empty()).then(|| recent.join("; "))
}

/// Values that did not fit their columns, as long as that is recent.
fn overflows(reports: &[&WorkerReport]) -> Option<String> {
    let time = |millis: i64| Time::from_millis(millis).to_string();
    let outputs = reports.iter().flat_map(|report| &report.outputs);
    let told: Vec<String> = outputs.flat_map(|output| &output.overflows).map(|report| report.words(time)).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn answer(quality: &QualityReport) -> Answer {
    let critical = in_state(quality, QualityState::Critical);
    if !critical.is_empty() {
        return Answer::no(Reason::RuleViolated, format!("broken by more records than is tolerated: {critical}"));
    }
    if quality.overall.state == QualityState::Critical {
        return Answer::no(Reason::UndecodableRecords, "more records are refused than is tolerated");
    }
    let warned = in_state(quality, QualityState::Warning);
    let words = match (warned.is_empty(), quality.overall.state) {
        (false, _) => format!("no rule is broken by more records than is tolerated; near it: {warned}"),
        (true, QualityState::Warning) => "the share of refused records is near what is tolerated".to_owned(),
        (true, _) => "no rule is broken by more records than is tolerated".to_owned(),
    };
    Answer::yes(Reason::WithinThresholds, words)
}

/// The rules in this state, named.
fn in_state(quality: &QualityReport, state: QualityState) -> String {
    let rules = quality.rules.iter().filter(|rule| rule.standing.state == state);
    rules.map(|rule| format!("rule '{}'", rule.name)).collect::<Vec<_>>().join(", ")
}

fn figures(quality: &QualityReport) -> DataQuality {
    let worst = quality.worst_batch.as_ref().map(|worst| WorstBatch {
        batch: worst.batch_id.clone(),
        at: Time::from_millis(worst.last_log_time),
        rule: worst.rule.clone(),
        evaluated: worst.evaluated as i64,
        violations: worst.violations as i64,
    });
    DataQuality { rules: quality.rules.iter().map(rule_status).collect(), worst_batch: worst }
}

fn rule_status(rule: &RuleStanding) -> RuleStatus {
    let standing = &rule.standing;
    RuleStatus {
        name: rule.name.clone(),
        evaluated: two_digits(standing.evaluated as i64),
        violations: two_digits(standing.violations as i64),
        state: match standing.state {
            QualityState::Ok if standing.evaluated == 0 => RuleState::Unknown,
            QualityState::Ok => RuleState::Healthy,
            QualityState::Warning => RuleState::Warning,
            QualityState::Critical => RuleState::Critical,
        },
    }
}

#[cfg(test)]
mod tests {
    use schemas::report::{LossReport, OutputReport, OverflowReport, PartitionReport, QualityStanding};
    use schemas::status::ConditionStatus;

    use super::*;

    fn report(region: QualityState, overall: QualityState) -> WorkerReport {
        let standing =
            |state, violations| QualityStanding { evaluated: 12_345, violations, state, ..Default::default() };
        let rule = |name: &str, state| RuleStanding {
            name: name.to_owned(),
            standing: standing(state, 678),
            ..Default::default()
        };
        let quality = QualityReport {
            until: Some(1),
            overall: standing(overall, 700),
            rules: vec![rule("amount", QualityState::Ok), rule("region", region)],
            ..Default::default()
        };
        WorkerReport { quality: Some(quality), ..Default::default() }
    }

    #[test]
    fn the_worst_state_decides_and_the_rule_is_named() {
        use QualityState::{Critical, Ok, Warning};
        let cases = [
            (
                Ok,
                Ok,
                ConditionStatus::True,
                Reason::WithinThresholds,
                "no rule is broken by more records than is tolerated",
            ),
            (
                Warning,
                Ok,
                ConditionStatus::True,
                Reason::WithinThresholds,
                "no rule is broken by more records than is tolerated; near it: rule 'region'",
            ),
            (
                Critical,
                Critical,
                ConditionStatus::False,
                Reason::RuleViolated,
                "broken by more records than is tolerated: rule 'region'",
            ),
            (
                Ok,
                Critical,
                ConditionStatus::False,
                Reason::UndecodableRecords,
                "more records are refused than is tolerated",
            ),
        ];
        for (region, overall, status, reason, message) in cases {
            let report = report(region, overall);
            let (answer, figures) = quality_condition(&[&WorkerReport::default(), &report]);
            assert_eq!((answer.status, answer.reason, answer.message.as_str()), (status, reason, message));
            let rules = figures.expect("a batch was judged").rules;
            assert_eq!((rules[1].evaluated, rules[1].violations), (12_000, 670));
        }
    }

    #[test]
    fn a_loss_is_told_with_its_numbers_for_a_day_of_events() {
        let hour = 3_600_000;
        let loss =
            LossReport { from: 100, to: 250, unread: 50, windows_after: Some(hour), windows_until: Some(2 * hour) };
        let told = "the log of partition 3 had lost offsets 100 to 250 (50 never read); windows from 1970-01-01T01:00:00Z to \
                    1970-01-01T02:00:00Z may lack records and are marked";
        for (watermark, is_told) in [(hour, true), (25 * hour, true), (26 * hour, false)] {
            let partition = PartitionReport {
                partition: 3,
                watermark: Some(watermark),
                losses: vec![loss],
                ..PartitionReport::default()
            };
            let lossy = WorkerReport { partitions: vec![partition], ..report(QualityState::Ok, QualityState::Ok) };
            let (answer, _) = quality_condition(&[&lossy]);
            let expected = if is_told {
                (Reason::WindowsIncomplete, told)
            } else {
                (Reason::WithinThresholds, answer.message.as_str())
            };
            assert_eq!((answer.reason, answer.message.as_str()), expected, "{watermark}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_with_measure_and_group() {
        let overflow = OverflowReport { start: 0, end: 300_000, measure: "qty".into(), cells: 3, group: "g=b".into() };
        let output = OutputReport { overflows: vec![overflow], ..OutputReport::default() };
        for quality in [QualityState::Ok, QualityState::Critical] {
            let told = WorkerReport { outputs: vec![output.clone()], ..report(quality, quality) };
            let (answer, _) = quality_condition(&[&told]);
            assert_eq!((answer.status, answer.reason), (ConditionStatus::False, Reason::Overflow));
            let expected = "measure 'qty' has a value that does not fit its column for g=b and 2 more cells in the window from \
                            1970-01-01T00:00:00Z to 1970-01-01T00:05:00Z, and is null there";
            assert_eq!(answer.message, expected);
        }
    }

    #[test]
    fn without_a_batch_nothing_is_known_but_a_runaway_is_told() {
        let mut report = WorkerReport::default();
        let (answer, figures) = quality_condition(&[&report]);
        assert_eq!((answer.status, answer.reason), (ConditionStatus::Unknown, Reason::NoBatchYet));
        assert!(figures.is_none());
        let trouble = Trouble { reason: "DeadLetterRunaway".into(), message: "half of all".into(), since: 0 };
        report.troubles.push(trouble);
        let (answer, _) = quality_condition(&[&report]);
        assert_eq!((answer.status, answer.message.as_str()), (ConditionStatus::False, "half of all"));
    }
}

//! `DataQualityHealthy`: how the records stand to the rules, by the workers' reports.
//!
//! Kept true: the condition's words hold no figures, which move all the time; those are in `status.dataQuality`, which is written
//! at the pace of progress.

use schemas::report::{QualityReport, QualityState, WorkerReport, WorstBatch as ReportedBatch};
use schemas::status::{DataQuality, Reason, RuleState, RuleStatus, Time, WorstBatch};

use super::Answer;

/// The answer of all workers together: the one that publishes judges the data of all partitions.
pub fn quality_condition(reports: &[&WorkerReport]) -> (Answer, Option<DataQuality>) {
    let troubles = reports.iter().flat_map(|report| &report.troubles);
    if let Some(trouble) = troubles.into_iter().find(|trouble| trouble.reason == "DeadLetterRunaway") {
        return (Answer::no(Reason::DeadLetterRunaway, &trouble.message), None);
    }
    let newest = reports.iter().filter_map(|report| report.quality.as_ref()).max_by_key(|quality| quality.until);
    let Some(quality) = newest.filter(|quality| quality.until.is_some()) else {
        return (Answer::unknown(Reason::NoBatchYet, "no batch has been reported yet"), None);
    };
    (judged(quality), Some(figures(quality)))
}

fn judged(quality: &QualityReport) -> Answer {
    let of = |state: QualityState| -> Vec<String> {
        let rules = quality.rules.iter().filter(|rule| rule.standing.state == state);
        rules.map(|rule| format!("'{}'", rule.name)).collect()
    };
    let critical = of(QualityState::Critical);
    if !critical.is_empty() {
        let words = format!("more records break {} than is tolerated", critical.join(", "));
        return Answer::no(Reason::RuleViolated, words);
    }
    if quality.overall.state == QualityState::Critical {
        return Answer::no(Reason::UndecodableRecords, "more records are refused than is tolerated");
    }
    let warning = of(QualityState::Warning);
    if warning.is_empty() {
        return Answer::yes(Reason::WithinThresholds, "no rule is broken by more records than is tolerated");
    }
    Answer::yes(Reason::WithinThresholds, format!("more records than usual break {}", warning.join(", ")))
}

fn figures(quality: &QualityReport) -> DataQuality {
    let rules = quality.rules.iter().map(|rule| RuleStatus {
        name: rule.name.clone(),
        evaluated: count(rule.standing.evaluated),
        violations: count(rule.standing.violations),
        state: match rule.standing.state {
            QualityState::Ok => RuleState::Healthy,
            QualityState::Warning => RuleState::Warning,
            QualityState::Critical => RuleState::Critical,
        },
    });
    DataQuality { rules: rules.collect(), worst_batch: quality.worst_batch.as_ref().and_then(worst) }
}

/// A batch that stands out for what no rule is about has no place in the status.
fn worst(batch: &ReportedBatch) -> Option<WorstBatch> {
    Some(WorstBatch {
        batch: batch.batch_id.clone(),
        at: Time::from_millis(batch.last_log_time),
        rule: batch.rule.clone()?,
        evaluated: count(batch.evaluated),
        violations: count(batch.violations),
    })
}

fn count(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use schemas::report::{QualityStanding, RuleStanding};
    use schemas::status::ConditionStatus;

    use super::*;

    fn report(states: &[(&str, QualityState)], overall: QualityState) -> WorkerReport {
        let rules = states.iter().map(|(name, state)| RuleStanding {
            name: (*name).to_owned(),
            standing: QualityStanding { evaluated: 100, violations: 7, state: *state, ..QualityStanding::default() },
            ..RuleStanding::default()
        });
        let quality = QualityReport {
            until: Some(1),
            rules: rules.collect(),
            overall: QualityStanding { state: overall, ..QualityStanding::default() },
            ..QualityReport::default()
        };
        WorkerReport { quality: Some(quality), ..WorkerReport::default() }
    }

    #[test]
    fn only_what_is_critical_is_no_and_it_is_named() {
        use QualityState::{Critical, Ok, Warning};
        for (states, overall, status, reason, named) in [
            (vec![("a", Ok), ("b", Ok)], Ok, ConditionStatus::True, Reason::WithinThresholds, ""),
            (vec![("a", Ok), ("b", Warning)], Warning, ConditionStatus::True, Reason::WithinThresholds, "'b'"),
            (vec![("a", Critical), ("b", Warning)], Critical, ConditionStatus::False, Reason::RuleViolated, "'a'"),
            (vec![("a", Ok), ("b", Ok)], Critical, ConditionStatus::False, Reason::UndecodableRecords, "refused"),
        ] {
            let (answer, figures) = quality_condition(&[&WorkerReport::default(), &report(&states, overall)]);
            assert_eq!((answer.status, answer.reason), (status, reason), "{states:?}");
            assert!(answer.message.contains(named), "{}", answer.message);
            assert!(!answer.message.contains('7'), "figures move: {}", answer.message);
            let figures = figures.expect("there is a report");
            assert_eq!((figures.rules[0].evaluated, figures.rules[0].violations), (100, 7));
        }
    }

    #[test]
    fn nothing_is_said_before_the_first_batch() {
        let (answer, figures) = quality_condition(&[&WorkerReport::default()]);
        assert_eq!((answer.status, answer.reason, figures), (ConditionStatus::Unknown, Reason::NoBatchYet, None));
    }
}

//! The state of the data for people and for the status: figures, and a message that names what is in doubt.

use chrono::{DateTime, SecondsFormat};
use plan::{OnCritical, Plan, RuleCheck, ThresholdPlan};
use schemas::report::{QualityReport, QualityStanding, QualityState, RuleStanding, WorstBatch};
use stream_core::{Health, Standing, State};

/// The report of `health`.
pub(super) fn report(plan: &Plan, health: &Health) -> QualityReport {
    let standings = health.standings();
    let rules = plan.rules.iter().zip(&standings[1..]).map(|(rule, rule_standing)| RuleStanding {
        name: rule.name.clone(),
        fingerprint: rule.fingerprint.clone(),
        standing: standing(rule_standing),
    });
    let worst = health.worst().map(|worst| WorstBatch {
        batch_id: format!("{}-{}", worst.batch.partition, worst.batch.first),
        last_log_time: worst.last.0,
        rule: worst.subject.checked_sub(1).map(|rule| plan.rules[rule].name.clone()),
        evaluated: worst.tally.evaluated,
        violations: worst.tally.violations,
    });
    QualityReport {
        state: state(health.state()),
        message: doubts(plan, health),
        on_critical: on_critical(plan.thresholds.on_critical).to_owned(),
        until: health.newest().map(|time| time.0),
        span_ms: plan.thresholds.span_ms,
        batches: health.batches() as u64,
        overall: standing(&standings[0]),
        rules: rules.collect(),
        refusals: Vec::new(),
        valueless: Vec::new(),
        worst_batch: worst,
    }
}

/// What is in doubt, the worst first; empty when nothing is.
pub(super) fn doubts(plan: &Plan, health: &Health) -> String {
    let rules = plan.rules.iter().map(|rule| {
        let what = if matches!(rule.check, RuleCheck::Volume(_)) { "batches break it" } else { "records break it" };
        (format!("rule '{}'", rule.name), rule.threshold, what)
    });
    let whole = ("the whole".to_owned(), plan.thresholds.overall, "records are refused");
    let subjects = std::iter::once(whole).chain(rules);
    let mut doubts: Vec<_> = subjects
        .zip(health.standings())
        .filter(|(_, standing)| standing.state != State::Ok)
        .map(|((name, threshold, what), standing)| (standing.state, sentence(&name, what, threshold, standing)))
        .collect();
    doubts.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    doubts.into_iter().map(|(_, doubt)| doubt).collect::<Vec<_>>().join("; ")
}

fn sentence(name: &str, what: &str, threshold: ThresholdPlan, standing: &Standing) -> String {
    let tally = standing.tally;
    let limit = if standing.state == State::Critical { threshold.critical } else { threshold.warning };
    let since = standing.since.and_then(|since| DateTime::from_timestamp_millis(since.0));
    let since =
        since.map_or_else(String::new, |since| format!(" since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    format!(
        "{name} is {:?}{since}: {} of {} {what}, {} per million, allowed are {}",
        standing.state,
        tally.violations,
        tally.evaluated,
        tally.per_million(),
        limit.unwrap_or_default(),
    )
}

fn standing(of: &Standing) -> QualityStanding {
    QualityStanding {
        evaluated: of.tally.evaluated,
        violations: of.tally.violations,
        per_million: of.tally.per_million(),
        state: state(of.state),
        since: of.since.map(|since| since.0),
    }
}

fn state(state: State) -> QualityState {
    match state {
        State::Ok => QualityState::Ok,
        State::Warning => QualityState::Warning,
        State::Critical => QualityState::Critical,
    }
}

/// As it is written in the manifest.
fn on_critical(action: OnCritical) -> &'static str {
    match action {
        OnCritical::Report => "Report",
        OnCritical::HoldOutput => "HoldOutput",
        OnCritical::Suspend => "Suspend",
    }
}

//! Thresholds of quality: shares per million, the span over which they are judged, and a person's word on the past.

use schemas::spec::{Quality, Rule};

use crate::{Path, Problem, ThresholdPlan, ThresholdsPlan, codes, times};

/// All records.
const MILLION: u32 = 1_000_000;
/// Share of refused records from which on there is a warning, when nothing is said.
const WARNING: u32 = 10_000;
/// Share of refused records from which on the data is critical, when nothing is said.
const CRITICAL: u32 = 100_000;

/// Compiles `spec.quality.thresholds`.
pub(crate) fn compile(quality: &Quality, problems: &mut Vec<Problem>) -> ThresholdsPlan {
    let path = Path::of("spec.quality.thresholds");
    let (thresholds, interval) = (&quality.thresholds, &quality.batch.interval);
    if thresholds.span.millis() == 0 || thresholds.span.millis() < interval.millis() {
        let message = format!("the span {} is shorter than a batch", thresholds.span);
        problems.push(
            Problem::new(codes::RANGE, path.key("span"), message).help(format!("allowed is at least {interval}")),
        );
    }
    if thresholds.min_records == 0 {
        let message = "a share of no records says nothing";
        problems.push(Problem::new(codes::RANGE, path.key("minRecords"), message).help("allowed is at least 1"));
    }
    let (warning, critical) = (thresholds.warning, thresholds.critical);
    let overall = ThresholdPlan {
        warning: warning.or(Some(critical.unwrap_or(MILLION).min(WARNING))),
        critical: critical.or(Some(warning.unwrap_or(0).max(CRITICAL))),
    };
    check(overall, &path, problems);
    let ignore_before_ms = thresholds.ignore_before.as_ref().and_then(|text| {
        let time = times::utc(text);
        if time.is_none() {
            let message = format!("'{text}' is not a time");
            let help = "allowed is a UTC time, for example '2026-11-23T10:15:00Z'";
            problems.push(Problem::new(codes::RANGE, path.key("ignoreBefore"), message).help(help));
        }
        time
    });
    ThresholdsPlan {
        span_ms: thresholds.span.millis(),
        min_records: thresholds.min_records,
        overall,
        on_critical: thresholds.on_critical,
        ignore_before_ms,
    }
}

/// The threshold of one rule.
pub(crate) fn of_rule(rule: &Rule, path: &Path, problems: &mut Vec<Problem>) -> ThresholdPlan {
    let Some(threshold) = &rule.threshold else { return ThresholdPlan::default() };
    let plan = ThresholdPlan { warning: threshold.warning, critical: threshold.critical };
    check(plan, &path.key("threshold"), problems);
    plan
}

fn check(plan: ThresholdPlan, path: &Path, problems: &mut Vec<Problem>) {
    for (key, share) in [("warning", plan.warning), ("critical", plan.critical)] {
        if let Some(share) = share.filter(|share| *share > MILLION) {
            let message = format!("a share of {share} per million is more than all");
            problems.push(Problem::new(codes::RANGE, path.key(key), message).help("allowed are 0 to 1000000"));
            return;
        }
    }
    if let (Some(warning), Some(critical)) = (plan.warning, plan.critical)
        && warning > critical
    {
        let message = format!("the warning at {warning} per million comes after the critical {critical}");
        let help = format!("allowed is at most {critical}");
        problems.push(Problem::new(codes::RANGE, path.key("warning"), message).help(help));
    }
}

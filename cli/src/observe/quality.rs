//! The state of the data from the batch reports in the partials topic, as a worker makes it at its start.

use std::collections::BTreeMap;

use plan::Plan;
use schemas::report::QualityReport;
use schemas::wire::pieces::Joiner;
use schemas::wire::{BatchBody, Content, KIND_HEADER, Record};
use worker::quality::report;
use worker::status::now;

use crate::stretch::{StretchError, read};

/// What the reports of the last span say; nothing when there is none.
pub(super) fn of_reports(plan: &Plan) -> Result<Option<QualityReport>, StretchError> {
    let span = plan.thresholds.span_ms;
    let since = now().saturating_sub(span.saturating_mul(2)).max(0);
    let recent = reports(plan, Some(since))?;
    // Reports are appended after the records that they are about, so a whole span of them lies behind this place.
    let newest = recent.iter().map(|(_, body)| body.last_log_time).max();
    let found = if newest.is_some_and(|newest| newest - span >= since) { recent } else { reports(plan, None)? };
    Ok((!found.is_empty()).then(|| report(plan, &found)))
}

fn reports(plan: &Plan, since: Option<i64>) -> Result<Vec<(i32, BatchBody)>, StretchError> {
    let (mut found, mut joiners) = (Vec::new(), BTreeMap::<i32, Joiner>::new());
    read(plan, &plan.partials_topic, since, |message| {
        if message.header(KIND_HEADER) != Some(b"report") {
            return;
        }
        let joiner = joiners.entry(message.partition).or_default();
        if let Ok(Some(Record { from, content: Content::Report(body) })) =
            joiner.take(message.offset, message.value.as_deref().unwrap_or_default())
        {
            found.push((from.partition, body));
        }
    })?;
    Ok(found)
}

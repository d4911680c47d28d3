//! The store against the generator's truth.
//!
//! Keeps true: the truth is compared only where it was told for this pipeline and this log; otherwise the reason is said.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use plan::Plan;

use super::summary::Summary;
use crate::generate::{Difference, RULES, Truth, Windows};
use crate::query::{Store, StoreError};

/// The outcome of a comparison.
#[derive(Debug)]
pub enum Comparison {
    /// Everything is as it should be.
    Equal {
        /// Windows compared.
        windows: u64,
        /// Rows compared.
        rows: u64,
    },
    /// Something is not.
    Different(Vec<Difference>),
    /// It cannot be compared.
    Skipped(String),
}

/// The windows that the truth is to be told for: the pipeline's.
pub fn windows_of(plan: &Plan, max_latency_ms: Option<i64>) -> Windows {
    let default = Windows::default();
    Windows {
        size: plan.window.size_ms,
        offset: plan.window.offset_ms,
        delay: plan.delay_ms,
        max_future_skew: plan.max_future_skew_ms,
        max_latency: max_latency_ms.unwrap_or(default.max_latency),
    }
}

/// Why the truth of the sample events says nothing about this pipeline, if it does not.
pub fn unfit(plan: &Plan) -> Option<String> {
    let groups: Vec<&str> = plan.groups.iter().map(|group| group.name.as_str()).collect();
    let measures: Vec<&str> = plan.measures.iter().map(|measure| measure.name.as_str()).collect();
    let rules: Vec<&str> = plan.rules.iter().map(|rule| rule.name.as_str()).collect();
    let known: Vec<&str> = RULES.into_iter().filter(|rule| !rule.starts_with("event-time-")).collect();
    if groups != ["region", "plan_tier"] || measures != ["revenue", "event_count"] {
        return Some("the truth is told for revenue and event_count by region and plan_tier".to_owned());
    }
    if plan.filter.is_some() || rules != known {
        return Some(format!(
            "the truth is told for a pipeline without a filter and with the rules {}",
            known.join(", ")
        ));
    }
    None
}

/// Compares gold, ledger and violations.
///
/// # Errors
/// The store cannot be read.
pub fn compare(store: &Store, summary: &Summary, truth: &Truth) -> Result<Comparison, StoreError> {
    let batches = if store.has("gold") {
        store.batches(
            "select epoch_ms(window_start)::bigint, region::varchar, plan_tier::varchar, revenue::decimal(38, 2), \
             event_count::bigint from gold",
        )?
    } else {
        Vec::new()
    };
    let mut differences = truth.compare_gold(batches.iter().flat_map(gold_rows));
    differences
        .extend(truth.compare_ledger(summary.ledger.iter().map(|(partition, ledger)| (*partition, ledger.counts))));
    // Event times too far ahead are no rule of the manifest: they are in the ledger, not among the rules.
    let violations = summary.rules.iter().map(|rule| (rule.rule.as_str(), rule.violations));
    let ahead = truth.violations().filter(|(rule, _)| rule.starts_with("event-time-"));
    let told: Vec<&str> = summary.rules.iter().map(|rule| rule.rule.as_str()).collect();
    let ahead: Vec<(&str, u64)> = ahead.filter(|(rule, _)| !told.contains(rule)).collect();
    differences.extend(truth.compare_violations(violations.chain(ahead)));
    if differences.is_empty() {
        return Ok(Comparison::Equal { windows: summary.gold.windows, rows: summary.gold.rows });
    }
    Ok(Comparison::Different(differences))
}

type GoldCells<'a> = (i64, Option<&'a str>, Option<&'a str>, i128, u64);

fn gold_rows(batch: &RecordBatch) -> impl Iterator<Item = GoldCells<'_>> {
    let starts = batch.column(0).as_primitive::<Int64Type>();
    let (regions, tiers) = (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
    let revenues = batch.column(3).as_primitive::<Decimal128Type>();
    let counts = batch.column(4).as_primitive::<Int64Type>();
    (0..batch.num_rows()).map(move |row| {
        let region = regions.is_valid(row).then(|| regions.value(row));
        let tier = tiers.is_valid(row).then(|| tiers.value(row));
        let revenue = if revenues.is_valid(row) { revenues.value(row) } else { 0 };
        (starts.value(row), region, tier, revenue, counts.value(row) as u64)
    })
}

//! What the batches of the span say besides shares: why records were refused, and what could not be computed.
//!
//! What it keeps true: it holds the batches that the state of the data is made of, so both speak of the same records.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemas::report::{RefusalReport, ValuelessReport};
use schemas::wire::{BatchBody, ExpressionBody, RefusalBody};
use stream_core::{BatchName, LogTime};

/// By batch, of those that have something to say.
#[derive(Default)]
pub(super) struct Details {
    batches: BTreeMap<(LogTime, BatchName), Detail>,
}

struct Detail {
    refusals: Vec<RefusalBody>,
    expressions: Vec<ExpressionBody>,
}

impl Details {
    /// Takes in a batch that counts, and forgets those whose last log time is `horizon` or earlier.
    pub(super) fn observe(&mut self, batch: BatchName, last: LogTime, body: &BatchBody, horizon: i64) {
        let rules = body.rules.iter().filter(|rule| rule.no_value + rule.not_finite > 0).map(|rule| ExpressionBody {
            kind: "rule".to_owned(),
            name: rule.name.clone(),
            no_value: rule.no_value,
            not_finite: rule.not_finite,
        });
        let expressions: Vec<ExpressionBody> = rules.chain(body.expressions.iter().cloned()).collect();
        if !body.refusals.is_empty() || !expressions.is_empty() {
            self.batches.insert((last, batch), Detail { refusals: body.refusals.clone(), expressions });
        }
        while let Some(oldest) = self.batches.first_entry().filter(|oldest| oldest.key().0.0 <= horizon) {
            oldest.remove();
        }
    }

    /// The commonest reason first, each with its first record by partition and offset.
    pub(super) fn refusals(&self) -> Vec<RefusalReport> {
        let mut found: BTreeMap<(&str, &str), RefusalReport> = BTreeMap::new();
        for ((_, batch), detail) in &self.batches {
            for refusal in &detail.refusals {
                let report = RefusalReport { records: 0, ..refusal.clone().report(batch.partition.0) };
                let known = found.entry((&refusal.verdict, &refusal.reason)).or_insert_with(|| report.clone());
                let records = known.records + refusal.records;
                if (report.partition, report.offset) < (known.partition, known.offset) {
                    *known = report;
                }
                known.records = records;
            }
        }
        let mut found: Vec<RefusalReport> = found.into_values().collect();
        found.sort_by_key(|refusal| Reverse(refusal.records));
        found
    }

    /// By kind and name.
    pub(super) fn valueless(&self) -> Vec<ValuelessReport> {
        let mut found: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
        for expression in self.batches.values().flat_map(|detail| &detail.expressions) {
            let (no_value, not_finite) = found.entry((&expression.kind, &expression.name)).or_default();
            *no_value += expression.no_value;
            *not_finite += expression.not_finite;
        }
        let report = |((kind, name), (no_value, not_finite)): ((&str, &str), (u64, u64))| ValuelessReport {
            kind: kind.to_owned(),
            name: name.to_owned(),
            no_value,
            not_finite,
        };
        found.into_iter().map(report).collect()
    }
}

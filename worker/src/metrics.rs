//! The report in `OpenMetrics` text. Values are taken from the report at scrape time; nothing is counted on the hot path.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use schemas::report::{PartitionReport, QualityReport, QualityStanding, WorkerReport};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPartition {
    partition: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVerdict {
    partition: i32,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRule {
    /// Empty: all records.
    rule: String,
}

type Gauges<L> = Family<L, Gauge<i64, AtomicI64>>;
type Counters<L> = Family<L, Counter<u64, AtomicU64>>;

/// The report as `OpenMetrics` text.
pub(crate) fn text(report: &WorkerReport) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("sluice");
    partitions(&mut registry, &report.partitions);
    outputs(&mut registry, report);
    if let Some(report) = &report.quality {
        quality(&mut registry, report);
    }
    let troubles = Gauges::<OfReason>::default();
    for trouble in &report.troubles {
        troubles.get_or_create(&OfReason { reason: trouble.reason.clone() }).inc();
    }
    registry.register("troubles", "What hinders the worker now", troubles);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn partitions(registry: &mut Registry, partitions: &[PartitionReport]) {
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&PartitionReport) -> Option<i64>| {
        let family = Gauges::<OfPartition>::default();
        for partition in partitions {
            if let Some(value) = value(partition) {
                family.get_or_create(&OfPartition { partition: partition.partition }).set(value);
            }
        }
        registry.register(name, help, family);
    };
    gauge("position", "Next record to read", &|partition| Some(partition.position));
    gauge("lag", "Records behind the end of the log", &|partition| Some(partition.end? - partition.position));
    gauge("committed", "Committed position", &|partition| Some(partition.committed));
    gauge("watermark_milliseconds", "Watermark, milliseconds since the epoch", &|partition| partition.watermark);
    gauge("sealed_milliseconds", "Seal, milliseconds since the epoch", &|partition| partition.sealed);
    gauge("replaying", "1 while the partition is rebuilt", &|partition| Some(i64::from(partition.replaying)));
    gauge("idle", "1 while nothing is left to be read", &|partition| Some(i64::from(partition.idle)));
    gauge("replay_remaining", "Records still to be replayed", &|partition| {
        Some(partition.replay_until.map_or(0, |until| until - partition.position))
    });
    gauge(
        "checkpoint_milliseconds",
        "When the last checkpoint was taken, milliseconds since the epoch",
        &|partition| Some(partition.checkpoint?.at),
    );
    gauge("checkpoint_bytes", "Bytes of the last checkpoint", &|partition| Some(partition.checkpoint?.bytes as i64));
    gauge("checkpoint_written_bytes", "Bytes that the last checkpoint added", &|partition| {
        Some(partition.checkpoint?.written as i64)
    });
    gauge("open_windows", "Open windows", &|partition| Some(partition.windows.len() as i64));
    gauge("remembered_ids", "Ids remembered in open windows", &|partition| {
        Some(partition.windows.iter().map(|window| window.ids as i64).sum())
    });
    gauge("remembered_bytes", "Bytes held for remembered ids", &|partition| {
        Some(partition.windows.iter().map(|window| window.bytes as i64).sum())
    });
    let records = Counters::<OfVerdict>::default();
    for partition in partitions {
        let ledger = &partition.ledger;
        let verdicts = [
            ("counted", ledger.counted),
            ("duplicate", ledger.duplicate),
            ("late", ledger.late),
            ("filtered", ledger.filtered),
            ("invalid", ledger.invalid),
            ("undecodable", ledger.undecodable),
            ("ignored", ledger.ignored),
        ];
        for (verdict, count) in verdicts {
            records.get_or_create(&OfVerdict { partition: partition.partition, verdict }).inc_by(count);
        }
    }
    registry.register("records", "Records judged, by verdict", records);
}

/// Gauges, not counters: all are over a span that slides.
fn quality(registry: &mut Registry, report: &QualityReport) {
    let rules = report.rules.iter().map(|rule| (rule.name.clone(), &rule.standing));
    let standings: Vec<_> = std::iter::once((String::new(), &report.overall)).chain(rules).collect();
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&QualityStanding) -> i64| {
        let family = Gauges::<OfRule>::default();
        for (rule, standing) in &standings {
            family.get_or_create(&OfRule { rule: rule.clone() }).set(value(standing));
        }
        registry.register(name, help, family);
    };
    gauge("quality_state", "0 ok, 1 warning, 2 critical; of all records where the rule is empty", &|standing| {
        standing.state as i64
    });
    gauge("quality_evaluated", "Records evaluated in the span", &|standing| standing.evaluated as i64);
    gauge("quality_violations", "Violations in the span", &|standing| standing.violations as i64);
    gauge("quality_violations_per_million", "Violations per million evaluated in the span", &|standing| {
        standing.per_million as i64
    });
    if let Some(until) = report.until {
        let gauge = Gauge::<i64, AtomicI64>::default();
        gauge.set(until);
        registry.register("quality_until_milliseconds", "Log time of the newest record that is judged", gauge);
    }
}

fn outputs(registry: &mut Registry, report: &WorkerReport) {
    let windows = Counters::<OfPartition>::default();
    let until = Gauges::<OfPartition>::default();
    let divergences = Gauges::<OfPartition>::default();
    for output in &report.outputs {
        let label = OfPartition { partition: output.output };
        windows.get_or_create(&label).inc_by(output.windows_published);
        divergences.get_or_create(&label).set(output.divergences.len() as i64);
        if let Some(time) = output.published_until {
            until.get_or_create(&label).set(time);
        }
    }
    registry.register("windows_published", "Gold files written, per partials partition", windows);
    registry.register("published_until_milliseconds", "Windows that end by then are published", until);
    registry.register("divergences", "Windows stopped because facts contradict each other", divergences);
}

//! Numbers: windows, watermark, batches, workers.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn numbers() {
    refused(&[
        (
            "/spec/quality/thresholds",
            json!({"span": "30s"}),
            &["SL0502 spec.quality.thresholds.span: the span 30s is shorter than a batch (allowed is at least 1m)"],
        ),
        (
            "/spec/quality/thresholds",
            json!({"minRecords": 0}),
            &["SL0502 spec.quality.thresholds.minRecords: a share of no records says nothing (allowed is at least 1)"],
        ),
        (
            "/spec/quality/thresholds",
            json!({"warning": 5, "critical": 4}),
            &[
                "SL0502 spec.quality.thresholds.warning: the warning at 5 per million comes after the critical 4 (allowed is at most 4)",
            ],
        ),
        (
            "/spec/quality/thresholds",
            json!({"critical": 1_000_001}),
            &[
                "SL0502 spec.quality.thresholds.critical: a share of 1000001 per million is more than all (allowed are 0 to 1000000)",
            ],
        ),
        (
            "/spec/quality/thresholds",
            json!({"ignoreBefore": "yesterday"}),
            &[
                "SL0502 spec.quality.thresholds.ignoreBefore: 'yesterday' is not a time (allowed is a UTC time, for example '2026-11-23T10:15:00Z')",
            ],
        ),
        (
            "/spec/quality/rules/2/threshold",
            json!({"warning": 2, "critical": 1}),
            &[
                "SL0502 spec.quality.rules[2].threshold.warning: the warning at 2 per million comes after the critical 1 (allowed is at most 1)",
            ],
        ),
        (
            "/spec/window/size",
            json!("7m"),
            &[
                "SL0503 spec.window.size: a window of 7m does not divide a day (allowed are divisors of a day and whole days, for example 6m or 8m)",
            ],
        ),
        (
            "/spec/window/size",
            json!("7s"),
            &[
                "SL0503 spec.window.size: a window of 7s does not divide a day (allowed are divisors of a day and whole days, for example 6s or 8s)",
            ],
        ),
        (
            "/spec/window/size",
            json!("5h"),
            &[
                "SL0503 spec.window.size: a window of 5h does not divide a day (allowed are divisors of a day and whole days, for example 4h or 6h)",
            ],
        ),
        (
            "/spec/window/size",
            json!("1001ms"),
            &[
                "SL0503 spec.window.size: a window of 1001ms does not divide a day (allowed are divisors of a day and whole days, for example 1s or 1024ms)",
            ],
        ),
        (
            "/spec/window/size",
            json!("23h"),
            &[
                "SL0503 spec.window.size: a window of 23h does not divide a day (allowed are divisors of a day and whole days, for example 12h or 1d)",
            ],
        ),
        (
            "/spec/window/size",
            json!("25h"),
            &[
                "SL0503 spec.window.size: a window of 25h does not divide a day (allowed are whole days, for example 1d or 2d)",
            ],
        ),
        (
            "/spec/window/size",
            json!("0s"),
            &["SL0502 spec.window.size: a duration of 0s is too short (allowed is more than 0)"],
        ),
        (
            "/spec/window/offset",
            json!("5m"),
            &["SL0502 spec.window.offset: the offset 5m is not less than the size 5m (allowed is less than 5m)"],
        ),
        (
            "/spec/source/watermark/delay",
            json!("0s"),
            &["SL0502 spec.source.watermark.delay: a duration of 0s is too short (allowed is more than 0)"],
        ),
        (
            "/spec/source/watermark/maxFutureSkew",
            json!("11m"),
            &[
                "SL0502 spec.source.watermark.maxFutureSkew: maxFutureSkew 11m is more than the delay 10m (allowed is at most 10m, or one wrong clock makes everybody late)",
            ],
        ),
        (
            "/spec/source/watermark/idleAfter",
            json!("0s"),
            &["SL0502 spec.source.watermark.idleAfter: a duration of 0s is too short (allowed is more than 0)"],
        ),
        (
            "/spec/closeWhenIdleFor",
            json!("30s"),
            &["SL0502 spec.closeWhenIdleFor: closeWhenIdleFor 30s is less than idleAfter 1m (allowed is at least 1m)"],
        ),
        (
            "/spec/quality/batch/interval",
            json!("0ms"),
            &["SL0502 spec.quality.batch.interval: a duration of 0ms is too short (allowed is more than 0)"],
        ),
        (
            "/spec/quality/batch/maxRecords",
            json!(0),
            &["SL0502 spec.quality.batch.maxRecords: a batch of 0 records (allowed are 1 to 9223372036854775807)"],
        ),
        (
            "/spec/quality/samples",
            json!({"perRule": 5000}),
            &["SL0502 spec.quality.samples.perRule: 5000 samples per rule are too many (allowed are 0 to 1000)"],
        ),
        (
            "/spec/workers/replicas",
            json!(4),
            &[
                "SL0504 spec.workers.replicas: 4 replicas for 3 partitions (allowed are at most 3; a replica without a partition has nothing to do)",
            ],
        ),
        (
            "/spec/workers/lanes",
            json!(0),
            &["SL0502 spec.workers.lanes: a worker without lanes reads nothing (allowed is at least 1)"],
        ),
        (
            "/spec/workers/storage/size",
            json!("1 GB"),
            &[
                "SL0502 spec.workers.storage.size: '1 GB' is not a quantity (allowed are Kubernetes quantities, for example '500m', '512Mi' or '1Gi')",
            ],
        ),
        (
            "/spec/source/topic/partitions",
            json!(0),
            &["SL0502 spec.source.topic.partitions: a topic without partitions holds nothing (allowed is at least 1)"],
        ),
        (
            "/spec/partials",
            json!({"partitions": 0}),
            &["SL0502 spec.partials.partitions: a topic without partitions holds nothing (allowed is at least 1)"],
        ),
        (
            "/spec/measures/0/scale",
            json!(2),
            &[
                "SL0502 spec.measures[0].scale: measure 'revenue' has a scale of its own (allowed for sum and avg of floats and doubles only)",
            ],
        ),
    ]);
}

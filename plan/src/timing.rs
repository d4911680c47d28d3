//! Numbers of time: windows, watermark, batches. Everything in milliseconds, everything that divides positive.

use schemas::spec::{AnalyticsPipelineSpec, Duration};

use crate::avro::Fields;
use crate::{BatchPlan, Path, Problem, WindowPlan, codes};

const DAY_MS: i64 = 86_400_000;

/// Compiles `spec.window`.
pub(crate) fn window(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> WindowPlan {
    let path = Path::of("spec.window");
    let (size, offset) = (&spec.window.size, &spec.window.offset);
    let size_ms = positive(size, &path.key("size"), problems);
    if size_ms > 0 && DAY_MS % size_ms != 0 && size_ms % DAY_MS != 0 {
        let message = format!("a window of {size} does not divide a day");
        problems.push(Problem::new(codes::WINDOW, path.key("size"), message).help(neighbours(size_ms)));
    }
    if size_ms > 0 && offset.millis() >= size_ms {
        let message = format!("the offset {offset} is not less than the size {size}");
        problems
            .push(Problem::new(codes::RANGE, path.key("offset"), message).help(format!("allowed is less than {size}")));
    }
    WindowPlan { size_ms, offset_ms: offset.millis() }
}

/// The nearest allowed sizes below and above, in the unit that the size is written in.
fn neighbours(size_ms: i64) -> String {
    let shown = |millis: i64| Duration::from_millis(millis).map_or_else(|_| format!("{millis}ms"), |d| d.to_string());
    if size_ms > DAY_MS {
        let days = size_ms / DAY_MS;
        return format!("allowed are whole days, for example {days}d or {}d", days + 1);
    }
    let unit = [3_600_000, 60_000, 1_000, 1].into_iter().find(|unit| size_ms % unit == 0).unwrap_or(1);
    let divides = |count: &i64| DAY_MS % (count * unit) == 0;
    let below = (1..=size_ms / unit).rev().find(divides).unwrap_or(1);
    let above = (size_ms / unit..=DAY_MS / unit).find(divides).unwrap_or(DAY_MS / unit);
    let (below, above) = (shown(below * unit), shown(above * unit));
    format!("allowed are divisors of a day and whole days, for example {below} or {above}")
}

/// Watermark and idleness, in the plan's words.
#[allow(clippy::struct_field_names)]
pub(crate) struct Watermark {
    pub(crate) delay_ms: i64,
    pub(crate) idle_after_ms: i64,
    pub(crate) max_future_skew_ms: i64,
}

/// Compiles `spec.source.watermark`.
pub(crate) fn watermark(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> Watermark {
    let path = Path::of("spec.source.watermark");
    let watermark = &spec.source.watermark;
    let delay_ms = positive(&watermark.delay, &path.key("delay"), problems);
    let idle_after_ms = positive(&watermark.idle_after, &path.key("idleAfter"), problems);
    let max_future_skew_ms = match &watermark.max_future_skew {
        None => delay_ms / 2,
        Some(skew) => {
            if delay_ms > 0 && skew.millis() > delay_ms {
                let message = format!("maxFutureSkew {skew} is more than the delay {}", watermark.delay);
                let help = format!("allowed is at most {}, or one wrong clock makes everybody late", watermark.delay);
                problems.push(Problem::new(codes::RANGE, path.key("maxFutureSkew"), message).help(help));
            }
            skew.millis()
        }
    };
    Watermark { delay_ms, idle_after_ms, max_future_skew_ms }
}

/// Compiles `spec.closeWhenIdleFor`.
pub(crate) fn close_when_idle_for(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> Option<i64> {
    let close = spec.close_when_idle_for.as_ref()?;
    let idle_after = &spec.source.watermark.idle_after;
    if close.millis() < idle_after.millis() {
        let message = format!("closeWhenIdleFor {close} is less than idleAfter {idle_after}");
        problems.push(
            Problem::new(codes::RANGE, Path::of("spec.closeWhenIdleFor"), message)
                .help(format!("allowed is at least {idle_after}")),
        );
    }
    Some(close.millis())
}

/// Compiles `spec.quality.batch` and `spec.quality.samples`.
pub(crate) fn batch(spec: &AnalyticsPipelineSpec, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> BatchPlan {
    let path = Path::of("spec.quality");
    let (batch, samples) = (&spec.quality.batch, &spec.quality.samples);
    let interval_ms = positive(&batch.interval, &path.key("batch").key("interval"), problems);
    if batch.max_records == 0 || i64::try_from(batch.max_records).is_err() {
        let message = format!("a batch of {} records", batch.max_records);
        let key = path.key("batch").key("maxRecords");
        problems.push(Problem::new(codes::RANGE, key, message).help(format!("allowed are 1 to {}", i64::MAX)));
    }
    if samples.per_rule > 1_000 {
        let message = format!("{} samples per rule are too many", samples.per_rule);
        let key = path.key("samples").key("perRule");
        problems.push(Problem::new(codes::RANGE, key, message).help("allowed are 0 to 1000"));
    }
    for (index, field) in samples.redact.iter().enumerate() {
        let key = path.key("samples").key("redact").index(index);
        problems.extend(fields.and_then(|fields| fields.find(field, &key).err()));
    }
    let redacted = Vec::new();
    BatchPlan { interval_ms, max_records: batch.max_records, samples_per_rule: samples.per_rule, redacted }
}

/// The milliseconds of a duration that must not be zero.
fn positive(duration: &Duration, path: &Path, problems: &mut Vec<Problem>) -> i64 {
    if duration.millis() == 0 {
        problems.push(
            Problem::new(codes::RANGE, path.clone(), format!("a duration of {duration} is too short"))
                .help("allowed is more than 0"),
        );
    }
    duration.millis()
}

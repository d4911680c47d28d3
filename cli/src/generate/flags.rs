//! How flags are written: durations as in a manifest, times as RFC 3339, shares as fractions or percents.
//!
//! Keeps true: what is refused is answered with what is allowed.

use schemas::spec::Duration;

/// A duration in milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    text.parse::<Duration>().map(|duration| duration.millis()).map_err(|error| error.to_string())
}

/// A time in milliseconds UTC.
pub fn instant(text: &str) -> Result<i64, String> {
    arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text)
        .map(|nanos| nanos.div_euclid(1_000_000))
        .map_err(|_| format!("'{text}' is no time; allowed: RFC 3339, for example 2026-11-23T06:00:00Z"))
}

/// A share; its range is checked with the other options.
pub fn share(text: &str) -> Result<f64, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|value| value / 100.0),
        None => text.parse::<f64>(),
    };
    parsed.map_err(|_| format!("'{text}' is no share; allowed: 0 to 1, or 0% to 100%"))
}

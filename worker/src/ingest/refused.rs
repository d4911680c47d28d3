//! Why a record was refused, in the words that a dead letter and a sample carry.

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, SecondsFormat};
use stream_core::{EventTime, LogTime, MOST_VALUE, Program, Reason, Written, likely_unit};

/// Most characters of a text that a message shows.
const SHOWN: usize = 64;

/// Reason, rule and message as they stand in the headers.
pub(crate) fn words(program: &Program, reason: &Reason) -> (&'static str, Option<String>, String) {
    let invalid = |rule: &str, message: String| ("Invalid", Some(rule.to_owned()), message);
    match reason {
        Reason::Undecodable { message, .. } => ("Undecodable", None, message.clone()),
        Reason::Rule(index) => {
            let rule = &program.rules[*index];
            invalid(&rule.name, format!("breaks rule '{}', expected {}", rule.name, rule.expected))
        }
        Reason::EventIdMissing => invalid("event-id-missing", "the event id is null".to_owned()),
        Reason::ValueTooLarge => {
            let message = format!("a value to group by, or a text for a measure, has more than {MOST_VALUE} bytes");
            invalid("value-too-large", message)
        }
        Reason::EventTimeMissing => invalid("event-time-missing", "the event time is null".to_owned()),
        Reason::EventTimeFormat { text } => {
            let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
            let expected = "expected ISO 8601 with a zone, for example '2026-11-23T10:15:00Z'";
            invalid("event-time-format", format!("the event time '{shown}' is not a time, {expected}"))
        }
        Reason::EventTimeRange { event_time, written } => {
            let guess = guess(program.event_time.written, *written);
            invalid("event-time-range", format!("{}{guess}", range(program, *event_time)))
        }
        Reason::EventTimeFuture { event_time, log_time, written } => {
            let guess = guess(program.event_time.written, *written);
            invalid("event-time-future", format!("{}{guess}", future(program, *event_time, *log_time)))
        }
        Reason::Late { window_end, watermark } => {
            let (end, watermark) = (instant(*window_end), instant(*watermark));
            ("Late", None, format!("the window ended at {end}, the watermark was {watermark}"))
        }
    }
}

fn range(program: &Program, event_time: EventTime) -> String {
    let earliest = program.times.earliest();
    if event_time < earliest {
        let (time, earliest) = (instant(event_time), instant(earliest));
        return format!("the event time is {time}, expected at the earliest {earliest} ('source.earliestEventTime')");
    }
    format!("the event time is {}, expected a window that ends within the year 9999", instant(event_time))
}

fn future(program: &Program, event_time: EventTime, log_time: LogTime) -> String {
    let ahead = span(event_time.0.saturating_sub(log_time.0));
    let allowed = span(program.times.max_future_skew);
    format!(
        "the event time is {ahead} ahead of the log time {}, expected at most {allowed} \
         ('source.watermark.maxFutureSkew', which may be as long as the delay)",
        instant(EventTime(log_time.0)),
    )
}

/// What a number may be if it is not what it was taken for.
fn guess(written: Written, number: Option<i64>) -> String {
    let likely = number.and_then(|number| Some((number, likely_unit(number)?)));
    let (Some((number, likely)), Some(taken)) = (likely, written.unit()) else { return String::new() };
    if likely == taken {
        return String::new();
    }
    let guess = format!("; {number} looks like {}, and was read as {}", name(likely), name(taken));
    match written {
        Written::Plain(_) => format!("{guess} ('source.eventTimeUnit')"),
        Written::Timestamp(_) | Written::Text => format!("{guess}, as the schema says"),
    }
}

fn name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    }
}

/// As people write times; beyond the calendar, on which side.
fn instant(time: EventTime) -> String {
    match DateTime::from_timestamp_millis(time.0) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None if time.0 < 0 => "before all calendars".to_owned(),
        None => "beyond all calendars".to_owned(),
    }
}

/// A length of time in its largest unit of which it has two, rounded down.
fn span(millis: i64) -> String {
    let units = [("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000)];
    let unit = units.into_iter().find(|(_, size)| millis / size >= 2);
    unit.map_or_else(|| format!("{millis} ms"), |(name, size)| format!("{} {name}", millis / size))
}

#[cfg(test)]
mod tests;

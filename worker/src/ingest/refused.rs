//! Why a record was refused, in the words that a dead letter and a sample carry.

use chrono::{DateTime, SecondsFormat};
use stream_core::{EventTime, Program, Reason};

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
        Reason::EventTimeMissing => invalid("event-time-missing", "the event time is null".to_owned()),
        Reason::EventTimeFuture { event_time, log_time } => {
            let (ahead, allowed) = (event_time.0.saturating_sub(log_time.0), program.max_future_skew);
            let message = format!("the event time is {ahead} ms ahead of the log time, expected at most {allowed} ms");
            invalid("event-time-future", message)
        }
        Reason::Late { window_end, watermark } => {
            let (end, watermark) = (instant(*window_end), instant(*watermark));
            ("Late", None, format!("the window ended at {end}, the watermark was {watermark}"))
        }
    }
}

/// As people write times; beyond the calendar, milliseconds since the epoch.
fn instant(time: EventTime) -> String {
    let calendar = DateTime::from_timestamp_millis(time.0);
    calendar.map_or_else(|| time.0.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

//! Dead letters: the record's own bytes and headers, and why it was refused.

use chrono::{DateTime, SecondsFormat};
use stream_core::{EventTime, Program, Reason, Refused};

use super::IngestError;
use super::kafka::Kafka;
use crate::produce::DeadLetter;
use crate::source::batch::Record;

/// Sends a refused record to the dead-letter topic.
pub(super) fn dead_letter(
    kafka: &Kafka,
    program: &Program,
    partition: i32,
    record: &Record,
    refused: &Refused,
) -> Result<(), IngestError> {
    let (reason, rule, message) = words(program, &refused.reason);
    let letter = DeadLetter {
        pipeline: &kafka.plan.name,
        topic: &kafka.plan.source.topic,
        partition,
        reason,
        rule: rule.as_deref(),
        message: &message,
    };
    kafka.send_dead_letter(record, &letter)
}

/// Reason, rule and message as they stand in the headers.
pub(crate) fn words(program: &Program, reason: &Reason) -> (&'static str, Option<String>, String) {
    let invalid = |rule: &str, message: String| ("Invalid", Some(rule.to_owned()), message);
    match reason {
        Reason::Undecodable(message) => ("Undecodable", None, message.clone()),
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

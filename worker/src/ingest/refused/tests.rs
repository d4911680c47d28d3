//! The words of refused event times: what they were taken for, and what they look like.

use std::sync::Arc;

use plan::Plan;
use schemas::spec::AnalyticsPipeline;

use super::*;

const EXAMPLE: &str = include_str!("../../../../examples/revenue-5m.yaml");

/// The example's program with event times that are written like this.
fn program(written: Written) -> Arc<Program> {
    let pipeline: AnalyticsPipeline = serde_saphyr::from_str(EXAMPLE).expect("the example reads");
    let plan = Plan::compile(&pipeline).expect("the example compiles");
    let mut program = crate::program::program(&plan);
    program.event_time.written = written;
    Arc::new(program)
}

fn says(written: Written, reason: &Reason) -> String {
    let (kind, rule, message) = words(&program(written), reason);
    assert_eq!(kind, "Invalid");
    format!("{}: {message}", rule.expect("an invalid record breaks a rule"))
}

const PLAIN: Written = Written::Plain(TimeUnit::Millisecond);

fn range(written: Written, time: i64, number: i64) -> String {
    says(written, &Reason::EventTimeRange { event_time: EventTime(time), written: Some(number) })
}

#[test]
fn a_time_in_another_unit_is_named() {
    assert_eq!(
        range(PLAIN, 1_795_428_900, 1_795_428_900),
        "event-time-range: the event time is 1970-01-21T18:43:48.900Z, expected at the earliest 1980-01-01T00:00:00.000Z \
         ('source.earliestEventTime'); 1795428900 looks like seconds, and was read as milliseconds \
         ('source.eventTimeUnit')"
    );
    assert_eq!(
        range(PLAIN, 1_795_428_900_000_000, 1_795_428_900_000_000),
        "event-time-range: the event time is +58864-11-16T02:00:00.000Z, expected a window that ends within the year 9999; \
         1795428900000000 looks like microseconds, and was read as milliseconds ('source.eventTimeUnit')"
    );
    assert_eq!(
        range(Written::Plain(TimeUnit::Second), i64::MAX, 1_795_428_900_000_000_000),
        "event-time-range: the event time is beyond all calendars, expected a window that ends within the year 9999; \
         1795428900000000000 looks like nanoseconds, and was read as seconds ('source.eventTimeUnit')"
    );
    assert_eq!(
        range(Written::Timestamp(TimeUnit::Microsecond), 1_795_428_900, 1_795_428_900_000),
        "event-time-range: the event time is 1970-01-21T18:43:48.900Z, expected at the earliest 1980-01-01T00:00:00.000Z \
         ('source.earliestEventTime'); 1795428900000 looks like milliseconds, and was read as microseconds, as the schema \
         says"
    );
}

#[test]
fn a_time_that_is_nothing_like_one_is_only_told() {
    for (time, shown) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (i64::MIN, "before all calendars"),
    ] {
        let expected = format!(
            "event-time-range: the event time is {shown}, expected at the earliest 1980-01-01T00:00:00.000Z \
             ('source.earliestEventTime')"
        );
        assert_eq!(range(PLAIN, time, time), expected);
    }
}

#[test]
fn a_time_ahead_names_what_bounds_it() {
    let day = 86_400_000;
    let log_time = LogTime(1_795_428_900_000);
    let event_time = EventTime(log_time.0 + 19 * day + 1);
    let reason = Reason::EventTimeFuture { event_time, log_time, written: Some(event_time.0) };
    assert_eq!(
        says(PLAIN, &reason),
        "event-time-future: the event time is 19 days ahead of the log time 2026-11-23T10:15:00.000Z, expected at most \
         5 minutes ('source.watermark.maxFutureSkew', which may be as long as the delay)"
    );
}

#[test]
fn a_text_is_shown_without_what_would_spoil_a_terminal() {
    let reason = Reason::EventTimeFormat { text: format!("soon\u{1b}[2J{}", "x".repeat(100)) };
    assert_eq!(
        says(Written::Text, &reason),
        format!(
            "event-time-format: the event time 'soon\\u{{1b}}[2J{}' is not a time, expected ISO 8601 with a zone, for \
             example '2026-11-23T10:15:00Z'",
            "x".repeat(SHOWN - 8)
        )
    );
}

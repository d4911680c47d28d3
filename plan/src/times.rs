//! The fields that carry times: which types are times, in which unit, and from when on.

use arrow_schema::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use schemas::spec::{EARLIEST_ALLOWED, Source, TimeUnit as Unit};

use crate::avro::Fields;
use crate::{Path, Problem, TimePlan, codes, literal, types};

/// A UTC time in words.
const ISO: &str = "a UTC time, for example '2026-11-23T10:15:00Z'";
/// What can be a time.
const ALLOWED: &str =
    "allowed are timestamp-millis, -micros and -nanos, a long or int with its unit, and a string in ISO 8601";
/// The year 1600.
const LEAST: i64 = -11_676_096_000_000;
/// The end of the year 9999.
const MOST: i64 = 253_402_300_799_999;

/// The two fields, as far as they are times.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) event: Option<TimePlan>,
    pub(crate) ingest: Option<TimePlan>,
}

/// Reads `eventTime` and `ingestTime` with their units.
pub(crate) fn compile(source: &Source, fields: Option<&Fields>, problems: &mut Vec<Problem>) -> Times {
    let mut time = |name: Option<&String>, unit, key: &str, what| {
        let field = Field { key, what, name: name?, unit };
        match field.written(fields?) {
            Ok(written) => Some(written),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    };
    Times {
        event: time(Some(&source.event_time), source.event_time_unit, "eventTime", "event time"),
        ingest: time(source.ingest_time.as_ref(), source.ingest_time_unit, "ingestTime", "ingest time"),
    }
}

/// A field that is to be a time.
struct Field<'a> {
    /// Where the manifest names it.
    key: &'a str,
    what: &'a str,
    name: &'a str,
    unit: Option<Unit>,
}

impl Field<'_> {
    fn written(&self, fields: &Fields) -> Result<TimePlan, Problem> {
        let path = Path::of("spec.source").key(self.key);
        let (data_type, _) = fields.find(self.name, &path).map_err(|problem| {
            let is_expression = self.name.contains(['(', ' ']);
            let help = || format!("allowed is the name of a field; a string is read as {ISO}");
            if is_expression { problem.help(help()) } else { problem }
        })?;
        let (name, key) = (self.name, self.key);
        let written = match data_type {
            DataType::Int64 => return Ok(TimePlan::Plain(self.unit.map_or(TimeUnit::Millisecond, unit))),
            DataType::Int32 => return self.int(path),
            DataType::Timestamp(unit, Some(_)) => TimePlan::Timestamp(*unit),
            DataType::Utf8 => TimePlan::Text,
            DataType::Timestamp(_, None) => {
                let message = format!("field '{name}' is a local time, which says no instant without a zone");
                return Err(Problem::new(codes::FIELD_TYPE, path, message).help(ALLOWED));
            }
            other => {
                let message = format!("field '{name}', {}, cannot be the {}", types::a(other), self.what);
                return Err(Problem::new(codes::FIELD_TYPE, path, message).help(ALLOWED));
            }
        };
        if self.unit.is_none() {
            return Ok(written);
        }
        let path = Path::of("spec.source").key(&format!("{key}Unit"));
        let (message, help) = match written {
            TimePlan::Timestamp(_) => {
                let message = format!("field '{name}', {}, says its unit itself", types::a(data_type));
                (message, format!("allowed is no '{key}Unit'"))
            }
            _ => (format!("field '{name}', a string, counts nothing"), format!("a string is read as {ISO}")),
        };
        Err(Problem::new(codes::FIELD_TYPE, path, message).help(help))
    }

    /// 32 bits of milliseconds are 50 days.
    fn int(&self, path: Path) -> Result<TimePlan, Problem> {
        let Self { key, what, name, .. } = self;
        if self.unit == Some(Unit::Seconds) {
            return Ok(TimePlan::Plain(TimeUnit::Second));
        }
        let message = format!("field '{name}', an int, is too small for the {what} in anything but seconds");
        Err(Problem::new(codes::FIELD_TYPE, path, message).help(format!("allowed with '{key}Unit: s'")))
    }
}

fn unit(unit: Unit) -> TimeUnit {
    match unit {
        Unit::Seconds => TimeUnit::Second,
        Unit::Milliseconds => TimeUnit::Millisecond,
        Unit::Microseconds => TimeUnit::Microsecond,
        Unit::Nanoseconds => TimeUnit::Nanosecond,
    }
}

/// Reads `earliestEventTime`, in milliseconds.
pub(crate) fn earliest(source: &Source, problems: &mut Vec<Problem>) -> i64 {
    let text = &source.earliest_event_time;
    let time =
        if text.len() == 10 { utc(&format!("{text}T00:00:00Z")) } else { utc(text).filter(|_| text.ends_with('Z')) };
    time.filter(|time| (LEAST..=MOST).contains(time)).unwrap_or_else(|| {
        let message = format!("'{text}' is not a time from which on events can be counted");
        let path = Path::of("spec.source").key("earliestEventTime");
        problems.push(Problem::new(codes::RANGE, path, message).help(EARLIEST_ALLOWED));
        0
    })
}

/// The milliseconds of a UTC time.
pub(crate) fn utc(text: &str) -> Option<i64> {
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    match literal::read(text, &utc) {
        Ok(ScalarValue::TimestampMillisecond(time, _)) => time,
        _ => None,
    }
}

//! Times of records: in which column they stand, how they are written there, and which of them are times at all.
//!
//! What it keeps true: every time is whole milliseconds since 1970 UTC, rounded down. A time that a window or a folder by date could
//! not show in the calendar of the common readers is none.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use crate::error::Error;
use crate::units::{EventTime, LogTime};
use crate::window::Windows;

/// The end of the calendar: the year 10,000 begins.
const CALENDAR_END: i64 = 253_402_300_800_000;
/// A number that is a time between 1980 and 2100 in some unit is one in no other of the four: these are the bounds in milliseconds.
const LIKELY: std::ops::Range<i64> = 315_532_800_000..4_102_444_800_000;
/// From the coarsest.
const UNITS: [TimeUnit; 4] = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

/// How times are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// As a plain int or long, whose unit the manifest says.
    Plain(TimeUnit),
    /// As a timestamp of this unit, as the schema says.
    Timestamp(TimeUnit),
    /// As text: ISO 8601 with a zone, for example `2026-11-23T10:15:00Z`. Text without a zone is no time.
    Text,
}

/// A column of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeColumn {
    /// Its index.
    pub column: usize,
    /// How they are written.
    pub written: Written,
}

/// What records may say of their time, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeBounds {
    /// The first event time that is one.
    earliest: i64,
    /// The first that is none again.
    end: i64,
    /// How far it may lie ahead of the log time.
    pub max_future_skew: i64,
}

impl Written {
    /// The unit of the number, if it is one.
    pub fn unit(self) -> Option<TimeUnit> {
        match self {
            Self::Plain(unit) | Self::Timestamp(unit) => Some(unit),
            Self::Text => None,
        }
    }
}

/// The unit in which `number` is a time between 1980 and 2100, if there is one.
pub fn likely_unit(number: i64) -> Option<TimeUnit> {
    UNITS.into_iter().find(|unit| LIKELY.contains(&in_millis(number, *unit)))
}

/// Rounded down; without going round at the end of the axis.
fn in_millis(number: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => number.saturating_mul(1_000),
        TimeUnit::Millisecond => number,
        TimeUnit::Microsecond => number.div_euclid(1_000),
        TimeUnit::Nanosecond => number.div_euclid(1_000_000),
    }
}

impl TimeBounds {
    /// From `earliest` on, up to the last window that ends before the calendar does.
    pub fn new(earliest: EventTime, max_future_skew: i64, windows: &Windows) -> Self {
        Self { earliest: earliest.0, end: windows.floor(EventTime(CALENDAR_END - 1)).0, max_future_skew }
    }

    /// The first event time that is one.
    pub fn earliest(&self) -> EventTime {
        EventTime(self.earliest)
    }

    /// Whether `time` lies in the calendar, with all of its window.
    #[inline]
    pub fn holds(&self, time: EventTime) -> bool {
        (self.earliest..self.end).contains(&time.0)
    }

    /// Whether `time` is too far ahead of the log time.
    #[inline]
    pub fn is_ahead(&self, time: EventTime, log_time: LogTime) -> bool {
        time.0.saturating_sub(log_time.0) > self.max_future_skew
    }
}

/// The times of one column.
pub(crate) struct Times {
    /// Milliseconds; meaningless where there is no time.
    pub millis: Vec<i64>,
    /// Where there is one; `None` means everywhere.
    pub known: Option<NullBuffer>,
}

impl Times {
    pub(crate) fn of(from: TimeColumn, rows: &RecordBatch, what: &str) -> Result<Self, Error> {
        let array = rows.column(from.column);
        let arrow = Error::arrow("read a time");
        if from.written == Written::Text && *array.data_type() == DataType::Utf8 {
            let target = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
            let times = cast(array, &target).map_err(arrow)?;
            let text = array.as_string::<i32>();
            let zoned: BooleanBuffer =
                (0..text.len()).map(|row| text.is_valid(row) && names_zone(text.value(row))).collect();
            let known = NullBuffer::union(times.nulls(), Some(&NullBuffer::new(zoned)));
            let millis = times.as_primitive::<TimestampMillisecondType>().values().to_vec();
            return Ok(Self { millis, known });
        }
        let unit = match (array.data_type(), from.written) {
            (DataType::Int32 | DataType::Int64, Written::Plain(unit)) => unit,
            (DataType::Timestamp(unit, Some(_)), _) => *unit,
            (found, _) => {
                let (what, found) = (what.to_owned(), found.clone());
                return Err(Error::ColumnType { what, expected: "a timestamp, a whole number or text", found });
            }
        };
        let numbers = cast(array, &DataType::Int64).map_err(arrow)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        let millis = match unit {
            TimeUnit::Millisecond => numbers.values().to_vec(),
            unit => numbers.values().iter().map(|number| in_millis(*number, unit)).collect(),
        };
        Ok(Self { millis, known: numbers.nulls().filter(|nulls| nulls.null_count() > 0).cloned() })
    }

    /// Whether row `row` has a time.
    pub(crate) fn is_known(&self, row: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.is_valid(row))
    }
}

/// Whether a text ends with a zone: `Z`, or an offset behind the date.
fn names_zone(text: &str) -> bool {
    let behind_date = text.get(11..).unwrap_or_default();
    let offset = behind_date.rfind(['+', '-']).map(|at| &behind_date[at + 1..]);
    behind_date.ends_with(['Z', 'z'])
        || offset.is_some_and(|offset| {
            offset.bytes().filter(u8::is_ascii_digit).count() >= 2
                && offset.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
        })
}

/// The number of row `row` as it was written, if it was a number.
pub(crate) fn written_number(from: TimeColumn, rows: &RecordBatch, row: usize) -> Option<i64> {
    from.written.unit()?;
    let number = cast(&rows.column(from.column).slice(row, 1), &DataType::Int64).ok()?;
    number.is_valid(0).then(|| number.as_primitive::<Int64Type>().value(0))
}

/// The text of row `row` as it was written, if it was text.
pub(crate) fn written_text(from: TimeColumn, rows: &RecordBatch, row: usize) -> Option<String> {
    let column: &ArrayRef = rows.column(from.column);
    column.as_string_opt::<i32>().filter(|text| text.is_valid(row)).map(|text| text.value(row).to_owned())
}

/// Ingest time minus event time.
pub(crate) struct Latencies {
    /// Milliseconds; meaningless where one of them is not known.
    pub millis: Vec<i64>,
    /// Where both are times.
    pub known: BooleanBuffer,
}

impl Latencies {
    /// Of the rows whose times `holds` accepts.
    pub(crate) fn of(ingest: &Times, event: &Times, holds: impl Fn(i64) -> bool) -> Self {
        let times = || ingest.millis.iter().zip(&event.millis);
        let known = |(row, (to, from)): (usize, (&i64, &i64))| {
            ingest.is_known(row) && event.is_known(row) && holds(*to) && holds(*from)
        };
        let millis = times().map(|(to, from)| to.saturating_sub(*from)).collect();
        Self { millis, known: times().enumerate().map(known).collect() }
    }

    /// Which are at most `most`; null where they are not known.
    pub(crate) fn at_most(&self, most: i64) -> BooleanArray {
        let values = self.millis.iter().map(|millis| *millis <= most).collect();
        BooleanArray::new(values, Some(NullBuffer::new(self.known.clone())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn read(array: ArrayRef, written: Written) -> Vec<Option<i64>> {
        let field = Field::new("c", array.data_type().clone(), true);
        let rows = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).expect("one column");
        let times = Times::of(TimeColumn { column: 0, written }, &rows, "time").expect("a type of times");
        (0..rows.num_rows()).map(|row| times.is_known(row).then_some(times.millis[row])).collect()
    }

    #[test]
    fn every_unit_is_read_as_milliseconds_rounded_down() {
        let plain = |unit| {
            let numbers = Int64Array::from(vec![Some(1_999_999), Some(-1), None, Some(i64::MAX), Some(i64::MIN)]);
            read(Arc::new(numbers), Written::Plain(unit))
        };
        let (most, least) = (Some(i64::MAX), Some(i64::MIN));
        assert_eq!(plain(TimeUnit::Second), [Some(1_999_999_000), Some(-1_000), None, most, least]);
        assert_eq!(plain(TimeUnit::Millisecond), [Some(1_999_999), Some(-1), None, most, least]);
        assert_eq!(plain(TimeUnit::Microsecond)[..3], [Some(1_999), Some(-1), None]);
        assert_eq!(plain(TimeUnit::Nanosecond)[..3], [Some(1), Some(-1), None]);
        let micros = TimestampMicrosecondArray::from(vec![1_999, -1]).with_timezone("+00:00");
        assert_eq!(read(Arc::new(micros), Written::Timestamp(TimeUnit::Microsecond)), [Some(1), Some(-1)]);
        let nanos = TimestampNanosecondArray::from(vec![1_999_999, -1]).with_timezone("+00:00");
        assert_eq!(read(Arc::new(nanos), Written::Timestamp(TimeUnit::Nanosecond)), [Some(1), Some(-1)]);
    }

    #[test]
    fn text_is_a_time_when_it_names_its_zone() {
        let cases = [
            ("2026-11-23T10:15:00Z", Some(1_795_428_900_000)),
            ("2026-11-23T10:15:00.123456Z", Some(1_795_428_900_123)),
            ("2026-11-23 11:15:00+01:00", Some(1_795_428_900_000)),
            ("2026-11-23T09:45:00-0030", Some(1_795_428_900_000)),
            ("1969-12-31T23:59:59.9999Z", Some(-1)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999)),
            ("2026-11-23T10:15:00", None),
            ("2026-11-23", None),
            ("1795428900", None),
            ("23.11.2026 10:15 Z", None),
            ("2026-02-30T10:15:00Z", None),
            ("soon", None),
            ("", None),
            ("Z", None),
            ("2026-11-23T10:15:00 Europe/Berlin", None),
        ];
        let texts = StringArray::from_iter_values(cases.iter().map(|(text, _)| *text));
        let expected: Vec<Option<i64>> = cases.iter().map(|(_, time)| *time).collect();
        assert_eq!(read(Arc::new(texts), Written::Text), expected);
    }

    #[test]
    fn a_number_is_likely_a_time_in_one_unit_at_most() {
        let now = 1_795_428_900;
        for (number, unit) in [
            (now, Some(TimeUnit::Second)),
            (now * 1_000, Some(TimeUnit::Millisecond)),
            (now * 1_000_000, Some(TimeUnit::Microsecond)),
            (now * 1_000_000_000, Some(TimeUnit::Nanosecond)),
            (0, None),
            (-1, None),
            (20_260_101, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(likely_unit(number), unit, "{number}");
        }
    }

    #[test]
    fn a_latency_is_judged_where_both_are_times() {
        let times = |millis: Vec<i64>| Times { millis, known: None };
        let (ingest, event) = (times(vec![300, 301, 0, 50, i64::MAX]), times(vec![0, 0, 100, -1, 0]));
        let latencies = Latencies::of(&ingest, &event, |time| (0..1_000).contains(&time));
        let judged: Vec<_> = latencies.at_most(300).iter().collect();
        assert_eq!(judged, [Some(true), Some(false), Some(true), None, None]);
    }

    #[test]
    fn a_time_is_in_the_calendar_when_its_window_is() {
        let minutes = Windows { size: 60_000, offset: 0 };
        let bounds = TimeBounds::new(EventTime(0), 0, &minutes);
        for (time, holds) in [
            (-1, false),
            (0, true),
            (CALENDAR_END - 60_001, true),
            (CALENDAR_END - 60_000, false),
            (CALENDAR_END, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            assert_eq!(bounds.holds(EventTime(time)), holds, "{time}");
        }
    }
}

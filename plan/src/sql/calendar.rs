//! Times between the years 1 and 9999, as nanoseconds since 1970 UTC in 128 bits: parts, truncation, steps, texts.

use chrono::{Datelike, Months, NaiveDate};

pub(super) const SECOND: i128 = 1_000_000_000;
pub(super) const DAY: i128 = 86_400 * SECOND;
/// Days from the common era to 1970.
const EPOCH: i64 = 719_163;
/// The first day of the calendar, 0001-01-01, and the day after its last, 10000-01-01, in days since 1970.
const FIRST: i128 = -719_162;
const END: i128 = 2_932_897;

/// Whether a time is in the years 1 to 9999.
pub(super) fn is_known(time: i128) -> bool {
    (FIRST * DAY..END * DAY).contains(&time)
}

/// What `date_part` and `extract` can take out of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    /// Sunday is 0.
    DayOfWeek,
    /// Monday is 1.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    /// The seconds in thousandths; further in millionths and billionths.
    Millisecond,
    Microsecond,
    Nanosecond,
    /// Seconds since 1970, as a double.
    Epoch,
}

/// The names of the fields, sorted.
pub(super) const FIELDS: &[&str] = &[
    "day",
    "dow",
    "doy",
    "epoch",
    "hour",
    "isodow",
    "microsecond",
    "millisecond",
    "minute",
    "month",
    "nanosecond",
    "quarter",
    "second",
    "week",
    "year",
];

impl Field {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "years" => Self::Year,
            "quarter" | "quarters" => Self::Quarter,
            "month" | "months" => Self::Month,
            "week" | "weeks" => Self::Week,
            "day" | "days" => Self::Day,
            "doy" | "dayofyear" => Self::DayOfYear,
            "dow" | "dayofweek" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "hour" | "hours" => Self::Hour,
            "minute" | "minutes" => Self::Minute,
            "second" | "seconds" => Self::Second,
            "millisecond" | "milliseconds" => Self::Millisecond,
            "microsecond" | "microseconds" => Self::Microsecond,
            "nanosecond" | "nanoseconds" => Self::Nanosecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// Whether it is of a time of day, not of a day.
    pub(super) fn is_of_day(self) -> bool {
        use Field::{Hour, Microsecond, Millisecond, Minute, Nanosecond, Second};
        matches!(self, Hour | Minute | Second | Millisecond | Microsecond | Nanosecond)
    }

    /// The part of a time; of a time of day, given as one of 1970-01-01, only those that it has make sense.
    pub(super) fn of(self, time: i128) -> Option<i64> {
        if !is_known(time) {
            return None;
        }
        let (day, nanos) = (date(time.div_euclid(DAY))?, time.rem_euclid(DAY));
        let part = match self {
            Self::Year => i64::from(day.year()),
            Self::Quarter => i64::from(day.quarter()),
            Self::Month => i64::from(day.month()),
            Self::Week => i64::from(day.iso_week().week()),
            Self::Day => i64::from(day.day()),
            Self::DayOfYear => i64::from(day.ordinal()),
            Self::DayOfWeek => i64::from(day.weekday().num_days_from_sunday()),
            Self::IsoDayOfWeek => i64::from(day.weekday().number_from_monday()),
            Self::Hour => (nanos / (3_600 * SECOND)) as i64,
            Self::Minute => (nanos / (60 * SECOND) % 60) as i64,
            Self::Second => (nanos / SECOND % 60) as i64,
            Self::Millisecond => (nanos % (60 * SECOND) / 1_000_000) as i64,
            Self::Microsecond => (nanos % (60 * SECOND) / 1_000) as i64,
            Self::Nanosecond => (nanos % (60 * SECOND)) as i64,
            Self::Epoch => time.div_euclid(SECOND) as i64,
        };
        Some(part)
    }
}

/// What `date_trunc` cuts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truncation {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The names of what can be cut to.
pub(super) const TRUNCATIONS: &[&str] =
    &["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];

impl Truncation {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "microsecond" => Self::Microsecond,
            "millisecond" => Self::Millisecond,
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The last start of such a span that is not after the time.
    pub(super) fn of(self, time: i128) -> Option<i128> {
        if !is_known(time) {
            return None;
        }
        let fixed = |unit: i128| Some(time.div_euclid(unit) * unit);
        let days = time.div_euclid(DAY);
        let day = date(days)?;
        let start = |month: u32| NaiveDate::from_ymd_opt(day.year(), month, 1).map(time_of);
        let cut = match self {
            Self::Microsecond => fixed(1_000),
            Self::Millisecond => fixed(1_000_000),
            Self::Second => fixed(SECOND),
            Self::Minute => fixed(60 * SECOND),
            Self::Hour => fixed(3_600 * SECOND),
            Self::Day => fixed(DAY),
            Self::Week => Some((days - i128::from(day.weekday().num_days_from_monday())) * DAY),
            Self::Month => start(day.month()),
            Self::Quarter => start((day.month() - 1) / 3 * 3 + 1),
            Self::Year => start(1),
        };
        cut.filter(|time| is_known(*time))
    }
}

/// A time moved by months (the day of the month cut to the month's last), then days, then nanoseconds.
pub(super) fn moved(time: i128, months: i64, days: i64, nanos: i128) -> Option<i128> {
    if !is_known(time) {
        return None;
    }
    let (day, rest) = (date(time.div_euclid(DAY))?, time.rem_euclid(DAY));
    let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let day = if months < 0 { day.checked_sub_months(by) } else { day.checked_add_months(by) }?;
    let moved = time_of(day) + rest + i128::from(days) * DAY + nanos;
    is_known(moved).then_some(moved)
}

fn date(days: i128) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days + i128::from(EPOCH)).ok()?)
}

fn time_of(day: NaiveDate) -> i128 {
    i128::from(i64::from(day.num_days_from_ce()) - EPOCH) * DAY
}

/// `YYYY-MM-DD`.
pub(super) fn day_text(days: i128) -> Option<String> {
    let day = date(days).filter(|_| (FIRST..END).contains(&days))?;
    Some(format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()))
}

/// `YYYY-MM-DDTHH:MM:SS[.fraction]Z`, the fraction with 3, 6 or 9 digits, and only if it is not zero.
pub(super) fn time_text(time: i128, zoned: bool) -> Option<String> {
    let day = day_text(time.div_euclid(DAY)).filter(|_| is_known(time))?;
    Some(format!("{day}T{}{}", clock_text(time.rem_euclid(DAY)), if zoned { "Z" } else { "" }))
}

/// `HH:MM:SS[.fraction]`.
pub(super) fn clock_text(nanos: i128) -> String {
    let (seconds, rest) = (nanos / SECOND, nanos % SECOND);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match rest {
        0 => clock,
        _ if rest % 1_000_000 == 0 => format!("{clock}.{:03}", rest / 1_000_000),
        _ if rest % 1_000 == 0 => format!("{clock}.{:06}", rest / 1_000),
        _ => format!("{clock}.{rest:09}"),
    }
}

/// Reads `YYYY-MM-DD`, as days since 1970.
pub(super) fn read_day(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|year| *year > 0)?, month, day)?;
    Some(time_of(day) / DAY)
}

/// Reads `HH:MM[:SS[.fraction]]`, the fraction of 1 to 9 digits, as nanoseconds.
pub(super) fn read_clock(text: &str) -> Option<i128> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) if clock.len() == 8 && (1..=9).contains(&fraction.len()) => (clock, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let two = |part: &&str| (part.len() == 2).then(|| number(part))?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (two(hour)?, two(minute)?, 0),
        [hour, minute, second] => (two(hour)?, two(minute)?, two(second)?),
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = number(fraction)? * 10_u32.pow(9 - fraction.len() as u32);
    Some(i128::from(hour * 3_600 + minute * 60 + second) * SECOND + i128::from(nanos))
}

/// Reads a day, or a day, `T` or a blank, and a clock, with `Z` or `±HH:MM` behind it; without them it is UTC.
pub(super) fn read_time(text: &str) -> Option<i128> {
    let (day, clock) = text.split_at_checked(10)?;
    let day = read_day(day)? * DAY;
    if clock.is_empty() {
        return Some(day);
    }
    let clock = clock.strip_prefix(['T', ' '])?;
    let (clock, offset) = match clock.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => match clock.rfind(['+', '-']) {
            Some(at) => {
                let (clock, offset) = clock.split_at(at);
                let sign = if offset.starts_with('-') { -1 } else { 1 };
                (clock, sign * read_clock(&offset[1..]).filter(|_| offset.len() == 6)?)
            }
            None => (clock, 0),
        },
    };
    Some(day + read_clock(clock)? - offset).filter(|time| is_known(*time))
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let second = |text| read_time(text).map(|time| time / SECOND);
        assert_eq!(second("1970-01-01T00:00:01Z"), Some(1));
        assert_eq!(second("1970-01-02"), Some(86_400));
        assert_eq!(second("1970-01-01 02:00:00+02:00"), Some(0));
        assert_eq!(second("1970-01-01T01:00-01:00"), Some(7_200));
        for text in [
            "",
            "soon",
            "1970-1-1",
            "1970-02-30",
            "0000-01-01",
            "1970-01-01T24:00",
            "1970-01-01T00:00:60",
            "19700101",
            "0001-01-01T00:00+01:00",
            "1970-01-01T00:00:00.",
            "1970-01-01T00:00:00+2:00",
            "1970-01-01T",
            "é970-01-01",
        ] {
            assert_eq!(read_time(text), None, "'{text}'");
        }
        assert_eq!(time_text(FIRST * DAY, true).as_deref(), Some("0001-01-01T00:00:00Z"));
        assert_eq!(time_text(END * DAY - 1, false).as_deref(), Some("9999-12-31T23:59:59.999999999"));
        assert_eq!(time_text(END * DAY, true), None);
        assert_eq!(time_text(1_500_000_000, true).as_deref(), Some("1970-01-01T00:00:01.500Z"));
    }

    #[test]
    fn nothing_leaves_the_calendar() {
        let (first, last) = (FIRST * DAY, END * DAY - 1);
        assert_eq!(moved(first, -1, 0, 0), None);
        assert_eq!(moved(last, 0, 0, 1), None);
        assert_eq!(moved(last, 0, i64::MAX, 0), None);
        assert_eq!(moved(last, i64::MIN, 0, 0), None);
        assert_eq!(Truncation::Week.of(first), Some(first));
        assert_eq!(Field::Year.of(i128::from(i64::MIN) * 1_000_000), None);
        let january = read_time("2026-01-31").expect("a day");
        assert_eq!(moved(january, 1, 0, 0), read_time("2026-02-28"));
    }
}

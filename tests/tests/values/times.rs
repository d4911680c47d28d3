//! The calendar of the years 1 to 9999, counted in days.

use crate::value::{DAY, Type, Value};

const SECOND: i128 = 1_000_000_000;

/// The days before a year, month and day, from the first of March of the year 0 on; 1970 is 0.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 1
        - 719_468
}

/// Year, month and day, found by trying.
fn date(of: i128) -> (i128, i128, i128) {
    let mut year = (of * 400).div_euclid(146_097) + 1970;
    while days(year, 1, 1) > of {
        year -= 1;
    }
    while days(year + 1, 1, 1) <= of {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= of).expect("there is a month");
    (year, month, of - days(year, month, 1) + 1)
}

fn month_length(year: i128, month: i128) -> i128 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

/// A time of the calendar.
pub fn known(time: i128) -> Option<i128> {
    (days(1, 1, 1) * DAY <= time && time < days(10_000, 1, 1) * DAY).then_some(time)
}

/// Monday is 0.
fn weekday(day: i128) -> i128 {
    (day + 3).rem_euclid(7)
}

pub fn part(name: &str, time: i128) -> Option<Value> {
    let time = known(time)?;
    let (day, clock) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let (year, month, of_month) = date(day);
    let in_minute = clock % (60 * SECOND);
    Some(Value::Whole(match name {
        "epoch" => return Some(seconds(time)),
        "year" => year,
        "quarter" => (month + 2) / 3,
        "month" => month,
        "week" => {
            let thursday = day - weekday(day) + 3;
            (thursday - days(date(thursday).0, 1, 1)) / 7 + 1
        }
        "day" => of_month,
        "doy" => day - days(year, 1, 1) + 1,
        "dow" => (weekday(day) + 1) % 7,
        "isodow" => weekday(day) + 1,
        "hour" => clock / (3_600 * SECOND),
        "minute" => clock / (60 * SECOND) % 60,
        "second" => in_minute / SECOND,
        "millisecond" => in_minute / 1_000_000,
        "microsecond" => in_minute / 1_000,
        other => panic!("there is no part '{other}'"),
    }))
}

/// Nanoseconds as seconds, the nearest double.
pub fn seconds(nanos: i128) -> Value {
    Value::Double(format!("{nanos}e-9").parse().expect("a number"))
}

pub fn cut(name: &str, time: i128) -> Option<Value> {
    let time = known(time)?;
    let day = time.div_euclid(DAY);
    let (year, month, _) = date(day);
    let to = |unit: i128| time.div_euclid(unit) * unit;
    let cut = match name {
        "microsecond" => to(1_000),
        "millisecond" => to(1_000_000),
        "second" => to(SECOND),
        "minute" => to(60 * SECOND),
        "hour" => to(3_600 * SECOND),
        "day" => day * DAY,
        "week" => (day - weekday(day)) * DAY,
        "month" => days(year, month, 1) * DAY,
        "quarter" => days(year, (month - 1) / 3 * 3 + 1, 1) * DAY,
        _ => days(year, 1, 1) * DAY,
    };
    known(cut).map(Value::Time)
}

pub fn shift(back: bool, time: i128, (months, by_days, nanos): (i64, i64, i128)) -> Option<Value> {
    let sign = if back { -1 } else { 1 };
    let time = known(time)?;
    let (year, month, day) = date(time.div_euclid(DAY));
    let all = year * 12 + month - 1 + sign * i128::from(months);
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    let day = days(year, month, day.min(month_length(year, month)));
    let time = (day + sign * i128::from(by_days)) * DAY + time.rem_euclid(DAY) + sign * nanos;
    known(time).map(Value::Time)
}

/// As text; dates without a clock.
pub fn shown(time: i128, of: Type) -> Option<String> {
    let time = known(time)?;
    let (year, month, day) = date(time.div_euclid(DAY));
    let clock = time.rem_euclid(DAY);
    let (seconds, nanos) = (clock / SECOND, clock % SECOND);
    let fraction = match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ => format!(".{:06}", nanos / 1_000),
    };
    let date = format!("{year:04}-{month:02}-{day:02}");
    let clock = format!("{:02}:{:02}:{:02}{fraction}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some(if of == Type::Date { date } else { format!("{date}T{clock}") })
}

/// What a text says; the shapes that the records have.
pub fn read(text: &str) -> Option<i128> {
    let number = |from: usize, to: usize| -> Option<i128> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    if text.get(4..5)? != "-" || text.get(7..8)? != "-" {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
        return None;
    }
    let date = days(year, month, day) * DAY;
    if text.len() == 10 {
        return Some(date);
    }
    let clock = (number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?) * SECOND;
    let time = match text.get(19..)? {
        "Z" => date + clock,
        "+01:00" => date + clock - 3_600 * SECOND,
        rest => {
            let digits = rest.strip_prefix('.')?.strip_suffix('Z')?;
            date + clock + format!("{digits:0<9}").parse::<i128>().ok()?
        }
    };
    known(time)
}

//! Event times of other ages: what the calendar does not hold is refused, and what it holds can be read.

use std::path::Path;

use anyhow::{Context as _, Result};
use cli::generate::SchemaIds;
use cli::query::Store;

use crate::letters::{Sent, expect, values, world};

/// 2026-11-23T06:00:00Z.
const NOW: i64 = 1_795_413_600_000;
/// 1600-01-01T00:00:00Z.
const FIRST: i64 = -11_676_096_000_000;
/// Where the last window begins that ends within the year 9999.
const LAST: i64 = 253_402_300_200_000;

/// Length of a window.
const WINDOW: i64 = 300_000;

/// Begin, end, date and events of each window, as `DuckDB` reads them from the folder.
fn read(data: &Path) -> Result<Vec<Vec<Option<String>>>> {
    let files = data.join("gold/**/*.parquet");
    let sql = format!(
        "select epoch_ms(window_start)::varchar, epoch_ms(window_end)::varchar, date::varchar, sum(event_count)::varchar \
         from read_parquet('{}', hive_partitioning = true) group by all order by min(window_start)",
        files.display()
    );
    Ok(Store::open(data, None)?.rows(&sql)?.rows)
}

fn row(row: [String; 4]) -> Vec<Option<String>> {
    row.map(Some).to_vec()
}

/// A sample event with this event time, and an id of its own for each `number`.
fn at(ids: SchemaIds, number: usize, time: i64) -> Result<Vec<u8>> {
    let told = NOW + 1 + number as i64;
    let mut value = values(ids, 1, told, |_| {})?.remove(0);
    let told = varint(told);
    let place = value.windows(told.len()).position(|bytes| bytes == told);
    let place = place.context("the event time stands in the value")?;
    value.splice(place..place + told.len(), varint(time));
    Ok(value)
}

/// Zigzag, seven bits a byte.
fn varint(value: i64) -> Vec<u8> {
    let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
    let mut written = Vec::new();
    while rest >= 0x80 {
        written.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    written.push(rest as u8);
    written
}

/// Defaults of other worlds, wrong units, and the ends of the numbers; good records around each. One readable file among gold that no
/// reader can show would make all of it unreadable.
#[test]
fn a_time_of_no_calendar_is_refused_and_the_folder_stays_readable() -> Result<()> {
    let (world, ids) = world()?;
    let before = |shown: &str| {
        format!(
            "the event time is {shown}, expected at the earliest 1980-01-01T00:00:00.000Z ('source.earliestEventTime')"
        )
    };
    let beyond = |shown: &str| format!("the event time is {shown}, expected a window that ends within the year 9999");
    let odd = [
        (i64::MIN, before("before all calendars")),
        (-62_135_596_800_000, before("0001-01-01T00:00:00.000Z")),
        (-2_208_988_800_000, before("1900-01-01T00:00:00.000Z")),
        (-1, before("1969-12-31T23:59:59.999Z")),
        (0, before("1970-01-01T00:00:00.000Z")),
        (
            NOW / 1000,
            format!(
                "{}; 1795413600 looks like seconds, and was read as milliseconds, as the schema says",
                before("1970-01-21T18:43:33.600Z")
            ),
        ),
        (315_532_799_999, before("1979-12-31T23:59:59.999Z")),
        (LAST + 300_000, beyond("9999-12-31T23:55:00.000Z")),
        (253_402_300_799_999, beyond("9999-12-31T23:59:59.999Z")),
        (i64::MAX, beyond("beyond all calendars")),
    ];
    let mut good = values(ids, odd.len() as u64 + 1, NOW, |_| {})?.into_iter().map(Sent::good);
    let mut records = Vec::new();
    for (number, (time, message)) in odd.iter().enumerate() {
        records.extend(good.next());
        records.push(Sent::invalid(at(ids, number, *time)?, "event-time-range", message));
    }
    records.extend(good);
    expect(&world, &records, 0)?;
    let found = read(&world.path("data"))?;
    assert_eq!(found, [row([NOW.to_string(), (NOW + WINDOW).to_string(), "2026-11-23".to_owned(), "11".to_owned()])]);
    Ok(())
}

/// The ends of what a manifest may allow.
#[test]
fn the_ends_of_the_calendar_can_be_read() -> Result<()> {
    let (mut world, ids) = world()?;
    world.plan.earliest_ms = FIRST;
    world.plan.max_future_skew_ms = LAST;
    let mut records = Vec::new();
    for (number, time) in [FIRST, NOW, LAST].into_iter().enumerate() {
        records.push(Sent::good(at(ids, number, time)?));
    }
    expect(&world, &records, 0)?;
    let ends =
        |start: i64, date: &str| [start.to_string(), (start + WINDOW).to_string(), date.to_owned(), "1".to_owned()];
    let wanted = [ends(FIRST, "1600-01-01"), ends(NOW, "2026-11-23"), ends(LAST, "9999-12-31")].map(row);
    assert_eq!(read(&world.path("data"))?, wanted);
    Ok(())
}

//! The records of one partition as Arrow rows, and fetches cut out of them.
//!
//! The whole log is one batch; a fetch is a slice of it, so that arrays with an offset are met all the time.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use stream_core::{Emissions, Error, Fetch, Lane, LogTime, Offset, Undecodable};

use super::program::{RULES, VALUE_TYPES};
use crate::model::{Answer, Event, GROUP_COLUMNS, Params, Record, VALUE_COLUMNS};

/// A partition's log, as the source gives it to a lane.
#[derive(Clone, Debug)]
pub struct Log {
    /// The oracle's records.
    pub records: Vec<Record>,
    /// The log times, by record.
    pub folded: Vec<i64>,
    rows: RecordBatch,
    /// Offset and log time of each row.
    offsets: Vec<i64>,
    times: Vec<i64>,
    undecodable: Vec<Undecodable>,
}

impl Log {
    /// The rows of `records`.
    ///
    /// # Panics
    /// If an event does not have one answer per rule, and as many groups and values as the oracle's events have.
    pub fn new(params: &Params, records: Vec<Record>) -> Self {
        let folded: Vec<i64> = records
            .iter()
            .scan(None, |before, record| {
                *before = Some(params.log_time(*before, record.offset, record.log_time));
                *before
            })
            .collect();
        let (mut offsets, mut times, mut undecodable, mut decoded) = (vec![], vec![], vec![], vec![]);
        for (record, log_time) in records.iter().zip(&folded) {
            if let Some(event) = &record.decodable {
                offsets.push(record.offset);
                times.push(*log_time);
                decoded.push((record, event));
            } else {
                let (offset, reason) = (Offset(record.offset), format!("no event at {}", record.offset));
                let log_time = LogTime(*log_time);
                undecodable.push(Undecodable { offset, log_time, kind: "no-event", reason, is_null: false });
            }
        }
        let rows = rows_of(&decoded, params.dead_letter.len());
        Self { records, folded, rows, offsets, times, undecodable }
    }

    /// Where the log begins.
    pub fn start(&self) -> i64 {
        self.records.first().map_or(0, |record| record.offset)
    }

    /// The position after the last record.
    pub fn end(&self) -> i64 {
        self.records.last().map_or(0, |record| record.offset + 1)
    }

    /// The offsets of the records from `position` on.
    pub fn from(&self, position: i64) -> impl Iterator<Item = i64> + '_ {
        let first = self.records.partition_point(|record| record.offset < position);
        self.records[first..].iter().map(|record| record.offset)
    }

    /// Feeds `lane` the records of `range`, after which its position is the range's end.
    pub fn feed(&self, lane: &mut Lane, range: std::ops::Range<i64>) -> Result<Emissions, Error> {
        self.with_fetch(range, |fetch| lane.feed(fetch))
    }

    /// Does something with the records of `range` as a fetch.
    pub fn with_fetch<T>(&self, range: std::ops::Range<i64>, work: impl FnOnce(&Fetch<'_>) -> T) -> T {
        let within = |offsets: &mut dyn Iterator<Item = i64>| {
            let (mut first, mut count) = (0, 0);
            for offset in offsets {
                first += usize::from(offset < range.start);
                count += usize::from(range.contains(&offset));
            }
            first..first + count
        };
        let rows = within(&mut self.offsets.iter().copied());
        let bad = within(&mut self.undecodable.iter().map(|bad| bad.offset.0));
        work(&Fetch {
            rows: &self.rows.slice(rows.start, rows.len()),
            offsets: &self.offsets[rows.clone()],
            log_times: &self.times[rows],
            undecodable: &self.undecodable[bad],
            end: Offset(range.end),
        })
    }
}

fn rows_of(decoded: &[(&Record, &Event)], rules: usize) -> RecordBatch {
    let events = || decoded.iter().map(|(_, event)| *event);
    // False and null are the same to a filter; both occur. So are an ingest time and none.
    let filter = |(record, event): &(&Record, &Event)| {
        if !event.filter && record.offset % 2 == 0 { None } else { Some(event.filter) }
    };
    let ingest = |(record, _): &(&Record, &Event)| (record.offset % 5 != 0).then_some(record.log_time);
    let time = events().map(|event| event.event_time).collect::<TimestampMillisecondArray>();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(events().map(|event| event.id.as_deref()).collect::<StringArray>()),
        Arc::new(time.with_timezone("UTC")),
        Arc::new(decoded.iter().map(ingest).collect::<Int64Array>()),
        Arc::new(decoded.iter().map(filter).collect::<BooleanArray>()),
    ];
    for group in 0..GROUP_COLUMNS {
        columns.push(Arc::new(events().map(|event| event.group[group].as_deref()).collect::<StringArray>()));
    }
    for (value, kind) in VALUE_TYPES.iter().enumerate().take(VALUE_COLUMNS) {
        columns.push(values(events().map(|event| event.values[value]), kind));
    }
    debug_assert_eq!(columns.len(), RULES, "the rules come last");
    for rule in 0..rules {
        let answers = events().map(|event| match event.rules[rule] {
            Answer::Passes => Some(true),
            Answer::Violated => Some(false),
            Answer::Skipped => None,
        });
        columns.push(Arc::new(answers.collect::<BooleanArray>()));
    }
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).expect("every column has a value for every event")
}

fn values(values: impl Iterator<Item = Option<i128>>, kind: &DataType) -> ArrayRef {
    if *kind == DataType::Int64 {
        let narrow = |value: i128| i64::try_from(value).expect("worlds draw small values");
        return Arc::new(values.map(|value| value.map(narrow)).collect::<Int64Array>());
    }
    Arc::new(values.collect::<Decimal128Array>().with_data_type(kind.clone()))
}

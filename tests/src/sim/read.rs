//! Published files, read back: what window a table is of, its rows, the numbers of a report.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, TimestampMillisecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use schemas::wire::{BatchBody, RuleBody};

use crate::model::{Group, Ledger, RuleCount};

/// A published row: `count(*)`, `sum`, `max` and `avg` of the amount, unscaled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The grouping columns.
    pub group: Group,
    /// `count(*)`
    pub sales: i64,
    /// `sum(amount)`, `max(amount)` and `avg(amount)`, the last with four more digits.
    pub money: [Option<i128>; 3],
}

/// What a report says of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Source partition, first offset, end.
    pub place: (i32, i64, i64),
    /// The verdicts.
    pub ledger: Ledger,
    /// The rules.
    pub rules: Vec<RuleCount>,
}

/// Start and end of the window that a gold file holds, as its footer says.
pub fn window_of(bytes: &[u8]) -> Option<(i64, i64)> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(bytes)).ok()?;
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let text = pairs.iter().find(|pair| pair.key == "sluice.window")?.value.as_deref()?;
    let (start, end) = text.split_once('/')?;
    start.parse().ok().zip(end.parse().ok())
}

fn batch(bytes: &[u8]) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes)).expect("a parquet file");
    let mut batches = reader.build().expect("a reader").map(|batch| batch.expect("a readable batch"));
    batches.next().expect("a file has rows")
}

/// The rows of a gold file, with their windows' starts.
///
/// # Panics
/// If it is no gold file of the simulated pipeline.
pub fn gold(bytes: &[u8]) -> Vec<(i64, Row)> {
    gold_rows(&batch(bytes))
}

/// The same of the rows that become such a file.
///
/// # Panics
/// If they are not of the simulated pipeline.
pub fn gold_rows(batch: &RecordBatch) -> Vec<(i64, Row)> {
    let column = |name: &str| batch.column_by_name(name).expect("the manifest's columns").clone();
    let groups = ["region", "kind"].map(|name| batch.column_by_name(name).cloned());
    let (starts, sales) = (column("window_start"), column("sales"));
    let money = ["revenue", "top", "mean"].map(column);
    let text = |column: &arrow::array::ArrayRef, row: usize| {
        let column = column.as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let row = |row: usize| {
        let number = |column: &arrow::array::ArrayRef| {
            let column = column.as_primitive::<Decimal128Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let group = groups.iter().flatten().map(|group| text(group, row)).collect();
        let money = [number(&money[0]), number(&money[1]), number(&money[2])];
        let start = starts.as_primitive::<TimestampMillisecondType>().value(row);
        (start, Row { group, sales: sales.as_primitive::<Int64Type>().value(row), money })
    };
    (0..batch.num_rows()).map(row).collect()
}

/// What becomes the report of a batch.
pub fn said_report(partition: i32, body: &BatchBody) -> Report {
    let BatchBody { first_offset, end_offset, ledger, gaps, rules, .. } = body;
    let said = *ledger;
    let rule =
        |rule: &RuleBody| RuleCount { evaluated: rule.evaluated, violations: rule.violations, skipped: rule.skipped };
    let ledger = Ledger {
        consumed: said.consumed,
        counted: said.counted,
        duplicate: said.duplicate,
        late: said.late,
        filtered: said.filtered,
        invalid: said.invalid,
        undecodable: said.undecodable,
        gaps: *gaps,
    };
    Report { place: (partition, *first_offset, *end_offset), ledger, rules: rules.iter().map(rule).collect() }
}

/// What a quality report says.
///
/// # Panics
/// If it is none.
pub fn report(bytes: &[u8]) -> Report {
    let batch = batch(bytes);
    let number = |name: &str, row: usize| {
        let column = batch.column_by_name(name).expect("the documented columns");
        column.as_primitive::<Int64Type>().value(row)
    };
    let count = |name: &str, row: usize| number(name, row).unsigned_abs();
    let partition = batch.column_by_name("partition").expect("a partition").as_primitive::<Int32Type>().value(0);
    let ledger = Ledger {
        consumed: count("consumed", 0),
        counted: count("counted", 0),
        duplicate: count("duplicate", 0),
        late: count("late", 0),
        filtered: count("filtered", 0),
        invalid: count("invalid", 0),
        undecodable: count("undecodable", 0),
        gaps: count("gaps", 0),
    };
    let rule = |row: usize| RuleCount {
        evaluated: count("evaluated", row),
        violations: count("violations", row),
        skipped: count("skipped", row),
    };
    Report {
        place: (partition, number("first_offset", 0), number("end_offset", 0)),
        ledger,
        rules: (1..batch.num_rows()).map(rule).collect(),
    }
}

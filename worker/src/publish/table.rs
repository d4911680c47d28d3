//! The files themselves: names and bytes of gold tables and quality reports, the same for the same content.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, NaiveDateTime};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use plan::{PartitionKey, Plan};
use schemas::wire::BatchBody;
use stream_core::{Latency, Lost, Published};

use super::overflow;

/// A file to be written once.
#[derive(Debug)]
pub struct Table {
    /// Its folder, relative to the store's root.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Table {
    /// Folder and name.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}

/// The prefix that all files of a window and output share; the digest follows.
pub fn gold_prefix(published: &Published, output: i32) -> String {
    format!("w={}-q{output}-", instant(published.window.start.0, "%Y%m%dT%H%M%S%.fZ"))
}

/// Start of the window (milliseconds) and output that the name of a gold file tells; nothing if it is none.
pub fn parse_gold_name(name: &str) -> Option<(i64, i32)> {
    let (start, rest) = name.strip_prefix("w=")?.strip_suffix(".parquet")?.split_once("-q")?;
    let (output, _digest) = rest.split_once('-')?;
    let start = match NaiveDateTime::parse_from_str(start, "%Y%m%dT%H%M%S%.fZ") {
        Ok(time) => time.and_utc().timestamp_millis(),
        // Beyond the calendar.
        Err(_) => start.parse().ok()?,
    };
    Some((start, output.parse().ok()?))
}

/// `millis` since the epoch in the calendar, UTC.
pub(super) fn instant(millis: i64, format: &str) -> String {
    DateTime::from_timestamp_millis(millis).map_or_else(|| millis.to_string(), |time| time.format(format).to_string())
}

/// The gold file of a complete window.
pub fn gold(plan: &Plan, published: &Published, output: i32) -> Result<Table, ParquetError> {
    let keys = plan.sink.partition_by.iter().map(|key| match key {
        PartitionKey::Date => format!("/date={}", instant(published.window.start.0, "%Y-%m-%d")),
    });
    let sources = published.sources.iter().map(|(partition, closed)| {
        format!(
            r#"{{"partition":{partition},"first":{},"end":{},"records":{}}}"#,
            closed.first, closed.end, closed.records
        )
    });
    let mut footer = vec![
        ("sluice.pipeline", plan.name.clone()),
        ("sluice.revision", plan.revision.to_string()),
        ("sluice.window", format!("{}/{}", published.window.start, published.window.end)),
        ("sluice.sources", format!("[{}]", sources.collect::<Vec<_>>().join(","))),
        ("sluice.reader_schema", plan.reader_schema.clone()),
        ("sluice.digest", published.digest.to_string()),
    ];
    // What the window may lack, where something was lost; other files are as they always were.
    let lost = published
        .lost
        .iter()
        .map(|Lost { partition, from, to }| format!(r#"{{"partition":{partition},"from":{from},"to":{to}}}"#));
    if !published.lost.is_empty() {
        footer.push(("sluice.lost", format!("[{}]", lost.collect::<Vec<_>>().join(","))));
    }
    let overflowed = overflow::of(published, plan.groups.len())?;
    if !overflowed.is_empty() {
        let text = serde_json::to_string(&overflowed).map_err(|error| ParquetError::External(Box::new(error)))?;
        footer.push(("sluice.overflow", text));
    }
    Ok(Table {
        folder: format!("gold/{}{}", plan.name, keys.collect::<String>()),
        name: format!("{}{}.parquet", gold_prefix(published, output), published.digest),
        bytes: encode(&published.rows, &footer)?,
    })
}

/// The quality report of a batch: one row for the batch (`rule` is null) and one per rule.
pub fn report(plan: &Plan, partition: i32, body: &BatchBody) -> Result<Table, ParquetError> {
    let id = format!("{partition}-{}", body.first_offset);
    let rows = body.rules.len() + 1;
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))) };
    let long = |value: i64| -> ArrayRef { Arc::new(Int64Array::from_value(value, rows)) };
    let time =
        |value: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from_value(value, rows).with_timezone("UTC")) };
    let of_batch = |value: Option<u64>| -> ArrayRef {
        let first = std::iter::once(value.map(|value| value as i64));
        Arc::new(first.chain(std::iter::repeat_n(None, rows - 1)).collect::<Int64Array>())
    };
    let of_rule = |value: fn(&schemas::wire::RuleBody) -> u64| -> ArrayRef {
        Arc::new(
            std::iter::once(None).chain(body.rules.iter().map(|rule| Some(value(rule) as i64))).collect::<Int64Array>(),
        )
    };
    let rule_text = |value: fn(&schemas::wire::RuleBody) -> &str| -> ArrayRef {
        Arc::new(std::iter::once(None).chain(body.rules.iter().map(|rule| Some(value(rule)))).collect::<StringArray>())
    };
    let latency = Latency::from_buckets(body.latency.iter().copied());
    let quantile = |per_mille| of_batch(latency.quantile(per_mille).map(|millis| millis as u64));
    let ledger = &body.ledger;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("pipeline", text(&plan.name)),
        ("batch_id", text(&id)),
        ("partition", Arc::new(Int32Array::from_value(partition, rows))),
        ("first_offset", long(body.first_offset)),
        ("end_offset", long(body.end_offset)),
        ("first_log_time", time(body.first_log_time)),
        ("last_log_time", time(body.last_log_time)),
        ("rule", rule_text(|rule| &rule.name)),
        ("fingerprint", rule_text(|rule| &rule.fingerprint)),
        ("evaluated", of_rule(|rule| rule.evaluated)),
        ("violations", of_rule(|rule| rule.violations)),
        ("skipped", of_rule(|rule| rule.skipped)),
        ("consumed", of_batch(Some(ledger.consumed))),
        ("counted", of_batch(Some(ledger.counted))),
        ("duplicate", of_batch(Some(ledger.duplicate))),
        ("late", of_batch(Some(ledger.late))),
        ("filtered", of_batch(Some(ledger.filtered))),
        ("invalid", of_batch(Some(ledger.invalid))),
        ("undecodable", of_batch(Some(ledger.undecodable))),
        ("gaps", of_batch(Some(body.gaps))),
        ("latency_p50_ms", quantile(500)),
        ("latency_p95_ms", quantile(950)),
        ("latency_p99_ms", quantile(990)),
        ("latency_max_ms", quantile(1000)),
    ];
    let bytes = encode(&table(columns)?, &[])?;
    Ok(Table { folder: format!("dq/{}/metrics/batch_id={id}", plan.name), name: "report.parquet".to_owned(), bytes })
}

/// The samples of a batch: one row per sampled violation. Nothing when there is none.
pub fn samples(plan: &Plan, partition: i32, body: &BatchBody) -> Result<Option<Table>, ParquetError> {
    if body.samples.is_empty() {
        return Ok(None);
    }
    let id = format!("{partition}-{}", body.first_offset);
    let rows = body.samples.len();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))) };
    let samples = || body.samples.iter();
    let expected = samples()
        .map(|sample| plan.rules.iter().find(|rule| rule.name == sample.rule).map(|rule| rule.expected.as_str()));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("pipeline", text(&plan.name)),
        ("batch_id", text(&id)),
        ("partition", Arc::new(Int32Array::from_value(partition, rows))),
        ("rule", Arc::new(StringArray::from_iter_values(samples().map(|sample| &sample.rule)))),
        ("offset", Arc::new(Int64Array::from_iter_values(samples().map(|sample| sample.offset)))),
        ("event_id", Arc::new(samples().map(|sample| sample.event_id.as_deref()).collect::<StringArray>())),
        ("field", Arc::new(samples().map(|sample| sample.field.as_deref()).collect::<StringArray>())),
        ("value", Arc::new(samples().map(|sample| sample.value.as_deref()).collect::<StringArray>())),
        ("expected", Arc::new(expected.collect::<StringArray>())),
    ];
    let bytes = encode(&table(columns)?, &[])?;
    let folder = format!("dq/{}/samples/batch_id={id}", plan.name);
    Ok(Some(Table { folder, name: "samples.parquet".to_owned(), bytes }))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ParquetError> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| match column.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) => Field::new(*name, column.data_type().clone(), false),
            kind => Field::new(*name, kind.clone(), true),
        })
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(ParquetError::from)
}

/// Parquet with settings that never change between runs, so that the same rows are the same bytes.
pub(super) fn encode(rows: &RecordBatch, footer: &[(&str, String)]) -> Result<Vec<u8>, ParquetError> {
    let pairs = footer.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect::<Vec<_>>();
    let properties = WriterProperties::builder()
        .set_created_by("sluice".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata((!pairs.is_empty()).then_some(pairs))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.into_inner()
}

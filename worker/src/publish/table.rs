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
use schemas::wire::{BatchBody, ExpressionBody, RefusalBody, RuleBody, SampleBody};
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

/// A row of a quality report.
enum Row<'a> {
    Batch,
    Rule(&'a RuleBody),
    Expression(&'a ExpressionBody),
    Refusal(&'a RefusalBody),
}

impl<'a> Row<'a> {
    fn kind(&self) -> &'a str {
        match self {
            Self::Batch => "batch",
            Self::Rule(_) => "rule",
            Self::Expression(expression) => &expression.kind,
            Self::Refusal(_) => "refusal",
        }
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Batch => None,
            Self::Rule(rule) => Some(&rule.name),
            Self::Expression(expression) => Some(&expression.name),
            Self::Refusal(refusal) => Some(&refusal.reason),
        }
    }

    fn rule(&self) -> Option<&'a RuleBody> {
        if let Self::Rule(rule) = self { Some(rule) } else { None }
    }

    fn refusal(&self) -> Option<&'a RefusalBody> {
        if let Self::Refusal(refusal) = self { Some(refusal) } else { None }
    }

    /// For how many records there is no value, and for how many it is not finite.
    fn valueless(&self) -> Option<(u64, u64)> {
        match self {
            Self::Rule(rule) => Some((rule.no_value, rule.not_finite)),
            Self::Expression(expression) => Some((expression.no_value, expression.not_finite)),
            Self::Batch | Self::Refusal(_) => None,
        }
    }
}

/// The quality report of a batch: one row for the batch (`kind` is `batch`), one per rule, one for each other expression that had no
/// value for some record, and one per reason for which records were refused.
pub fn report(plan: &Plan, partition: i32, body: &BatchBody) -> Result<Table, ParquetError> {
    let id = format!("{partition}-{}", body.first_offset);
    let expressions = body.expressions.iter().map(Row::Expression);
    let rest = body.rules.iter().map(Row::Rule).chain(expressions).chain(body.refusals.iter().map(Row::Refusal));
    let each: Vec<Row<'_>> = std::iter::once(Row::Batch).chain(rest).collect();
    let rows = each.len();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))) };
    let long = |value: i64| -> ArrayRef { Arc::new(Int64Array::from_value(value, rows)) };
    let time =
        |value: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from_value(value, rows).with_timezone("UTC")) };
    let of_batch = |value: Option<u64>| -> ArrayRef {
        let first = std::iter::once(value.map(|value| value as i64));
        Arc::new(first.chain(std::iter::repeat_n(None, rows - 1)).collect::<Int64Array>())
    };
    let number = |value: &dyn Fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
        Arc::new(each.iter().map(value).collect::<Int64Array>())
    };
    let of_rule =
        |value: fn(&RuleBody) -> u64| -> ArrayRef { number(&|row| row.rule().map(|rule| value(rule) as i64)) };
    let words = |value: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(each.iter().map(value).collect::<StringArray>())
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
        ("kind", words(&|row| Some(row.kind().to_owned()))),
        ("name", words(&|row| row.name().map(str::to_owned))),
        ("rule", words(&|row| row.rule().map(|rule| rule.name.clone()))),
        ("fingerprint", words(&|row| row.rule().map(|rule| rule.fingerprint.clone()))),
        ("evaluated", of_rule(|rule| rule.evaluated)),
        ("violations", of_rule(|rule| rule.violations)),
        ("skipped", of_rule(|rule| rule.skipped)),
        ("no_value", number(&|row| row.valueless().map(|(no_value, _)| no_value as i64))),
        ("not_finite", number(&|row| row.valueless().map(|(_, not_finite)| not_finite as i64))),
        ("consumed", of_batch(Some(ledger.consumed))),
        ("counted", of_batch(Some(ledger.counted))),
        ("duplicate", of_batch(Some(ledger.duplicate))),
        ("late", of_batch(Some(ledger.late))),
        ("filtered", of_batch(Some(ledger.filtered))),
        ("invalid", of_batch(Some(ledger.invalid))),
        ("undecodable", of_batch(Some(ledger.undecodable))),
        ("ignored", of_batch(Some(ledger.ignored))),
        ("gaps", of_batch(Some(body.gaps))),
        ("latency_p50_ms", quantile(500)),
        ("latency_p95_ms", quantile(950)),
        ("latency_p99_ms", quantile(990)),
        ("latency_max_ms", quantile(1000)),
        ("verdict", words(&|row| row.refusal().map(|refusal| refusal.verdict.clone()))),
        ("refused", number(&|row| row.refusal().map(|refusal| refusal.records as i64))),
        ("example_offset", number(&|row| row.refusal().map(|refusal| refusal.offset))),
        ("example", words(&|row| row.refusal().map(|refusal| refusal.message.clone()))),
    ];
    let bytes = encode(&table(columns)?, &[])?;
    Ok(Table { folder: format!("dq/{}/metrics/batch_id={id}", plan.name), name: "report.parquet".to_owned(), bytes })
}

/// The samples of a batch: one row per sampled violation, and per record for which an expression has no value. Nothing when there is none.
pub fn samples(plan: &Plan, partition: i32, body: &BatchBody) -> Result<Option<Table>, ParquetError> {
    if body.samples.is_empty() {
        return Ok(None);
    }
    let id = format!("{partition}-{}", body.first_offset);
    let rows = body.samples.len();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))) };
    let words = |value: &dyn Fn(&SampleBody) -> Option<String>| -> ArrayRef {
        Arc::new(body.samples.iter().map(value).collect::<StringArray>())
    };
    let of_rule = |sample: &SampleBody| (sample.kind == "rule").then(|| sample.name.clone());
    let expected = |sample: &SampleBody| {
        let rule = of_rule(sample).filter(|_| sample.why == "violation")?;
        plan.rules.iter().find(|planned| planned.name == rule).map(|planned| planned.expected.clone())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("pipeline", text(&plan.name)),
        ("batch_id", text(&id)),
        ("partition", Arc::new(Int32Array::from_value(partition, rows))),
        ("kind", words(&|sample| Some(sample.kind.clone()))),
        ("name", words(&|sample| Some(sample.name.clone()))),
        ("rule", words(&of_rule)),
        ("why", words(&|sample| Some(sample.why.clone()))),
        ("offset", Arc::new(Int64Array::from_iter_values(body.samples.iter().map(|sample| sample.offset)))),
        ("event_id", words(&|sample| sample.event_id.clone())),
        ("field", words(&|sample| sample.field.clone())),
        ("value", words(&|sample| sample.value.clone())),
        ("expected", words(&expected)),
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

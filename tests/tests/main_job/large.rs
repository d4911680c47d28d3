//! Everything that can be larger than a message: a seal of many windows, a state of long texts, a report of many rules, records that fill
//! a message alone. The partials topic takes little, the dead-letter topic what topics take by default.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use cli::dlq::letters;
use plan::Plan;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use schemas::letters::digest;
use serde_json::{Value, json};
use tests::pipeline::{create_topics, rows, run_bounded};
use worker::{Config, Worker};

use crate::job::{Job, PATIENCE, plain, until};

/// 2026-11-23T06:00:00Z.
const START: i64 = 1_795_413_600_000;
const MINUTE: i64 = 60_000;
/// Enough for a seal of more than the topic takes.
const WINDOWS: i64 = 500;
/// What the partials topic takes.
const TAKES: &str = "32768";

const SCHEMA: &str = r#"{"type": "record", "name": "Line", "fields": [
    {"name": "id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "place", "type": "string"},
    {"name": "text", "type": "string"},
    {"name": "blob", "type": "bytes"}]}"#;

/// A pipeline whose partials topic takes little: 16 texts for each window and place, and 64 rules that everything breaks.
fn manifest(job: &Job, name: &str, store: &Path) -> Result<Plan> {
    let mut pipeline = job.manifest(store)?;
    name.clone_into(&mut pipeline.metadata.name);
    let measure = |number: usize| json!({"name": format!("text_{number}"), "expression": "max(text)"});
    let rule = |number: usize| json!({"name": format!("rule-{number}"), "field": "text", "oneOf": ["nothing"], "onViolation": "Report"});
    let mut spec = serde_json::to_value(&pipeline.spec)?;
    let own = json!({
        "source": {
            "topic": {"name": format!("{name}.lines"), "partitions": 1, "config": {"max.message.bytes": "3000000"}},
            "schema": {"subject": format!("{name}.lines-value"), "avro": SCHEMA},
            "eventId": "id",
            "eventTime": "at",
            "watermark": {"delay": "10h", "idleAfter": "1m", "maxFutureSkew": "1h"},
        },
        "quality": {
            "batch": {"interval": "1h"},
            "thresholds": {"span": "1h"},
            "rules": std::iter::once(json!({"name": "place", "field": "place", "oneOf": ["a", "b", "c"], "onViolation": "DeadLetter"}))
                .chain((0..63).map(rule)).collect::<Vec<_>>(),
        },
        "window": {"size": "1m"},
        "groupBy": ["place"],
        "measures": std::iter::once(json!({"name": "n", "expression": "count(*)"}))
            .chain((0..16).map(measure)).collect::<Vec<_>>(),
        "partials": {"config": {"max.message.bytes": TAKES}},
        "deadLetter": {"topic": {"name": format!("{name}.dlq")}, "maxShare": 1_000_000},
    });
    let (Value::Object(spec), Value::Object(own)) = (&mut spec, own) else { unreachable!("both are objects") };
    spec.extend(own);
    pipeline.spec = serde_json::from_value(Value::Object(spec.clone()))?;
    Ok(Plan::compile(&pipeline)?)
}

/// The schema's id in the registry.
fn register(job: &Job, plan: &Plan) -> Result<u32> {
    let url = format!("{}/subjects/{}/versions", job.schemas, plan.source.subject);
    let body = json!({"schema": SCHEMA}).to_string();
    let client = reqwest::blocking::Client::new();
    let answer = client.post(url).header("Content-Type", "application/vnd.schemaregistry.v1+json").body(body).send()?;
    let answer: Value = serde_json::from_str(&answer.text()?)?;
    Ok(answer["id"].as_u64().with_context(|| answer.to_string())? as u32)
}

/// An Avro number.
fn number(value: i64, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// A framed record.
fn line(schema: u32, id: &str, at: i64, place: &str, text: &str, blob: &[u8]) -> Vec<u8> {
    let mut value = vec![0];
    value.extend(schema.to_be_bytes());
    let bytes = |bytes: &[u8], value: &mut Vec<u8>| {
        number(bytes.len() as i64, value);
        value.extend_from_slice(bytes);
    };
    bytes(id.as_bytes(), &mut value);
    number(at, &mut value);
    bytes(place.as_bytes(), &mut value);
    bytes(text.as_bytes(), &mut value);
    bytes(blob, &mut value);
    value
}

fn producer(job: &Job, compression: &str) -> Result<BaseProducer> {
    let mut config: ClientConfig = job.kafka.client();
    config.set("message.max.bytes", "4000000").set("compression.type", compression);
    Ok(config.create()?)
}

fn send(producer: &BaseProducer, plan: &Plan, records: &[Vec<u8>]) -> Result<()> {
    for record in records {
        let sent = BaseRecord::<[u8], [u8]>::to(&plan.source.topic).partition(0).payload(record);
        producer.send(sent).map_err(|(error, _)| error)?;
        producer.poll(Duration::ZERO);
    }
    Ok(producer.flush(PATIENCE)?)
}

/// Counted records and the length of the longest text of each place.
fn gold(store: &Path) -> Result<BTreeMap<String, (i64, i32)>> {
    let mut found = BTreeMap::<String, (i64, i32)>::new();
    if !store.join("gold").exists() {
        return Ok(found);
    }
    for batch in rows(&store.join("gold"))? {
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("gold has no '{name}'"));
        let (places, counts) = (column("place")?.as_string::<i32>(), column("n")?.as_primitive::<Int64Type>());
        let texts: Vec<_> =
            (0..16).map(|number| Ok(column(&format!("text_{number}"))?.as_string::<i32>())).collect::<Result<_>>()?;
        for row in 0..batch.num_rows() {
            let lengths: Vec<i32> = texts.iter().map(|texts| texts.value_length(row)).collect();
            ensure!(lengths.iter().all(|length| *length == lengths[0]), "all sixteen are the same text");
            let entry = found.entry(places.value(row).to_owned()).or_default();
            *entry = (entry.0 + counts.value(row), entry.1.max(lengths[0]));
        }
    }
    Ok(found)
}

#[test]
#[ignore = "needs servers: make test"]
fn nothing_is_too_large_for_a_message() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("large");
    let plan = manifest(&job, "large", &store)?;
    create_topics(&plan)?;
    let schema = register(&job, &plan)?;
    let long = "t".repeat(70_000);
    let mut records: Vec<Vec<u8>> =
        (0..WINDOWS).map(|at| line(schema, &format!("w{at}"), START + at * MINUTE, "a", "short", &[])).collect();
    records.push(line(schema, "long", START, "b", &long, &[]));
    // Fills a message alone, and breaks a rule.
    let refused = line(schema, "refused", START, "NO", "", &vec![7; 1_048_000]);
    records.push(refused.clone());
    // An ordinary one of the same size counts.
    records.push(line(schema, "large", START, "c", "", &vec![7; 1_040_000]));
    send(&producer(&job, "none")?, &plan, &records)?;
    // Grouped by a value of 1.1 MB, in a batch of about a kilobyte.
    let grouped = line(schema, "grouped", START, &"g".repeat(1_100_000), "", &[]);
    send(&producer(&job, "gzip")?, &plan, std::slice::from_ref(&grouped))?;

    let reports = run_bounded(&plan, &plain("large"), PATIENCE)?;
    ensure!(reports.iter().all(|report| report.troubles.is_empty()), "{reports:?}");
    let expected = [("a", (WINDOWS, 5)), ("b", (1, 70_000)), ("c", (1, 0))];
    assert_eq!(gold(&store)?, expected.map(|(place, found)| (place.to_owned(), found)).into());

    let letters = letters(&plan)?;
    let told: Vec<_> = letters.values().map(|letter| (letter.rule.as_deref(), letter.offset)).collect();
    assert_eq!(told, [(Some("place"), WINDOWS + 1), (Some("value-too-large"), WINDOWS + 3)]);
    for (letter, record) in letters.values().zip([&refused, &grouped]) {
        let cut = letter.cut.as_ref().context("it does not fit the topic")?;
        assert_eq!((cut.bytes, &cut.digest), (record.len() as u64, &digest(record)));
    }
    Ok(())
}

/// What the worker believed of a topic is wrong from one moment to the next: it asks again, cuts smaller, and goes on.
#[test]
#[ignore = "needs servers: make test"]
fn a_limit_that_is_lowered_stops_nothing() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("lowered");
    let plan = manifest(&job, "lowered", &store)?;
    create_topics(&plan)?;
    let schema = register(&job, &plan)?;
    let producer = producer(&job, "none")?;
    let long = "t".repeat(70_000);
    let of = |from: i64, count: i64| -> Vec<Vec<u8>> {
        let at = |at: i64| line(schema, &format!("e{at}"), START + at * 11 * 60 * MINUTE, "a", &long, &[]);
        (from..from + count).map(at).collect()
    };
    send(&producer, &plan, &of(0, 3))?;
    let mut config = Config::new(std::sync::Arc::new(plan.clone()), "lowered");
    config.cut_interval = Duration::from_millis(100);
    let worker = Worker::start(config)?;
    until("two windows are published", || Ok((gold(&store)?.get("a").map_or(0, |found| found.0) >= 2).then_some(())))?;

    limit(&job, &plan.partials_topic, "17000")?;
    limit(&job, &plan.dead_letter_topic, "17000")?;
    send(&producer, &plan, &of(3, 3))?;
    send(&producer, &plan, &[line(schema, "refused", START, "NO", "", &vec![7; 30_000])])?;
    until("the others are", || Ok((gold(&store)?.get("a").map_or(0, |found| found.0) >= 5).then_some(())))
        .with_context(|| format!("{:#?}", worker.report().troubles))?;
    assert_eq!(gold(&store)?["a"].1, 70_000);
    until("the letter came", || {
        Ok((letters(&plan)?.values().any(|letter| letter.rule.as_deref() == Some("place") && letter.cut.is_some()))
            .then_some(()))
    })?;
    until("no trouble is left", || Ok(worker.report().troubles.is_empty().then_some(())))?;

    // Less than anything can be said with: the partition stands, and says which setting is meant; the worker stays.
    limit(&job, &plan.partials_topic, "2000")?;
    send(&producer, &plan, &of(6, 2))?;
    let told = until("it says what is wrong", || {
        let troubles = worker.report().troubles;
        Ok(troubles
            .into_iter()
            .find(|trouble| trouble.reason == "MessageTooLarge" && trouble.message.contains("needed")))
    })?;
    ensure!(told.message.contains("max.message.bytes") && !worker.is_ended(), "{told:?}");
    limit(&job, &plan.partials_topic, "1048588")?;
    until("all are published", || Ok((gold(&store)?.get("a").map_or(0, |found| found.0) >= 7).then_some(())))?;
    worker.request_stop();
    worker.join()?;
    Ok(())
}

/// Sets the largest message of a topic.
fn limit(job: &Job, topic: &str, bytes: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = job.kafka.client().create()?;
    let wanted = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("max.message.bytes", bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let options = AdminOptions::new();
    for answer in runtime.block_on(admin.alter_configs([&wanted], &options))? {
        answer.map_err(|(topic, code)| anyhow::anyhow!("alter {topic:?}: {code}"))?;
    }
    // A broker takes a moment to act on it.
    let deadline = Instant::now() + PATIENCE;
    let topics = [ResourceSpecifier::Topic(topic)];
    while Instant::now() < deadline {
        let described = runtime.block_on(admin.describe_configs(&topics, &options))?;
        let told = described.into_iter().flatten().find_map(|found| found.get("max.message.bytes")?.value.clone());
        if told.as_deref() == Some(bytes) {
            return Ok(());
        }
    }
    anyhow::bail!("'{topic}' does not take the limit")
}

//! Records that do not count, each as the dead letter that a person finds: the record's own bytes and headers, and why.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cli::dev::broker::TimestampType;
use cli::generate::{Generator, Options, SchemaIds, Shape, register};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use worker::Worker;

use crate::world::{PATIENCE, World, finish};

/// 2026-11-23T06:00:00Z, where the sample events begin.
const START: i64 = 1_795_413_600_000;
const HOUR: i64 = 3_600_000;
/// A log time after all of them.
const LOG_TIME: i64 = START + 6 * HOUR;

type HeaderList = Vec<(String, Option<Vec<u8>>)>;

/// A record as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    value: Option<Vec<u8>>,
    headers: HeaderList,
    /// Reason, rule and message of its dead letter; none for a record that counts.
    letter: Option<(&'static str, Option<&'static str>, String)>,
}

impl Sent {
    pub fn good(value: Vec<u8>) -> Self {
        Self { value: Some(value), ..Self::default() }
    }

    fn undecodable(value: Option<Vec<u8>>, message: &str) -> Self {
        Self { value, letter: Some(("Undecodable", None, message.to_owned())), ..Self::default() }
    }

    pub fn invalid(value: Vec<u8>, rule: &'static str, message: &str) -> Self {
        Self { value: Some(value), letter: Some(("Invalid", Some(rule), message.to_owned())), ..Self::default() }
    }
}

/// A record as it is found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: HeaderList,
}

/// Values of sample events that begin at `start`, with one kind of trouble only.
pub fn values(ids: SchemaIds, count: u64, start: i64, trouble: fn(&mut Shape)) -> Result<Vec<Vec<u8>>> {
    let mut shape =
        Shape { start, span: 0, jitter: 0, duplicates: 0.0, late: 0.0, invalid: 0.0, poison: 0.0, ..Shape::default() };
    // Other ids, so that none is a duplicate of another call's.
    shape.seed = start.unsigned_abs();
    trouble(&mut shape);
    let mut generator = Generator::new(&Options { shape, ..Options::new(count, 3) }, ids)?;
    let mut values = Vec::new();
    while let Some(event) = generator.next_event() {
        values.extend(event.value.map(<[u8]>::to_vec));
    }
    Ok(values)
}

fn client(world: &World) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.plan.kafka.bootstrap);
    config
}

fn key(number: usize) -> Vec<u8> {
    // Keys are bytes; Kafka does not know of text.
    vec![0xff, number as u8]
}

/// Sends all to partition 0, in order.
fn send(world: &World, records: &[Sent]) -> Result<()> {
    let producer: BaseProducer = client(world).create()?;
    for (number, record) in records.iter().enumerate() {
        let key = key(number);
        let mut headers = OwnedHeaders::new();
        for (name, value) in &record.headers {
            headers = headers.insert(Header { key: name, value: value.as_ref() });
        }
        let mut sent: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&world.plan.source.topic);
        (sent.partition, sent.key, sent.payload) = (Some(0), Some(key.as_slice()), record.value.as_deref());
        (sent.timestamp, sent.headers) = (Some(LOG_TIME), Some(headers));
        producer.send(sent).map_err(|(error, _)| error)?;
    }
    Ok(producer.flush(PATIENCE)?)
}

/// All dead letters by the offset of their record.
fn letters(world: &World) -> Result<Vec<Found>> {
    let topic = &world.plan.dead_letter_topic;
    let consumer: BaseConsumer = client(world).set("group.id", "reader").create()?;
    let mut from = TopicPartitionList::new();
    for partition in (0..).take_while(|partition| world.broker.next_offset(topic, *partition).is_some()) {
        from.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&from)?;
    let (deadline, mut found) = (Instant::now() + PATIENCE, Vec::new());
    while (found.len() as i64) < world.count(topic) {
        ensure!(Instant::now() < deadline, "{} letters came", found.len());
        let Some(message) = consumer.poll(Duration::from_millis(50)).transpose()? else { continue };
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        found.push(Found {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
        });
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// What the dead letter of a record must be.
fn wanted(number: usize, record: &Sent) -> Option<Found> {
    let (reason, rule, message) = record.letter.clone()?;
    let offset = number.to_string();
    let reasons = [
        ("sluice.pipeline", Some("revenue-5m")),
        ("sluice.topic", Some("sales.events.v1")),
        ("sluice.partition", Some("0")),
        ("sluice.offset", Some(offset.as_str())),
        ("sluice.reason", Some(reason)),
        ("sluice.rule", rule),
        ("sluice.message", Some(message.as_str())),
    ];
    let mut headers = record.headers.clone();
    for (name, value) in reasons {
        headers.extend(value.map(|value| (name.to_owned(), Some(value.as_bytes().to_vec()))));
    }
    Some(Found { key: Some(key(number)), value: record.value.clone(), headers })
}

/// Sends the records, lets a worker read them, and compares the dead letters, the ledger and the gold rows.
pub fn expect(world: &World, records: &[Sent], late: u64) -> Result<()> {
    send(world, records)?;
    let sink = world.path("data");
    let report = finish(Worker::start(world.config("reader", &sink)?)?)?;
    let wanted: Vec<_> = records.iter().enumerate().filter_map(|(number, record)| wanted(number, record)).collect();
    let found = letters(world)?;
    for (found, wanted) in found.iter().zip(&wanted) {
        let text = |of: &Found| {
            let header = |(name, value): &(String, Option<Vec<u8>>)| {
                format!("{name}: {}", String::from_utf8_lossy(value.as_deref().unwrap_or(b"(null)")))
            };
            of.headers.iter().map(header).collect::<Vec<_>>()
        };
        assert_eq!(text(found), text(wanted));
        assert_eq!(found, wanted, "key, value and headers byte for byte");
    }
    assert_eq!(found.len(), wanted.len());
    let ledger = report.partitions.iter().find(|partition| partition.partition == 0).expect("it was read").ledger;
    let undecodable =
        records.iter().filter(|record| matches!(&record.letter, Some(("Undecodable", ..)))).count() as u64;
    let good = (records.len() - wanted.len()) as u64;
    assert_eq!((ledger.consumed, ledger.counted, ledger.duplicate), (records.len() as u64, good, 0), "{ledger:?}");
    assert_eq!((ledger.undecodable, ledger.late), (undecodable, late), "{ledger:?}");
    let rows = tests::pipeline::rows(&sink.join("gold"))?;
    let counted = rows.iter().flat_map(|batch| {
        let counts = batch.column_by_name("event_count").expect("a gold file has the manifest's columns");
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(counts).values().to_vec()
    });
    assert_eq!(counted.sum::<i64>() as u64, good, "all neighbours are in the gold table");
    Ok(())
}

pub fn world() -> Result<(World, SchemaIds)> {
    let world = World::empty()?;
    for topic in &world.plan.topics {
        let times = if topic.name == world.plan.source.topic {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        };
        world.broker.create_topic(&topic.name, topic.partitions as i32, times)?;
    }
    let ids = register(&world.plan.registry_url, &world.plan.source.topic, false)?;
    Ok((world, ids))
}

fn header(name: &str, value: &[u8]) -> (String, Option<Vec<u8>>) {
    (name.to_owned(), Some(value.to_vec()))
}

#[test]
fn what_cannot_be_decoded_is_a_dead_letter_with_its_reason_and_its_neighbours_count() -> Result<()> {
    let (world, ids) = world()?;
    let mut good = values(ids, 40, START, |_| {})?.into_iter();
    let mut next = || good.next().expect("enough sample events");

    let mut unknown_id = next();
    unknown_id[1..5].copy_from_slice(&77_u32.to_be_bytes());
    let mut cut = next();
    cut.pop();
    let cut_inside_text = next()[..20].to_vec();
    let cut_before_the_body = next()[..5].to_vec();
    let mut longer = next();
    longer.extend_from_slice(b"???");
    let bare = |value: Vec<u8>| value[5..].to_vec();
    let schema_id = |id: u32| header("__value_schema_id", &[&[0][..], &id.to_be_bytes()].concat());
    let bare_good = Sent { headers: vec![schema_id(ids.first)], ..Sent::good(bare(next())) };
    let message = "unknown-schema: the registry has no schema with id 78";
    let bare_unknown = Sent { headers: vec![schema_id(78)], ..Sent::undecodable(Some(bare(next())), message) };

    let traced = vec![header("trace", b"\xfe\x00"), header("a", b""), ("a".to_owned(), None), header("trace", b"2")];
    let bad = [
        Sent::undecodable(Some(unknown_id), "unknown-schema: the registry has no schema with id 77"),
        Sent::undecodable(Some(cut), "malformed: field 'amount': needs 2 bytes, 1 are left"),
        Sent::undecodable(Some(cut_inside_text), "malformed: field 'event_id': needs 36 bytes, 14 are left"),
        Sent::undecodable(
            Some(cut_before_the_body),
            "malformed: field 'event_id': the number does not end within 64 bits or the value",
        ),
        Sent::undecodable(None, "null-value: the value is null"),
        Sent::undecodable(
            Some(br#"{"event_id": "1"}"#.to_vec()),
            "bad-magic: the value begins with byte 123, expected 0 and a 4-byte schema id, or the header '__value_schema_id'",
        ),
        Sent::undecodable(Some(longer), "trailing-bytes: 3 bytes follow the end of the record"),
        Sent::undecodable(
            Some(vec![0, 0, 1]),
            "too-short: the schema prefix has 3 bytes, expected byte 0 and a 4-byte schema id",
        ),
        Sent::undecodable(
            Some(Vec::new()),
            "too-short: the schema prefix has 0 bytes, expected byte 0 and a 4-byte schema id",
        ),
        bare_unknown,
    ];
    let mut records = vec![bare_good];
    for mut bad in bad {
        records.push(Sent::good(next()));
        bad.headers.extend(traced.clone());
        records.push(bad);
        records.push(Sent::good(next()));
    }
    expect(&world, &records, 0)
}

#[test]
fn what_breaks_a_rule_is_a_dead_letter_that_says_which() -> Result<()> {
    let (world, ids) = world()?;
    let mut good = values(ids, 40, START, |_| {})?.into_iter();
    let broken = values(ids, 5, START + 1, |shape| shape.invalid = 1.0)?;
    let future = values(ids, 1, START + 2, |shape| shape.future = 1.0)?.remove(0);
    let late = values(ids, 1, START - HOUR, |_| {})?.remove(0);
    let told = [
        ("required", "breaks rule 'required', expected not null: 'event_id', 'event_time', 'account_id', 'amount'"),
        ("plan-tier", "breaks rule 'plan-tier', expected one of 'free', 'starter', 'pro', 'enterprise'"),
        ("region", "breaks rule 'region', expected one of 'us', 'eu', 'apac', 'latam'"),
        ("currency", "breaks rule 'currency', expected one of 'USD', 'EUR', 'GBP'"),
        ("amount", "breaks rule 'amount', expected at least 0"),
    ];
    let mut records: Vec<_> =
        broken.into_iter().zip(told).map(|(value, (rule, told))| Sent::invalid(value, rule, told)).collect();
    records.push(Sent::invalid(
        future,
        "event-time-future",
        "the event time is 7304 days ahead of the log time 2026-11-23T12:00:00.000Z, expected at most 5 minutes \
         ('source.watermark.maxFutureSkew', which may be as long as the delay)",
    ));
    let mut records: Vec<_> =
        records.into_iter().flat_map(|bad| [Sent::good(good.next().expect("enough sample events")), bad]).collect();
    let message = "the window ended at 2026-11-23T05:05:00.000Z, the watermark was 2026-11-23T05:50:00.000Z".to_owned();
    records.push(Sent { value: Some(late), letter: Some(("Late", None, message)), ..Sent::default() });
    records.push(Sent::good(good.next().expect("enough sample events")));
    expect(&world, &records, 1)
}

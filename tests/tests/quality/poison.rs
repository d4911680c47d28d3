//! Poison among good records: every good one is counted, every poisonous one is a dead letter with its own bytes and the right
//! reason.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use cli::generate::{Generator, Options, Shape};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tests::pipeline::{Way, run_bounded};

use crate::world::{MINUTE, PATIENCE, START, World};

/// A schema header for a good value and a number.
type MakeHeader = fn(&[u8], u64) -> Vec<u8>;

/// A kind of poison: what it makes of a good value (and its schema id) with a number, and the code that follows.
struct Kind {
    code: &'static str,
    spoil: fn(&[u8], u64) -> Option<Vec<u8>>,
    header: Option<MakeHeader>,
}

const fn plain(code: &'static str, spoil: fn(&[u8], u64) -> Option<Vec<u8>>) -> Kind {
    Kind { code, spoil, header: None }
}

const fn with_header(code: &'static str, header: MakeHeader) -> Kind {
    Kind { code, spoil: |good, _| Some(good[5..].to_vec()), header: Some(header) }
}

/// A length somewhere inside of the body, never all of it.
fn inside(good: &[u8], number: u64) -> usize {
    6 + (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % (good.len() - 7)
}

const KINDS: [Kind; 20] = [
    plain("null-value", |_, _| None),
    plain("too-short", |_, _| Some(Vec::new())),
    plain("too-short", |_, _| Some(vec![0])),
    plain("too-short", |good, number| Some(good[..=(number as usize % 4)].to_vec())),
    plain("bad-magic", |_, number| Some(format!("{{\"event_id\": {number}}}").into_bytes())),
    plain("bad-magic", |_, number| Some(number.to_le_bytes().map(|byte| byte | 1).to_vec())),
    plain("bad-magic", |good, number| Some([&[1 + (number % 255) as u8], &good[1..]].concat())),
    plain("unknown-schema", |good, _| Some([&[0, 0x7f, 0xff, 0xff, 0xff], &good[5..]].concat())),
    plain("unknown-schema", |good, number| Some([&[0, 0, 1, 0, number as u8], &good[5..]].concat())),
    plain("malformed", |good, _| Some(good[..5].to_vec())),
    plain("malformed", |good, _| Some(good[..good.len() - 1].to_vec())),
    plain("malformed", |good, number| Some(good[..inside(good, number)].to_vec())),
    // The length of the first text: negative, then longer than all that follows.
    plain("malformed", |good, _| Some([&good[..5], &[0x7f], &good[6..]].concat())),
    plain("malformed", |good, _| Some([&good[..5], &[0xfe, 0x7f], &good[6..]].concat())),
    plain("trailing-bytes", |good, number| Some([good, &vec![0; 1 + number as usize % 9]].concat())),
    plain("trailing-bytes", |good, _| Some([good, &good[5..]].concat())),
    with_header("unknown-schema", |_, number| [&[0, 1, 0, 0], &[number as u8][..]].concat()),
    with_header("unknown-schema", |_, number| [&[1][..], &number.to_le_bytes(), &number.to_le_bytes()].concat()),
    with_header("too-short", |good, number| good[..number as usize % 5].to_vec()),
    with_header("bad-magic", |good, _| [&[9], &good[1..5]].concat()),
];

type Sent = (usize, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn send(producer: &BaseProducer, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<()> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(std::time::Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Sends the good records with one of poison after each so many; the poison by its key.
fn mix(world: &World, good: u64, poison: u64) -> Result<BTreeMap<Vec<u8>, Sent>> {
    let shape = Shape {
        start: START,
        span: 60 * MINUTE,
        duplicates: 0.0,
        late: 0.0,
        invalid: 0.0,
        poison: 0.0,
        ..Shape::default()
    };
    let mut generator = Generator::new(&Options { shape, ..Options::new(good, 3) }, world.ids)?;
    let mut client = rdkafka::ClientConfig::new();
    let producer: BaseProducer = client.set("bootstrap.servers", world.broker.bootstrap_servers()).create()?;
    let (every, mut number, mut sent) = (good / poison, 0, BTreeMap::new());
    while let Some(event) = generator.next_event() {
        let (value, partition) = (event.value.context("all are good")?.to_vec(), event.partition as i32);
        let to = || BaseRecord::<[u8], [u8]>::to("sales.events.v1").partition(partition).timestamp(event.timestamp);
        send(&producer, to().key(event.key).payload(&value))?;
        number += 1;
        if number % every != 0 {
            continue;
        }
        let serial = number / every;
        let (kind, key) = (serial as usize % KINDS.len(), [b"poison".as_slice(), &serial.to_be_bytes()].concat());
        let spoiled = (KINDS[kind].spoil)(&value, serial);
        let mut headers = vec![("trace".to_owned(), Some(serial.to_be_bytes().to_vec()))];
        headers.extend(KINDS[kind].header.map(|header| ("__value_schema_id".to_owned(), Some(header(&value, serial)))));
        let owned = headers
            .iter()
            .fold(OwnedHeaders::new(), |owned, (key, value)| owned.insert(Header { key, value: value.as_deref() }));
        let mut record = to().key(&key);
        (record.payload, record.headers) = (spoiled.as_deref(), Some(owned));
        send(&producer, record)?;
        sent.insert(key, (kind, spoiled, headers));
    }
    producer.flush(PATIENCE)?;
    Ok(sent)
}

fn everything_is_accounted_for(good: u64, poison: u64) -> Result<()> {
    let world = World::start()?;
    let sent = mix(&world, good, poison)?;
    ensure!(sent.len() as u64 == poison, "{} poisonous records", sent.len());
    let plan = world.plan(&world.path("data"), &[])?;
    let way = Way { group: "poison".to_owned(), workers: 1, lanes: 2, fetch_records: 8192 };
    let reports = run_bounded(&plan, &way, PATIENCE * 10)?;
    let mut ledger = schemas::report::Ledger::default();
    reports.iter().flat_map(|report| &report.partitions).for_each(|partition| ledger.add(&partition.ledger));
    assert_eq!((ledger.counted, ledger.undecodable, ledger.consumed), (good, poison, good + poison), "{ledger:?}");
    let letters = cli::dlq::letters(&plan)?;
    assert_eq!(letters.len() as u64, poison);
    for letter in letters.values() {
        let key = letter.record.key.as_ref().context("poison has a key")?;
        let (kind, value, headers) = sent.get(key).context("it is one that was sent")?;
        assert_eq!(letter.code(), Some(KINDS[*kind].code), "kind {kind}: {}", letter.message);
        assert_eq!((&letter.record.value, &letter.record.headers), (value, headers), "kind {kind}");
    }
    let codes = letters.values().fold(BTreeMap::<_, u64>::new(), |mut codes, letter| {
        *codes.entry(letter.code().unwrap_or_default()).or_default() += 1;
        codes
    });
    eprintln!("{good} good records are counted, {poison} of {} kinds are dead letters: {codes:?}", KINDS.len());
    Ok(())
}

#[test]
fn poison_spoils_no_neighbour_and_is_kept_byte_for_byte() -> Result<()> {
    everything_is_accounted_for(40_000, 400)
}

#[test]
#[ignore = "a million records: make test"]
fn ten_thousand_of_poison_among_a_million() -> Result<()> {
    everything_is_accounted_for(1_000_000, 10_000)
}

//! Bytes from outside, changed at random: whatever they are, they are read or refused, and what stands beside them is unharmed.
//! Seeded; `SLUICE_MUTATIONS` sets how many of each there are.

use anyhow::Result;
use cli::generate::{Generator, Options, SALES_EVENT_AVSC, SchemaIds};
use cli::stretch::Stored;
use plan::Plan;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::report::Ledger;
use schemas::wire::{
    BatchBody, ClosedBody, Content, ExpressionBody, PartialHeader, Record, RefusalBody, RuleBody, SampleBody, SealBody,
    Sender,
};
use worker::decode::{Decoder, LogClock, RegistryUnreachable, WriterSchema};
use worker::source::batch::{Timestamp, TimestampKind};

use crate::world::START;

const SEED: u64 = 20_261_126;

fn many() -> usize {
    std::env::var("SLUICE_MUTATIONS").ok().and_then(|many| many.parse().ok()).unwrap_or(20_000)
}

/// One to four changes: a byte, a bit, a cut, a piece twice, a piece of noise.
fn mutate(bytes: &[u8], dice: &mut ChaCha8Rng) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..dice.random_range(1..=4) {
        let at = dice.random_range(0..=changed.len());
        match dice.random_range(0..5) {
            0 if at < changed.len() => changed[at] = dice.random(),
            1 if at < changed.len() => changed[at] ^= 1 << dice.random_range(0..8),
            2 => changed.truncate(at),
            3 => {
                let piece = changed[at..].to_vec();
                changed.extend(piece);
            }
            _ => {
                let mut noise = vec![0; dice.random_range(1..16)];
                dice.fill_bytes(&mut noise);
                changed.splice(at..at, noise);
            }
        }
    }
    changed
}

fn stored(offset: i64, value: Option<Vec<u8>>, header: Option<Vec<u8>>) -> Stored {
    let headers = header.map(|header| ("__value_schema_id".to_owned(), Some(header)));
    let timestamp = Timestamp { ms: START, kind: TimestampKind::LogAppend };
    Stored { partition: 0, offset, timestamp, key: None, value, headers: headers.into_iter().collect() }
}

#[test]
fn framing_and_avro_of_any_bytes_are_read_or_refused_beside_good_records() -> Result<()> {
    let plan = Plan::compile(&serde_saphyr::from_str(tests::pipeline::QUICKSTART)?)?;
    let schemas = |id: u32| -> Result<WriterSchema, RegistryUnreachable> {
        Ok(if id == 1 { WriterSchema::Avro(SALES_EVENT_AVSC.into()) } else { WriterSchema::Unknown })
    };
    let mut decoder = Decoder::new(schemas, &plan.reader_schema, plan.arrow_schema.clone());
    let mut generator = Generator::new(&Options::new(many() as u64, 3), SchemaIds { first: 1, second: None })?;
    let (mut dice, mut clock) = (ChaCha8Rng::seed_from_u64(SEED), LogClock::resume(0));
    let (mut read, mut refused) = (0, 0);
    let mut good = Vec::new();
    while let Some(event) = generator.next_event() {
        if event.header.is_some() || event.value.is_none() {
            continue;
        }
        good = event.value.unwrap_or_default().to_vec();
        let changed = mutate(&good, &mut dice);
        let record = match dice.random_range(0..4) {
            0 => stored(1, Some(good[5..].to_vec()), Some(mutate(&good[..5], &mut dice))),
            1 => stored(1, Some(changed), Some(good[..5].to_vec())),
            _ => stored(1, Some(changed), None),
        };
        let records = [stored(0, Some(good.clone()), None), record, stored(2, Some(good.clone()), None)];
        let found = decoder.decode(&records, &mut clock)?;
        assert_eq!(found.offsets.len() + found.undecodable.len(), 3, "seed {SEED}: each is a row or refused");
        assert_eq!((found.offsets.first(), found.offsets.last()), (Some(&0), Some(&2)), "seed {SEED}: {records:?}");
        read += found.offsets.len() - 2;
        refused += found.undecodable.len();
    }
    assert!(!good.is_empty() && refused > read, "{read} read, {refused} refused");
    eprintln!("seed {SEED}: {read} mutations are still records, {refused} are refused");
    Ok(())
}

fn examples() -> Vec<Record> {
    let from = Sender { partition: 2, incarnation: 3, revision: 1 };
    let closed = ClosedBody {
        start: 0,
        end: 300,
        parts: 1,
        records: 7,
        first_offset: 3,
        end_offset: 11,
        digest: "0a".repeat(16),
    };
    let rule = RuleBody {
        name: "region".to_owned(),
        fingerprint: "ab".repeat(16),
        evaluated: 10,
        violations: 2,
        skipped: 1,
        no_value: 1,
        not_finite: 0,
    };
    let (kind, name) = ("measure".to_owned(), "revenue".to_owned());
    let expression = ExpressionBody { kind, name, no_value: 3, not_finite: 4 };
    let (verdict, reason, message) = ("Undecodable".to_owned(), "bad-magic".to_owned(), "no Avro".to_owned());
    let refusal = RefusalBody { verdict, reason, records: 2, offset: 4, message };
    let sample = SampleBody {
        kind: "rule".to_owned(),
        name: "region".to_owned(),
        why: "violation".to_owned(),
        offset: 5,
        event_id: Some("e".to_owned()),
        field: Some("region".to_owned()),
        value: None,
    };
    let report = BatchBody {
        first_offset: 1,
        end_offset: 12,
        first_log_time: START,
        last_log_time: START + 5,
        ledger: Ledger { consumed: 11, counted: 11, ..Ledger::default() },
        gaps: 0,
        rules: vec![rule],
        latency: vec![(3, 4), (17, 7)],
        expressions: vec![expression],
        refusals: vec![refusal],
        samples: vec![sample],
    };
    let partial = PartialHeader { start: 0, end: 300, part: 0, digest: "cd".repeat(16) };
    let seal = SealBody { after: Some(0), until: 300, at: 11, closed: vec![closed], lost: Vec::new() };
    let contents =
        [Content::Partial(partial, (0..200).collect()), Content::Seal(seal), Content::Report(report), Content::Fence];
    contents.into_iter().map(|content| Record { from, content }).collect()
}

#[test]
fn records_of_the_partials_topic_are_read_whole_or_refused() -> Result<()> {
    let mut dice = ChaCha8Rng::seed_from_u64(SEED);
    let (mut read, mut refused) = (0, 0);
    for record in examples() {
        let bytes = record.encode()?;
        assert_eq!(Record::decode(&bytes)?, record);
        for _ in 0..many() {
            match Record::decode(&mutate(&bytes, &mut dice)) {
                // What is read is a record: it comes back from its own bytes.
                Ok(found) => {
                    assert_eq!(Record::decode(&found.encode()?)?, found, "seed {SEED}");
                    read += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    eprintln!("seed {SEED}: {read} mutations are still records, {refused} are refused");
    Ok(())
}

//! Where the fuzzer begins: one good input per kind, made by the code that writes such bytes.

use schemas::wire::pieces::{LEAST, split};
use schemas::wire::{Content, LossBody, Record, SealBody, Sender};
use stream_core::{Emission, EventTime, Lane, Offset, Progress};
use worker::wire::{partial_content, report_body, seal_body};

use crate::record::NOW;
use crate::sale::{framed, nested_sale, sale};
use crate::world::REVENUE;
use crate::{checkpoint, joined};

/// Good inputs by probe and name.
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let said = said();
    let kind = |wanted: &str| -> Vec<Vec<u8>> {
        let of_kind = said.iter().filter(|record| record.content.kind() == wanted);
        of_kind.map(|record| record.encode().expect("it is written")).collect()
    };
    let all: Vec<Vec<u8>> = said.iter().map(|record| record.encode().expect("it is written")).collect();
    let sale = sale(1, "eu", 1_999);
    let seeds = vec![
        ("framing", "prefixed", [&[1, 0, 0, 0, 0, 1][..], &sale].concat()),
        ("framing", "header-id", [&[3 | 5 << 2, 0, 0, 0, 0, 1][..], &sale].concat()),
        ("framing", "header-guid", [&[3 | 17 << 2, 1][..], &[7; 16], &sale].concat()),
        ("framing", "null", vec![0]),
        ("avro", "flat", [&[0][..], &sale].concat()),
        ("avro", "nested", [&[1][..], &nested_sale(1)].concat()),
        ("avro", "flat-for-nested", [&[3][..], &sale].concat()),
        ("partial", "one-partition", joined(&all)),
        ("partial", "three-partitions", joined(&three_partitions(&said))),
        ("partial", "partial", joined(&kind("partial"))),
        ("partial", "seal", joined(&kind("seal"))),
        ("partial", "loss", joined(&after_a_loss(&said))),
        ("partial", "pieces", joined(&in_pieces(&said))),
        ("report", "reports", joined(&kind("report"))),
        ("checkpoint", "forty-records", checkpoint::seed()),
    ];
    let progress = PROGRESS.iter().map(|(name, metadata)| ("progress", *name, at(1234, metadata)));
    seeds.into_iter().chain(progress).collect()
}

/// Progress of every version that was ever written.
const PROGRESS: &[(&str, &str)] = &[
    ("ingest-v1", include_str!("../../tests/golden/progress-v1.txt")),
    ("ingest-v2", include_str!("../../tests/golden/progress-v2.txt")),
    ("ingest-v3", include_str!("../../tests/golden/progress-v3.txt")),
    ("ingest-v4", include_str!("../../tests/golden/progress-v4.txt")),
    ("ingest-v4-volumes", include_str!("../../tests/golden/progress-v4-volumes.txt")),
    ("ingest-v5", include_str!("../../tests/golden/progress-v5.txt")),
    ("ingest-v5-leaving", include_str!("../../tests/golden/progress-v5-leaving.txt")),
    ("publish-v1", include_str!("../../tests/golden/publish-progress-v1.txt")),
    ("publish-v2", include_str!("../../tests/golden/publish-progress-v2.txt")),
    ("publish-v3", include_str!("../../tests/golden/publish-progress-v3.txt")),
    ("publish-v4", include_str!("../../tests/golden/publish-progress-v4.txt")),
    ("publish-v4-leaving", include_str!("../../tests/golden/publish-progress-v4-leaving.txt")),
];

fn at(position: i64, metadata: &str) -> Vec<u8> {
    [&position.to_le_bytes()[..], metadata.trim_end().as_bytes()].concat()
}

/// What a lane of partition 0 says of an hour.
fn said() -> Vec<Record> {
    let mut lane = Lane::resume(REVENUE.program.clone(), &Progress::start(Offset(0))).expect("an empty lane");
    let regions = ["eu", "us", "mars"];
    let record = |number: i64| framed(1, &sale(number * 40, regions[number as usize % 3], 5), number);
    let records: Vec<_> = (0..90).map(record).collect();
    let mut said = REVENUE.feed(&mut lane, &records).items;
    let last = lane.decree(EventTime(NOW)).expect("no sum overflows");
    said.extend(last.emissions.items);
    said.into_iter().map(said_as).collect()
}

fn said_as(emission: Emission) -> Record {
    let content = match emission {
        Emission::Partial(partial) => partial_content(&partial).expect("the rows are written"),
        Emission::Seal(seal) => Content::Seal(seal_body(&seal, 0)),
        Emission::Report(report) => Content::Report(report_body(&report, &REVENUE.plan, &REVENUE.program)),
    };
    Record { from: Sender { partition: 0, incarnation: 1, revision: 1 }, content }
}

/// A loss of which nothing is known yet, the messages of a lane, and a seal that names the loss.
fn after_a_loss(said: &[Record]) -> Vec<Vec<u8>> {
    let from = Sender { partition: 0, incarnation: 2, revision: 1 };
    let body = LossBody { from: 3, to: 50, position: 20, after: NOW - 3_600_000, until: None };
    let told = Record { from, content: Content::Loss(body) };
    let said = said.iter().map(|record| match &record.content {
        Content::Seal(seal) => {
            let lost = vec![LossBody { until: Some(NOW), ..body }];
            Record { from, content: Content::Seal(SealBody { lost, ..seal.clone() }) }
        }
        other => Record { from, content: other.clone() },
    });
    std::iter::once(told).chain(said).map(|record| record.encode().expect("it is written")).collect()
}

/// All of it in pieces of the smallest size, after half of the first that an earlier owner sent.
fn in_pieces(said: &[Record]) -> Vec<Vec<u8>> {
    let cut = |record: &Record| split(record, LEAST).expect("it is written");
    let mut half = said.first().map(cut).unwrap_or_default();
    half.truncate(half.len() / 2);
    let from = Sender { partition: 0, incarnation: 2, revision: 1 };
    let fence = Record { from, content: Content::Fence };
    let again = said.iter().map(|record| Record { from, content: record.content.clone() });
    half.extend(std::iter::once(fence).chain(again).flat_map(|record| cut(&record)));
    half
}

/// A fence, and the same from three partitions.
fn three_partitions(said: &[Record]) -> Vec<Vec<u8>> {
    let of = |partition: i32| {
        let from = Sender { partition, incarnation: 1, revision: 1 };
        let fence = Record { from, content: Content::Fence };
        let said = said.iter().map(move |record| Record { from, content: record.content.clone() });
        std::iter::once(fence).chain(said)
    };
    (0..3).flat_map(of).map(|record| record.encode().expect("it is written")).collect()
}

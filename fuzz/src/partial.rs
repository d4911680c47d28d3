//! The partials topic as its publisher reads it: messages of any content, some in pieces, one after the other, into files.

use std::collections::HashMap;

use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, Record, Sender};
use stream_core::{Collector, CollectorProgress, Message, Offset, Partition};
use worker::publish::table;
use worker::wire::{read_loss, read_partial, read_seal};

use crate::pieces;
use crate::world::REVENUE;

/// Each piece is a message.
pub fn probe(data: &[u8]) {
    crate::allow_caught_panics();
    let (program, plan) = (&REVENUE.program, &REVENUE.plan);
    let partitions = plan.source.partitions as usize;
    let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), partitions));
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    let mut joiner = Joiner::default();
    for (at, value) in pieces(data).into_iter().enumerate() {
        if let Ok(record) = Record::decode(value) {
            let again = record.encode().expect("what was read is written");
            assert_eq!(Record::decode(&again).expect("what was written is read"), record);
        }
        if let Ok(Some(record)) = joiner.take(at as i64, value) {
            assert!(!matches!(record.content, Content::Piece(..)), "a piece is no record");
            let _ = take_in(&mut collector, at as i64, &record);
        }
        collector.hold(joiner.open().map(|(from, at)| (Partition(from.partition), from.incarnation, Offset(at))));
        collector.advance(Offset(at as i64 + 1));
        for published in collector.complete().into_iter().flatten() {
            if let Ok(table) = table::gold(plan, &published, 0) {
                let written = files.insert(table.path(), table.bytes.clone());
                assert!(written.is_none_or(|before| before == table.bytes), "'{}' is written twice", table.name);
            }
            collector.published(published.window);
        }
        let progress = collector.progress();
        assert!(progress.anchor <= progress.position && progress.position.0 == at as i64 + 1);
    }
}

fn take_in(collector: &mut Collector, at: i64, record: &Record) -> Result<(), worker::wire::PartialError> {
    let Sender { partition, incarnation, .. } = record.from;
    let from = Message { at: Offset(at), partition: Partition(partition), incarnation };
    match &record.content {
        Content::Partial(header, rows) => collector.partial(from, read_partial(header, rows, 0, &REVENUE.program)?),
        Content::Seal(body) => collector.seal(from, &read_seal(body, 0)?),
        Content::Fence => collector.fence(from),
        Content::Loss(body) => collector.lost(from, &read_loss(body)),
        Content::Report(_) | Content::Piece(..) => {
            collector.admits(from);
        }
    }
    Ok(())
}

//! Batch reports: whatever one says, its file and the state of quality are made of it without a panic, and the same each time.

use std::sync::Arc;

use schemas::wire::pieces::Joiner;
use schemas::wire::{Content, Record};
use worker::publish::table;
use worker::quality::Quality;
use worker::status::Status;

use crate::pieces;
use crate::world::REVENUE;

/// Each piece is a message.
pub fn probe(data: &[u8]) {
    let plan = &REVENUE.plan;
    let quality = Quality::new(Arc::new(plan.clone()), Arc::new(Status::new("revenue-5m", 1, "fuzz")));
    let mut joiner = Joiner::default();
    for (at, value) in (0..).zip(pieces(data)) {
        let Ok(Some(Record { from, content: Content::Report(body) })) = joiner.take(at, value) else { continue };
        quality.observe(from.partition, &body);
        let again = table::report(plan, from.partition, &body);
        match (table::report(plan, from.partition, &body), again) {
            (Ok(one), Ok(two)) => assert_eq!((one.path(), one.bytes), (two.path(), two.bytes)),
            (one, two) => assert_eq!(one.is_ok(), two.is_ok()),
        }
        let _ = table::samples(plan, from.partition, &body);
    }
}

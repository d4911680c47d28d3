//! A small fixed log and what it makes a lane say: for the files that keep a format.

use std::sync::Arc;

use stream_core::{Emission, EventTime, Lane, Offset, Progress};

use super::domain::{Domain, Entry, START, Sale};
use super::undisturbed::{feed, said};
use super::world::Source;

/// A pipeline with one output, and what its lane says of a log of a few records.
pub fn sample_emissions() -> (Arc<Domain>, Vec<Emission>) {
    let domain = Domain::of(0, 1);
    let emissions = said(&domain, &source(), EventTime::NEVER, &[]);
    (domain, emissions)
}

/// A lane of that pipeline that has read the records before `until`, and nothing yet if that is 0.
///
/// # Panics
/// Never: the lane is one that works.
pub fn sample_lane(until: i64) -> (Arc<Domain>, Lane) {
    let domain = Domain::of(0, 1);
    let source = source();
    let mut lane = Lane::resume(domain.program.clone(), &Progress::start(Offset(source.low))).expect("a lane");
    feed(&domain, &source, &mut lane, until.max(source.low));
    (domain, lane)
}

/// What a lane that stands somewhere in that log says before `until`.
pub fn sample_rest(lane: &mut Lane, until: i64) -> Vec<Emission> {
    feed(&Domain::of(0, 1), &source(), lane, until).items
}

fn source() -> Source {
    let sale = |offset: i64, seconds: i64, region: Option<&'static str>, amount: i128| {
        let time = START + seconds * 1000;
        let sale = Sale {
            id: Some(format!("sale-{offset}")),
            at: Some(time),
            got: Some(time + 100),
            region,
            kind: "sale",
            amount: Some(amount),
        };
        Entry { offset, log_time: time + 200, sale: Some(sale) }
    };
    let entries = vec![
        sale(3, 1, Some("eu"), 1_999),
        sale(4, 2, None, 5),
        sale(6, 3, Some("mars"), 700),
        sale(7, 31, Some("us"), -1),
        sale(8, 64, Some("us"), 12_345),
    ];
    let visible = entries.len();
    Source { entries, low: 3, gone: 0, visible }
}

//! Random worlds: parameters, logs and decrees, dense and small so that everything meets everything.
//!
//! A log is drawn as a list of steps that only mean something relative to a clock, so shrinking a step keeps the rest
//! sensible. Few ids and few windows make duplicates within and across windows common; event times aim at the edges:
//! window boundaries, the watermark's crossing of them, and the allowed skew. The same records serve the model's own
//! properties and, converted to Arrow, the core's.

use proptest::prelude::*;

use super::{Answer, Decree, Doubt, Event, Group, Params, Record};

/// The number of grouping columns of every generated event.
pub const GROUP_COLUMNS: usize = 2;
/// The number of measure arguments of every generated event.
pub const VALUE_COLUMNS: usize = 2;

/// The ends of the numbers, and of the calendar.
const FAR: [i64; 6] = [i64::MIN, i64::MIN + 1, -1_000_000_001, 253_402_300_799_999, 253_402_300_800_000, i64::MAX];

/// A pipeline and the log of one partition.
#[derive(Clone, Debug)]
pub struct World {
    /// The pipeline's numbers.
    pub params: Params,
    /// The partition's records.
    pub records: Vec<Record>,
}

/// What happens next on the partition, relative to what happened before.
#[derive(Clone, Debug)]
struct Step {
    /// Offsets without a record before this one.
    gap: i64,
    /// ms that pass before it.
    pause: i64,
    /// ms by which its log time is ahead of the clock; negative on a topic whose timestamps go back.
    lag: i64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Undecodable,
    /// The same event as this many steps ago, as a producer's retry sends it.
    Again(usize),
    Fresh(Shape, Stamp),
}

/// Everything of an event but its event time.
#[derive(Clone, Debug)]
struct Shape {
    id: Id,
    rules: Vec<Answer>,
    filter: bool,
    group: Group,
    values: Vec<Option<i128>>,
}

#[derive(Clone, Debug)]
enum Id {
    Missing,
    /// One of a handful that come back all the time.
    Pool(u8),
    /// Never seen before.
    New,
}

/// Where the event time lies.
#[derive(Clone, Debug)]
enum Stamp {
    Missing,
    /// This far from the clock.
    Clock(i64),
    /// This many windows from the clock's, and this far from the boundary.
    Boundary(i64, i64),
    /// Like `Boundary`, but with the delay added, so that the watermark lands at the boundary.
    Crossing(i64, i64),
    /// This far from the latest that the skew allows; positive is too far ahead.
    Horizon(i64),
    /// This far from the earliest that is a time.
    Earliest(i64),
    /// A number far out, whatever the clock says.
    Far(i64),
}

/// A pipeline and a log that suits it, whose timestamps may take the log time back.
pub fn arb_world() -> impl Strategy<Value = World> {
    let doubt = |params: Params| {
        let tolerance = prop_oneof![0..=params.window, 0..=4 * params.window];
        let doubt = (1..9_i64, tolerance).prop_map(|(every, tolerance)| Doubt { every, tolerance });
        (Just(params), prop_oneof![1 => Just(Doubt::NONE), 2 => doubt])
            .prop_map(|(params, doubt)| Params { doubt, ..params })
    };
    arb_world_of(arb_params().prop_flat_map(doubt))
}

/// The same where the log time never goes back.
pub fn arb_rising_world() -> impl Strategy<Value = World> {
    arb_world_of(arb_params())
}

fn arb_world_of(params: impl Strategy<Value = Params>) -> impl Strategy<Value = World> {
    params.prop_flat_map(|params| {
        let records = arb_log(&params);
        (Just(params), records).prop_map(|(params, records)| World { params, records })
    })
}

/// Small windows with offsets, delays from none to a few windows, skews on either side of the delay, tiny batches.
pub fn arb_params() -> impl Strategy<Value = Params> {
    let window = prop_oneof![Just(1_i64), Just(4), Just(10), Just(25)];
    let rules = proptest::collection::vec(any::<bool>(), 0..4);
    (window, rules, 1..16_i64).prop_flat_map(|(window, dead_letter, batch_max_records)| {
        let earliest = prop_oneof![7 => Just(-1_000_000_000_i64), 1 => -80..=20_i64];
        let times = (0..window, 0..=2 * window + 3, 0..=2 * window + 3, 1..=6 * window, earliest);
        times.prop_map(move |(window_offset, delay, max_future_skew, batch_interval, earliest)| Params {
            delay,
            max_future_skew,
            earliest,
            doubt: Doubt::NONE,
            window,
            window_offset,
            batch_interval,
            batch_max_records,
            dead_letter: dead_letter.clone(),
        })
    })
}

/// A log of up to 60 records: gaps in the offsets, repeated ids and repeated events, late, future, invalid,
/// undecodable and filtered records, idle stretches, log times that run ahead or go back.
pub fn arb_log(params: &Params) -> impl Strategy<Value = Vec<Record>> + use<> {
    let params = params.clone();
    let start = (prop_oneof![Just(0_i64), 0..40_i64], prop_oneof![Just(0_i64), Just(-70), Just(1_700_000_000_000)]);
    let steps = proptest::collection::vec(arb_step(&params), 0..60);
    (start, steps).prop_map(move |((offset, clock), steps)| lay_out(&params, offset, clock, &steps))
}

/// A drain after the last record: somewhere around the log's event times, or far beyond.
pub fn arb_drain(records: &[Record]) -> impl Strategy<Value = Decree> + use<> {
    let end = Decree::after(records, 0).at;
    let last = records.last().map_or(0, |record| record.log_time);
    let to = prop_oneof![3 => last - 60..=last + 60, 1 => Just(last + 100_000)];
    (0..3_i64, to).prop_map(move |(gap, to)| Decree { at: end + gap, to })
}

/// Up to three decrees at any positions of the log, at offsets in gaps too, and beyond its end.
pub fn arb_decrees(records: &[Record]) -> impl Strategy<Value = Vec<Decree>> + use<> {
    let first = records.first().map_or(0, |record| record.offset);
    let end = Decree::after(records, 0).at;
    let around: Vec<i64> = records.iter().map(|record| record.log_time).collect();
    let base = if around.is_empty() { Just(0).boxed() } else { proptest::sample::select(around).boxed() };
    let decree = (first..=end + 3, base, -60..=20_i64).prop_map(|(at, base, by)| Decree { at, to: base + by });
    proptest::collection::vec(decree, 0..4)
}

fn arb_step(params: &Params) -> impl Strategy<Value = Step> + use<> {
    let window = params.window;
    let gap = prop_oneof![8 => Just(0_i64), 2 => 1..4_i64, 1 => 4..40_i64];
    let idle = params.delay + window..=params.delay + 4 * window;
    let pause = prop_oneof![6 => Just(0_i64), 6 => 0..=window / 3 + 1, 1 => 0..=window, 1 => idle];
    let ahead = 2 * window..=4 * window;
    let lag = prop_oneof![10 => Just(0_i64), 3 => 0..=window / 4 + 1, 1 => ahead, 1 => -window..0];
    let content = prop_oneof![
        1 => Just(Content::Undecodable),
        2 => (1..6_usize).prop_map(Content::Again),
        17 => (arb_shape(params), arb_stamp(params)).prop_map(|(shape, stamp)| Content::Fresh(shape, stamp)),
    ];
    (gap, pause, lag, content).prop_map(|(gap, pause, lag, content)| Step { gap, pause, lag, content })
}

fn arb_shape(params: &Params) -> impl Strategy<Value = Shape> + use<> {
    let id = prop_oneof![1 => Just(Id::Missing), 14 => (0..5_u8).prop_map(Id::Pool), 14 => Just(Id::New)];
    let answer = prop_oneof![12 => Just(Answer::Passes), 1 => Just(Answer::Violated), 1 => Just(Answer::Skipped)];
    let rules = proptest::collection::vec(answer, params.dead_letter.len());
    let name = prop_oneof![Just(None), Just(Some("eu".to_owned())), Just(Some("us".to_owned()))];
    let group = proptest::collection::vec(name, GROUP_COLUMNS);
    let value = proptest::option::weighted(0.9, prop_oneof![9 => -100..=1000_i128, 1 => Just(4_000_000_000_000)]);
    let values = proptest::collection::vec(value, VALUE_COLUMNS);
    let parts = (id, rules, proptest::bool::weighted(0.93), group, values);
    parts.prop_map(|(id, rules, filter, group, values)| Shape { id, rules, filter, group, values })
}

fn arb_stamp(params: &Params) -> impl Strategy<Value = Stamp> + use<> {
    let (window, delay) = (params.window, params.delay);
    prop_oneof![
        1 => Just(Stamp::Missing),
        12 => (-window..=0).prop_map(Stamp::Clock),
        4 => (-delay - 2 * window..=params.max_future_skew).prop_map(Stamp::Clock),
        4 => (-2..=1_i64, -1..=1_i64).prop_map(|(windows, by)| Stamp::Boundary(windows, by)),
        3 => (-2..=0_i64, -1..=1_i64).prop_map(|(windows, by)| Stamp::Crossing(windows, by)),
        1 => (-1..=2_i64).prop_map(Stamp::Horizon),
        1 => (-1..=1_i64).prop_map(Stamp::Earliest),
        1 => proptest::sample::select(FAR.as_slice()).prop_map(Stamp::Far),
    ]
}

/// Plays the steps against a clock and numbers the records.
fn lay_out(params: &Params, mut offset: i64, mut clock: i64, steps: &[Step]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut log_time = None;
    for (index, step) in steps.iter().enumerate() {
        offset += step.gap;
        clock += step.pause;
        let timestamp = clock + step.lag;
        let now = params.log_time(log_time, offset, timestamp);
        log_time = Some(now);
        let decodable = match &step.content {
            Content::Undecodable => None,
            Content::Again(back) => index.checked_sub(*back).and_then(|earlier| records[earlier].decodable.clone()),
            Content::Fresh(shape, stamp) => Some(event(params, index, shape, event_time(params, stamp, clock, now))),
        };
        records.push(Record { offset, log_time: timestamp, decodable });
        offset += 1;
    }
    records
}

fn event(params: &Params, index: usize, shape: &Shape, event_time: Option<i64>) -> Event {
    let id = match shape.id {
        Id::Missing => None,
        Id::Pool(name) => Some(format!("pool-{name}")),
        Id::New => Some(format!("new-{index}")),
    };
    debug_assert_eq!(shape.rules.len(), params.dead_letter.len(), "one answer per rule");
    Event {
        id,
        event_time,
        rules: shape.rules.clone(),
        filter: shape.filter,
        group: shape.group.clone(),
        values: shape.values.clone(),
    }
}

fn event_time(params: &Params, stamp: &Stamp, clock: i64, log_time: i64) -> Option<i64> {
    match *stamp {
        Stamp::Missing => None,
        Stamp::Clock(by) => Some(clock + by),
        Stamp::Boundary(windows, by) => Some(params.boundary(clock) + windows * params.window + by),
        Stamp::Crossing(windows, by) => Some(params.boundary(clock) + windows * params.window + params.delay + by),
        Stamp::Earliest(by) => Some(params.earliest + by),
        Stamp::Far(time) => Some(time),
        Stamp::Horizon(by) => Some(log_time + params.max_future_skew + by),
    }
}

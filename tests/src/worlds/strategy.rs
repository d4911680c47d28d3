//! Random runs: a world made ready for the core, its decrees in order, and cuttings of any log.

use std::sync::Arc;

use proptest::prelude::*;
use stream_core::Program;

use super::{Cutting, Log, Setting, program};
use crate::model::{Decree, Params, Record, World, arb_decrees, arb_log, arb_params, arb_rising_world, arb_world};

/// One partition: what it is judged by, its log, and the decrees in it.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the program is made of.
    pub setting: Setting,
    /// The partition's log.
    pub log: Log,
    /// Decrees by position.
    pub decrees: Vec<Decree>,
}

/// Several partitions of one pipeline, at about the same time, most of them drained at their end.
#[derive(Clone, Debug)]
pub struct Several {
    /// What the program is made of.
    pub setting: Setting,
    /// A log and its decrees for each partition.
    pub partitions: Vec<(Log, Vec<Decree>)>,
}

impl Run {
    /// The program.
    pub fn program(&self) -> Arc<Program> {
        program(&self.setting)
    }
}

/// A world with decrees somewhere in its log.
pub fn arb_run() -> impl Strategy<Value = Run> {
    arb_run_of(arb_world())
}

/// The same where the log time never goes back.
pub fn arb_rising_run() -> impl Strategy<Value = Run> {
    arb_run_of(arb_rising_world())
}

fn arb_run_of(world: impl Strategy<Value = World>) -> impl Strategy<Value = Run> {
    let world = world.prop_flat_map(|world| {
        let decrees = arb_decrees(&world.records);
        (Just(world), decrees)
    });
    (world, 1..4_u32, any::<bool>()).prop_map(|((world, mut decrees), outputs, late_to_dead_letter)| {
        decrees.sort_by_key(|decree| decree.at);
        let log = Log::new(&world.params, world.records);
        Run { setting: Setting { params: world.params, outputs, late_to_dead_letter }, log, decrees }
    })
}

/// One to three partitions whose clocks agree.
pub fn arb_several() -> impl Strategy<Value = Several> {
    let logs = arb_params().prop_flat_map(|params| {
        let log = (arb_log(&params), proptest::bool::weighted(0.9));
        (Just(params), proptest::collection::vec(log, 1..4), 1..4_u32)
    });
    logs.prop_map(|(params, logs, outputs)| {
        let (logs, drained): (Vec<_>, Vec<_>) =
            logs.into_iter().map(|(log, drained)| (at_the_epoch(&params, log), drained)).unzip();
        let latest = logs.iter().flatten().map(|record| record.log_time).max().unwrap_or(0);
        let drain = latest + params.max_future_skew + 2 * params.window;
        let ready = |(records, drained): (Vec<Record>, bool)| {
            let decree = drained.then(|| Decree::after(&records, drain));
            (Log::new(&params, records), decree.into_iter().collect())
        };
        let partitions = logs.into_iter().zip(drained).map(ready).collect();
        Several { setting: Setting { params, outputs, late_to_dead_letter: true }, partitions }
    })
}

/// Cuttings with fetches of none, one, some and all records, that reach more or less far into gaps.
pub fn arb_cutting() -> impl Strategy<Value = Cutting> {
    let records = prop_oneof![1 => Just(0_usize), 3 => Just(1), 4 => 2..9_usize, 1 => Just(usize::MAX)];
    let reach = prop_oneof![3 => Just(0_i64), 1 => 1..6_i64, 1 => Just(i64::MAX)];
    let fetches = proptest::collection::vec((records, reach), 0..6);
    fetches.prop_map(|mut fetches| {
        fetches.push((1, 0));
        Cutting::new(fetches)
    })
}

/// Moves a log by whole windows so that it begins near the epoch.
fn at_the_epoch(params: &Params, mut records: Vec<Record>) -> Vec<Record> {
    let begin = records.first().map_or(0, |record| record.log_time);
    let by = params.boundary(begin) - params.window_offset;
    for record in &mut records {
        record.log_time -= by;
        if let Some(time) = record.decodable.as_mut().and_then(|event| event.event_time.as_mut()) {
            *time = time.saturating_sub(by);
        }
    }
    records
}

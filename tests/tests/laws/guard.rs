//! The share of dead letters: a lane stops behind the very record with which it becomes too large, however the log is cut into fetches and
//! wherever a lane is taken up again; and records without a value that are ignored are no part of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use proptest::prelude::*;
use stream_core::{
    BatchCut, Cause, Check, Consequence, EventTime, Expression, Fetch, Guard, Halt, Lane, LogTime, Offset, Program,
    Progress, Rule, TimeBounds, TimeColumn, Undecodable, Verdict, Windows, Written,
};

use crate::{cases, unexpected};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Invalid,
    Undecodable,
    Tombstone,
}

#[derive(Clone, Debug)]
struct World {
    records: Vec<Kind>,
    guard: Guard,
    ignore_nulls: bool,
    /// Records of a batch.
    batch: i64,
}

fn arb_world() -> impl Strategy<Value = World> {
    let kind = prop_oneof![6 => Just(Kind::Good), 2 => Just(Kind::Invalid), 1 => Just(Kind::Undecodable), 2 => Just(Kind::Tombstone)];
    let guard = (prop_oneof![0..=1_000_000_u32, Just(0), Just(1_000_000), Just(500_000)], 1..20_u64)
        .prop_map(|(most, at_least)| Guard { most, at_least });
    (prop::collection::vec(kind, 1..120), guard, any::<bool>(), 1..60_i64)
        .prop_map(|(records, guard, ignore_nulls, batch)| World { records, guard, ignore_nulls, batch })
}

impl World {
    /// Behind which record a lane stands that began at the log's beginning, with the batch's dead letters and records.
    fn stands(&self) -> Option<Halt> {
        let (mut letters, mut records) = (0_u64, 0_u64);
        for (offset, kind) in (0_i64..).zip(&self.records) {
            if offset % self.batch == 0 {
                (letters, records) = (0, 0);
            }
            let ignored = *kind == Kind::Tombstone && self.ignore_nulls;
            records += u64::from(!ignored);
            letters += u64::from(!ignored && *kind != Kind::Good);
            let too_many = u128::from(letters) * 1_000_000 > u128::from(self.guard.most) * u128::from(records);
            if records >= self.guard.at_least && too_many {
                return Some(Halt { offset: Offset(offset + 1), cause: Cause::Runaway { letters, records } });
            }
        }
        None
    }

    fn program(&self) -> Program {
        let check: Expression = Arc::new(Column::new("c", 2));
        let rule = Rule {
            name: "good".to_owned(),
            check: Check::Rows(check.into()),
            consequence: Consequence::Refuse,
            columns: vec![2],
            nulls_alone: false,
            expected: "true".to_owned(),
        };
        let windows = Windows { size: 10, offset: 0 };
        Program {
            event_id: 0,
            event_time: TimeColumn { column: 1, written: Written::Plain(TimeUnit::Millisecond) },
            ingest_time: None,
            delay: 10,
            times: TimeBounds::new(EventTime::NEVER, 10, &windows),
            windows,
            filter: None,
            rules: vec![rule],
            redacted: Vec::new(),
            groups: Vec::new(),
            measures: Vec::new(),
            batch: BatchCut { interval: 1000, max_records: self.batch, samples: 1 },
            outputs: 1,
            late_to_dead_letter: true,
            ignore_nulls: self.ignore_nulls,
            guard: Some(self.guard),
        }
    }

    /// Feeds the records `from..to` at once.
    fn feed(&self, lane: &mut Lane, from: usize, to: usize) -> Result<Option<Halt>, TestCaseError> {
        let part = (from as i64..).zip(&self.records[from..to]);
        let (mut offsets, mut good, mut undecodable) = (Vec::new(), Vec::new(), Vec::new());
        for (offset, kind) in part {
            match kind {
                Kind::Good | Kind::Invalid => {
                    offsets.push(offset);
                    good.push(*kind == Kind::Good);
                }
                Kind::Undecodable | Kind::Tombstone => undecodable.push(Undecodable {
                    offset: Offset(offset),
                    log_time: LogTime(0),
                    kind: "bad",
                    reason: "bad".to_owned(),
                    is_null: *kind == Kind::Tombstone,
                }),
            }
        }
        let times = vec![5_i64; offsets.len()];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(offsets.clone())),
            Arc::new(Int64Array::from(times)),
            Arc::new(BooleanArray::from(good)),
        ];
        let kinds = [DataType::Int64, DataType::Int64, DataType::Boolean];
        let schema = Schema::new(kinds.map(|kind| Field::new("c", kind, true)).to_vec());
        let rows = RecordBatch::try_new(Arc::new(schema), columns).expect("the columns are equally long");
        let (log_times, end) = (vec![0; offsets.len()], Offset(to as i64));
        let fetch = Fetch { rows: &rows, offsets: &offsets, log_times: &log_times, undecodable: &undecodable, end };
        Ok(lane.feed(&fetch).map_err(|error| unexpected(&error))?.halt)
    }

    /// Reads in fetches of `fetch` records, with a lane taken up anew from what could be committed after every `life` of them.
    fn read(&self, fetch: usize, life: usize) -> Result<(Option<Halt>, Lane), TestCaseError> {
        let program = Arc::new(self.program());
        let mut progress = Progress::start(Offset(0));
        loop {
            let mut lane = Lane::resume(program.clone(), &progress).map_err(|error| unexpected(&error))?;
            for _ in 0..life {
                let from = lane.position().0 as usize;
                if from == self.records.len() {
                    return Ok((lane.runaway(), lane));
                }
                let halt = self.feed(&mut lane, from, (from + fetch).min(self.records.len()))?;
                if let Some(halt) = halt {
                    let again = self.feed(&mut lane, halt.offset.0 as usize, self.records.len())?;
                    prop_assert_eq!(again, Some(halt), "it stands where it stood");
                    return Ok((Some(halt), lane));
                }
            }
            if lane.is_replaying() || lane.position() == progress.position {
                // Too short a life to come further than the one before.
                return self.read(self.records.len(), usize::MAX);
            }
            progress = lane.progress();
        }
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_lane_stands_behind_the_record_with_which_its_batch_has_too_many_dead_letters(
        world in arb_world(),
        fetch in 1..50_usize,
        life in 1..6_usize,
    ) {
        let expected = world.stands();
        let (found, lane) = world.read(fetch, usize::MAX)?;
        prop_assert_eq!(found, expected, "in fetches of {}", fetch);
        let judged = expected.map_or(world.records.len(), |halt| halt.offset.0 as usize);
        let tombstones = world.records[..judged].iter().filter(|kind| **kind == Kind::Tombstone).count() as u64;
        let ignored = lane.verdicts().of(Verdict::Ignored);
        prop_assert_eq!(ignored, if world.ignore_nulls { tombstones } else { 0 });
        prop_assert_eq!(lane.verdicts().consumed(), judged as u64);
        let (found, _) = world.read(fetch, life)?;
        prop_assert_eq!(found, expected, "in fetches of {} and lives of {}", fetch, life);
    }
}

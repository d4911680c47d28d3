//! The vectorised half of judging: everything about a record that needs no knowledge of the records before it.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType;
use xxhash_rust::xxh3::xxh3_128;

use crate::argument::Argument;
use crate::emission::{Cause, Halt};
use crate::error::Error;
use crate::evaluate::{Evaluated, Without, evaluate, evaluate_boolean, known_true};
use crate::fetch::Fetch;
use crate::groups::{GroupIndex, one_zero};
use crate::oversize::oversize;
use crate::program::{Check, Consequence, Program, Rule, Subject};
use crate::times::{Latencies, Times};
use crate::units::{EventTime, LogTime, Offset};

/// Per row of a fetch: what its verdict and its fold will need.
pub(crate) struct Judged {
    /// Hash of the event id; meaningless where it is null.
    pub ids: Vec<u128>,
    /// Event times.
    pub times: Times,
    /// Whether a value is too large for a window to carry; `None` means in no row.
    pub oversize: Option<BooleanBuffer>,
    /// Whether id and event time are there, no value is too large and no rule with a consequence is broken; `None` means all.
    pub sound: Option<BooleanBuffer>,
    /// Whether the filter is true; `None` means all.
    pub passes: Option<BooleanBuffer>,
    /// The outcome of each rule that looks at records by themselves.
    pub checks: Vec<Option<BooleanArray>>,
    /// Ingest time minus event time in milliseconds, where both are there.
    pub latencies: Option<Latencies>,
    /// The number of each row's group.
    pub groups: Vec<u32>,
    /// The argument of each measure.
    pub arguments: Vec<Argument>,
    /// Rows for which rules and the filter have no value.
    pub without: Vec<(Subject, Without)>,
    /// Rows for which groups have none; those of measures are with the arguments.
    pub groups_without: Vec<(Subject, Without)>,
    /// Rows in one of the latter or of the arguments'; `None` means none.
    pub marked: Option<BooleanBuffer>,
}

impl Judged {
    pub(crate) fn of(program: &Program, rows: &RecordBatch, index: &mut GroupIndex) -> Result<Self, Error> {
        let times = Times::of(program.event_time, rows, "event time")?;
        let latencies = latencies(program, rows, &times)?;
        let (mut without, mut groups_without) = (Vec::new(), Vec::new());
        let (mut checks, mut groups) = (Vec::new(), Vec::new());
        for (index, rule) in program.rules.iter().enumerate() {
            checks.push(match &rule.check {
                Check::Rows(check) => {
                    let (check, of) = evaluate_boolean(check, rows, &rule.name)?;
                    without.extend(of.map(|of| (Subject::Rule(index), of)));
                    Some(check)
                }
                Check::Latency(most) => latencies.as_ref().map(|latencies| latencies.at_most(*most)),
                Check::Unique | Check::Volume(_) => None,
            });
        }
        let filter = program.filter.as_ref().map(|filter| evaluate_boolean(filter, rows, "filter")).transpose()?;
        let filter = filter.map(|(filter, of)| {
            without.extend(of.map(|of| (Subject::Filter, of)));
            filter
        });
        for (index, group) in program.groups.iter().enumerate() {
            let Evaluated { values, without } = evaluate(&group.value, rows, &group.name)?;
            groups_without.extend(without.map(|of| (Subject::Group(index), of)));
            groups.push(one_zero(values));
        }
        let arguments: Vec<Argument> =
            program.measures.iter().map(|measure| Argument::of(measure, rows)).collect::<Result<_, _>>()?;
        let of_measures = arguments.iter().filter_map(|argument| argument.without.as_ref());
        let marked = of_measures.chain(groups_without.iter().map(|(_, of)| of)).map(Without::any);
        let marked = marked.reduce(|all, next| &all | &next);
        let oversize = oversize(&groups, &arguments);
        Ok(Self {
            ids: hash_ids(rows.column(program.event_id))?,
            sound: sound(program, rows, &times, &checks, oversize.as_ref()),
            oversize,
            passes: filter.map(|filter| known_true(&filter)),
            latencies,
            groups: index.number(&groups, rows.num_rows())?,
            arguments,
            checks,
            without,
            groups_without,
            marked,
            times,
        })
    }

    /// The first rule with a consequence for the record that row `row` breaks.
    pub(crate) fn broken_rule(&self, program: &Program, row: usize) -> Option<usize> {
        let breaks = |check: &BooleanArray| check.is_valid(row) && !check.value(row);
        let mut rules = program.rules.iter().zip(&self.checks);
        rules.position(|(rule, check)| rule.consequence != Consequence::Report && check.as_ref().is_some_and(breaks))
    }
}

/// Per decodable record of a fetch: whether it is judged-valid, which no other record has a part in.
pub(crate) struct Validity<'a> {
    offsets: &'a [i64],
    /// Where there is none there is no window.
    times: Times,
    valid: Vec<bool>,
    /// The rows that a rule stops, with the rule.
    stopped: Vec<(usize, usize)>,
}

impl<'a> Validity<'a> {
    pub(crate) fn of(program: &Program, fetch: &Fetch<'a>) -> Result<Self, Error> {
        let times = Times::of(program.event_time, fetch.rows, "event time")?;
        let latencies = latencies(program, fetch.rows, &times)?;
        let strict = |rule: &Rule| match rule.consequence {
            Consequence::Report => Ok(None),
            Consequence::Refuse | Consequence::Stop => check(rule, fetch.rows, latencies.as_ref()),
        };
        let checks = program.rules.iter().map(strict).collect::<Result<Vec<_>, _>>()?;
        let groups = groups_of(program, fetch.rows)?;
        let arguments =
            program.measures.iter().map(|measure| Argument::of(measure, fetch.rows)).collect::<Result<Vec<_>, _>>()?;
        let present = sound(program, fetch.rows, &times, &[], oversize(&groups, &arguments).as_ref());
        let (mut valid, mut stopped) = (Vec::with_capacity(fetch.offsets.len()), Vec::new());
        for (row, time) in times.millis.iter().enumerate() {
            let breaks = |check: &BooleanArray| check.is_valid(row) && !check.value(row);
            let is_there = present.as_ref().is_none_or(|present| present.value(row))
                && program.may_be(EventTime(*time), LogTime(fetch.log_times[row]));
            let broken = checks.iter().position(|check| check.as_ref().is_some_and(breaks)).filter(|_| is_there);
            stopped.extend(
                broken.filter(|rule| program.rules[*rule].consequence == Consequence::Stop).map(|rule| (row, rule)),
            );
            valid.push(is_there && broken.is_none());
        }
        Ok(Self { offsets: fetch.offsets, times, valid, stopped })
    }

    /// Offset and event time of each.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, Option<i64>)> + '_ {
        let time = |row: usize| self.times.is_known(row).then_some(self.times.millis[row]);
        self.offsets.iter().enumerate().map(move |(row, offset)| (*offset, time(row)))
    }

    /// The position at which a lane will have sealed everything up to `closes` whose watermark is `watermark` before these records, if
    /// they lead to it.
    pub(crate) fn reaches(&self, mut watermark: EventTime, program: &Program, closes: EventTime) -> Option<Offset> {
        let closing = |row: &usize| {
            if self.valid[*row] {
                watermark = watermark.max(EventTime(self.times.millis[*row]).minus(program.delay));
            }
            watermark >= closes
        };
        (0..self.valid.len()).find(closing).map(|row| Offset(self.offsets[row] + 1))
    }

    /// The first of the records that `own` accepts before which a rule stops.
    pub(crate) fn stops(&self, own: impl Fn(i64) -> bool) -> Option<Halt> {
        let halt =
            |(row, rule): &(usize, usize)| Halt { offset: Offset(self.offsets[*row]), cause: Cause::Rule(*rule) };
        let mut stopped = self.stopped.iter().map(halt);
        stopped.find(|halt| own(halt.offset.0))
    }
}

/// What a rule says of each record by itself.
fn check(rule: &Rule, rows: &RecordBatch, latencies: Option<&Latencies>) -> Result<Option<BooleanArray>, Error> {
    match &rule.check {
        Check::Rows(check) => evaluate_boolean(check, rows, &rule.name).map(|(check, _)| Some(check)),
        Check::Latency(most) => Ok(latencies.map(|latencies| latencies.at_most(*most))),
        Check::Unique | Check::Volume(_) => Ok(None),
    }
}

/// The grouping values of the rows.
fn groups_of(program: &Program, rows: &RecordBatch) -> Result<Vec<ArrayRef>, Error> {
    program.groups.iter().map(|group| Ok(one_zero(evaluate(&group.value, rows, &group.name)?.values))).collect()
}

fn sound(
    program: &Program,
    rows: &RecordBatch,
    times: &Times,
    checks: &[Option<BooleanArray>],
    oversize: Option<&BooleanBuffer>,
) -> Option<BooleanBuffer> {
    let ids = rows.column(program.event_id).logical_nulls();
    let present = [ids.as_ref(), times.known.as_ref()].into_iter().flatten();
    let present = present.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.inner().clone());
    let strict = program.rules.iter().zip(checks).filter(|(rule, _)| rule.consequence != Consequence::Report);
    let broken = strict.filter_map(|(_, check)| check.as_ref()).filter(|check| check.false_count() > 0);
    let kept = broken.map(|check| match check.nulls() {
        Some(nulls) => check.values() | &!nulls.inner(),
        None => check.values().clone(),
    });
    present.chain(kept).chain(oversize.map(|oversize| !oversize)).reduce(|all, next| &all & &next)
}

fn latencies(program: &Program, rows: &RecordBatch, event: &Times) -> Result<Option<Latencies>, Error> {
    let Some(ingest) = program.ingest_time else { return Ok(None) };
    let ingest = Times::of(ingest, rows, "ingest time")?;
    let holds = |time: i64| program.times.holds(EventTime(time));
    Ok(Some(Latencies::of(&ingest, event, holds)))
}

/// XXH3-128 over the id's bytes (text, binary) or its little-endian value; other types by their canonical row bytes.
fn hash_ids(column: &ArrayRef) -> Result<Vec<u128>, Error> {
    Ok(match column.data_type() {
        DataType::Utf8 => {
            let ids = column.as_string::<i32>();
            let (bytes, ends) = (ids.value_data(), ids.value_offsets());
            ends.windows(2).map(|range| xxh3_128(&bytes[range[0] as usize..range[1] as usize])).collect()
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().values().iter().map(|id| hash_integer(*id)).collect(),
        DataType::Int32 => {
            column.as_primitive::<Int32Type>().values().iter().map(|id| hash_integer(i64::from(*id))).collect()
        }
        DataType::FixedSizeBinary(_) => {
            let ids = column.as_fixed_size_binary();
            (0..ids.len()).map(|row| xxh3_128(ids.value(row))).collect()
        }
        other => {
            let converter =
                RowConverter::new(vec![SortField::new(other.clone())]).map_err(Error::arrow("read event ids"))?;
            let rows =
                converter.convert_columns(std::slice::from_ref(column)).map_err(Error::arrow("read event ids"))?;
            rows.iter().map(|row| xxh3_128(row.data())).collect()
        }
    })
}

fn hash_integer(id: i64) -> u128 {
    xxh3_128(&id.to_le_bytes())
}

//! Programs over the columns of a [`super::Log`]: every expression is a column.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use stream_core::{
    BatchCut, Check, Computed, Consequence, EventTime, Expression, Function, Group, Measure, Program, Rule, TimeBounds,
    TimeColumn, Windows, Written,
};

use crate::model::{GROUP_COLUMNS, Params, VALUE_COLUMNS};

pub(super) const ID: usize = 0;
pub(super) const TIME: usize = 1;
pub(super) const INGEST: usize = 2;
pub(super) const FILTER: usize = 3;
pub(super) const GROUPS: usize = 4;
pub(super) const VALUES: usize = GROUPS + GROUP_COLUMNS;
pub(super) const RULES: usize = VALUES + VALUE_COLUMNS;

/// The types of the values: money, and a plain integer.
pub(super) const VALUE_TYPES: [DataType; VALUE_COLUMNS] = [DataType::Decimal128(20, 2), DataType::Int64];
/// The types of their averages: four more digits.
const AVERAGE_TYPES: [DataType; VALUE_COLUMNS] = [DataType::Decimal128(38, 6), DataType::Decimal128(38, 4)];
/// The types of their sums.
const SUM_TYPES: [DataType; VALUE_COLUMNS] = [DataType::Decimal128(38, 2), DataType::Int64];
/// How many samples of each rule's violations a report carries at the most.
pub(super) const SAMPLES: usize = 2;

/// What a program depends on besides the columns.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The oracle's numbers.
    pub params: Params,
    /// Partitions of the partials topic.
    pub outputs: u32,
    /// Whether late records are refused, or only counted.
    pub late_to_dead_letter: bool,
}

/// The program of `setting`: grouped by every grouping column, with `count(*)` and, for each value, its `count`, `sum`,
/// `min`, `max` and `avg`.
pub fn program(setting: &Setting) -> Arc<Program> {
    let params = &setting.params;
    let rule = |(index, dead_letter): (usize, &bool)| Rule {
        name: format!("rule-{index}"),
        expected: "to be true".to_owned(),
        check: Check::Rows(column(RULES + index)),
        consequence: if *dead_letter { Consequence::Refuse } else { Consequence::Report },
        columns: vec![RULES + index],
        nulls_alone: false,
    };
    let group =
        |index: usize| Group { name: format!("g{index}"), value: column(GROUPS + index), data_type: DataType::Utf8 };
    let everything = measure("records", Function::Count, None, DataType::Null, DataType::Int64);
    let windows = Windows { size: params.window, offset: params.window_offset };
    let time = |column, written| TimeColumn { column, written };
    Arc::new(Program {
        event_id: ID,
        event_time: time(TIME, Written::Timestamp(TimeUnit::Millisecond)),
        ingest_time: Some(time(INGEST, Written::Plain(TimeUnit::Millisecond))),
        delay: params.delay,
        times: TimeBounds::new(EventTime(params.earliest), params.max_future_skew, &windows),
        windows,
        filter: Some(column(FILTER)),
        rules: params.dead_letter.iter().enumerate().map(rule).collect(),
        redacted: Vec::new(),
        groups: (0..GROUP_COLUMNS).map(group).collect(),
        measures: std::iter::once(everything).chain((0..VALUE_COLUMNS).flat_map(measures_of)).collect(),
        batch: BatchCut { interval: params.batch_interval, max_records: params.batch_max_records, samples: SAMPLES },
        outputs: setting.outputs,
        late_to_dead_letter: setting.late_to_dead_letter,
        ignore_nulls: false,
        guard: None,
    })
}

fn measures_of(value: usize) -> [Measure; 5] {
    let (input, sum, average) = (&VALUE_TYPES[value], &SUM_TYPES[value], &AVERAGE_TYPES[value]);
    let functions = [
        ("count", Function::Count, &DataType::Int64),
        ("sum", Function::Sum, sum),
        ("min", Function::Min, input),
        ("max", Function::Max, input),
        ("avg", Function::Avg, average),
    ];
    functions.map(|(name, function, output)| {
        measure(&format!("{name}_v{value}"), function, Some(column(VALUES + value)), input.clone(), output.clone())
    })
}

fn measure(name: &str, function: Function, argument: Option<Computed>, input: DataType, output: DataType) -> Measure {
    Measure { name: name.to_owned(), function, argument, predicate: None, input, output }
}

fn column(index: usize) -> Computed {
    (Arc::new(Column::new("c", index)) as Expression).into()
}

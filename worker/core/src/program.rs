//! What a lane executes: the meaning of a pipeline, compiled. The worker makes it from a plan; nothing here is checked
//! again.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use serde::{Deserialize, Serialize};

use crate::sums::Summed;
use crate::times::{TimeBounds, TimeColumn};
use crate::units::{EventTime, LogTime};
use crate::window::Windows;

/// A compiled scalar expression over the decoded rows.
pub type Expression = Arc<dyn PhysicalExpr>;

/// An expression that has a value or null for every row, and says which nulls stand for what could not be computed.
#[derive(Debug, Clone)]
pub struct Computed {
    /// The value; null also where it can not be computed.
    pub value: Expression,
    /// Boolean. Asked only over rows whose value is null: true where it is null because it can not be computed, not because
    /// something that it reads is null. `None` for an expression that can always be computed.
    pub no_value: Option<Expression>,
    /// Columns that it reads, ascending.
    pub columns: Vec<usize>,
    /// Those of them that are floating-point fields.
    pub floats: Vec<usize>,
}

impl From<Expression> for Computed {
    /// One that can always be computed and reads no floating-point field.
    fn from(value: Expression) -> Self {
        let mut columns: Vec<usize> = collect_columns(&value).iter().map(Column::index).collect();
        columns.sort_unstable();
        Self { value, no_value: None, columns, floats: Vec::new() }
    }
}

impl std::fmt::Display for Computed {
    /// Everything that decides what it gives.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.value)?;
        if let Some(no_value) = &self.no_value {
            write!(formatter, " unless {no_value}")?;
        }
        Ok(())
    }
}

/// Everything that decides verdicts and aggregates. Times and spans are milliseconds.
#[derive(Debug)]
pub struct Program {
    /// Column of the event id.
    pub event_id: usize,
    /// The event time.
    pub event_time: TimeColumn,
    /// The ingest time, for latencies.
    pub ingest_time: Option<TimeColumn>,
    /// How far the watermark stays behind the largest event time.
    pub delay: i64,
    /// Which event times are refused.
    pub times: TimeBounds,
    /// The window grid.
    pub windows: Windows,
    /// Records for which this is not true are filtered.
    pub filter: Option<Computed>,
    /// The quality rules in manifest order.
    pub rules: Vec<Rule>,
    /// Columns whose values no sample shows.
    pub redacted: Vec<usize>,
    /// The grouping columns.
    pub groups: Vec<Group>,
    /// The measures.
    pub measures: Vec<Measure>,
    /// Where batches are cut.
    pub batch: BatchCut,
    /// Partitions of the partials topic (`Q`), at least one.
    pub outputs: u32,
    /// Whether late records go to the dead-letter topic; they are counted in any case.
    pub late_to_dead_letter: bool,
    /// Whether records without a value are ignored; otherwise they can not be decoded.
    pub ignore_nulls: bool,
    /// From which share of dead letters on a lane stops; `None`: never. It decides no verdict.
    pub guard: Option<Guard>,
}

/// When too many records of a batch have become dead letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    /// Dead letters per million records that are not ignored; more are too many.
    pub most: u32,
    /// Of fewer records a share says nothing; positive.
    pub at_least: u64,
}

impl Guard {
    /// Whether so many dead letters of so many records are too many.
    pub fn stops(&self, letters: u64, records: u64) -> bool {
        let too_many = u128::from(letters) * 1_000_000 > u128::from(self.most) * u128::from(records);
        records >= self.at_least && too_many
    }

    /// So many records can follow without the guard stopping before the last of them, whatever they are; at least one.
    pub(crate) fn patience(&self, letters: u64, records: u64) -> u64 {
        // The least n with (letters + n) * 10^6 > most * (records + n).
        let (all, most) = (1_000_000, i128::from(self.most));
        let margin = most * i128::from(records) - all * i128::from(letters);
        let until_many = match all - most {
            gain if gain > 0 => margin.div_euclid(gain).saturating_add(1),
            _ => i128::from(u64::MAX),
        };
        let until_enough = i128::from(self.at_least) - i128::from(records);
        until_many.max(until_enough).clamp(1, i128::from(u64::MAX)) as u64
    }
}

/// An expression of a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// The rule with this index.
    Rule(usize),
    /// The filter.
    Filter,
    /// The grouping column with this index.
    Group(usize),
    /// The argument and the predicate of the measure with this index.
    Measure(usize),
}

/// A quality rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// What is allowed, in words; becomes the dead letter's message.
    pub expected: String,
    /// What is checked.
    pub check: Check,
    /// What a violation leads to.
    pub consequence: Consequence,
    /// Columns whose values a sample shows, ascending.
    pub columns: Vec<usize>,
    /// Whether a sample shows only those of them that are null.
    pub nulls_alone: bool,
}

/// What a rule looks at.
#[derive(Debug)]
pub enum Check {
    /// Each record by itself. Boolean over the rows: true passes, false violates, null passes and counts as skipped.
    Rows(Computed),
    /// Ingest time minus event time: at most so many milliseconds. Null where one of them is no time.
    Latency(i64),
    /// The ids: a Duplicate violates, a Counted record passes, others are skipped. Only to be reported.
    Unique,
    /// How many records a batch has. Only to be reported; evaluated and violated by batches.
    Volume(Volume),
}

/// How many records a batch may have, in percent of the median of the batches before it on its partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Fewer are a violation.
    pub least: Option<u32>,
    /// More are a violation.
    pub most: Option<u32>,
    /// Of how many batches the median is taken; positive.
    pub batches: usize,
}

/// What a violation leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consequence {
    /// The record is Invalid.
    Refuse,
    /// It is counted.
    Report,
    /// The partition stops before the record.
    Stop,
}

/// A grouping column.
#[derive(Debug)]
pub struct Group {
    /// Output column name.
    pub name: String,
    /// Its value for a row.
    pub value: Computed,
    /// Its type.
    pub data_type: DataType,
}

/// An aggregate function; all are independent of the order of records. Arguments that are NaN or infinite are left out as nulls are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// Rows (`count(*)`), or rows whose argument is a value.
    Count,
    /// Exact sum of the arguments that are not null, rounded once, at publication, where its column has not all of its digits; null when
    /// there is none.
    Sum,
    /// Smallest argument.
    Min,
    /// Largest argument.
    Max,
    /// Exact sum and count, divided at publication, rounded once, half to even.
    Avg,
}

/// A measure: one aggregate over a scalar argument.
#[derive(Debug)]
pub struct Measure {
    /// Output column name.
    pub name: String,
    /// What is folded.
    pub function: Function,
    /// The argument; `None` only for `count(*)`.
    pub argument: Option<Computed>,
    /// Only rows for which this is true are folded.
    pub predicate: Option<Computed>,
    /// Type of the argument's values; `Null` for `count(*)`.
    pub input: DataType,
    /// Type of the published column.
    pub output: DataType,
}

/// Where batches are cut: a record's key is (log time ÷ `interval`, offset ÷ `max_records`), rounded down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchCut {
    /// Milliseconds of log time; positive.
    pub interval: i64,
    /// Offsets; positive.
    pub max_records: i64,
    /// How many samples of each rule's violations a report carries at the most.
    pub samples: usize,
}

impl Program {
    /// What may have no value for a record, in the order of [`Subject`].
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let rules = (0..self.rules.len()).map(Subject::Rule);
        let groups = (0..self.groups.len()).map(Subject::Group);
        rules.chain([Subject::Filter]).chain(groups).chain((0..self.measures.len()).map(Subject::Measure))
    }

    /// The place of `subject` among [`Self::subjects`].
    pub(crate) fn place(&self, subject: Subject) -> usize {
        let (rules, groups) = (self.rules.len(), self.groups.len());
        match subject {
            Subject::Rule(rule) => rule,
            Subject::Filter => rules,
            Subject::Group(group) => rules + 1 + group,
            Subject::Measure(measure) => rules + 1 + groups + measure,
        }
    }

    /// Columns that a sample of `subject` shows, ascending.
    pub(crate) fn columns_of(&self, subject: Subject) -> Vec<usize> {
        let of = |expressions: &[Option<&Computed>]| {
            let expressions = expressions.iter().flatten();
            let mut columns: Vec<usize> = expressions.flat_map(|computed| computed.columns.iter().copied()).collect();
            columns.sort_unstable();
            columns.dedup();
            columns
        };
        match subject {
            Subject::Rule(rule) => self.rules[rule].columns.clone(),
            Subject::Filter => of(&[self.filter.as_ref()]),
            Subject::Group(group) => of(&[Some(&self.groups[group].value)]),
            Subject::Measure(measure) => {
                let measure = &self.measures[measure];
                of(&[measure.argument.as_ref(), measure.predicate.as_ref()])
            }
        }
    }

    /// Whether a record with this log time may have this event time.
    #[inline]
    pub fn may_be(&self, time: EventTime, log_time: LogTime) -> bool {
        self.times.holds(time) && !self.times.is_ahead(time, log_time)
    }

    /// A digest of everything that decides what a lane remembers and folds, hexadecimal.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: String| {
            hasher.update(text.as_bytes()).update(b"\n");
        };
        let (delay, times, grid, batch) = (self.delay, self.times, self.windows, self.batch);
        add(format!("{} {:?} {:?} {delay} {times:?}", self.event_id, self.event_time, self.ingest_time));
        add(format!(
            "{grid:?} {batch:?} {:?} {} {} {}",
            self.redacted, self.outputs, self.late_to_dead_letter, self.ignore_nulls
        ));
        add(self.filter.as_ref().map_or_else(String::new, ToString::to_string));
        for Rule { name, check, consequence, columns, nulls_alone, .. } in &self.rules {
            let check = match check {
                Check::Rows(check) => check.to_string(),
                Check::Latency(most) => format!("latency {most}"),
                Check::Unique => "unique".to_owned(),
                Check::Volume(volume) => format!("{volume:?}"),
            };
            add(format!("{name} {check} {consequence:?} {columns:?} {nulls_alone}"));
        }
        self.groups.iter().for_each(|group| add(format!("{} {} {}", group.name, group.value, group.data_type)));
        for measure in &self.measures {
            let Measure { name, function, argument, predicate, input, output } = measure;
            let text = |expression: &Option<Computed>| expression.as_ref().map(ToString::to_string);
            add(format!("{name} {function:?} {:?} {:?} {input} {output}", text(argument), text(predicate)));
        }
        crate::units::Digest::of(&hasher).to_string()
    }

    /// Grouping columns, then the state columns of each measure: the rows of a partial.
    pub fn partial_schema(&self) -> SchemaRef {
        let groups = self.groups.iter().map(Group::field);
        let states = self.measures.iter().flat_map(|measure| {
            let name = &measure.name;
            measure.state_types().into_iter().map(move |(part, kind)| Field::new(format!("{name}.{part}"), kind, true))
        });
        Arc::new(Schema::new(groups.chain(states).collect::<Vec<_>>()))
    }
}

impl Group {
    /// The column as it stands in partials and in gold.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.data_type.clone(), true)
    }
}

impl Measure {
    /// Names and types of the accumulator's state columns.
    pub(crate) fn state_types(&self) -> Vec<(&'static str, DataType)> {
        let sum = ("sum", Summed::of(&self.input).state_type());
        let count = ("count", DataType::Int64);
        match self.function {
            Function::Count => vec![count],
            Function::Sum => vec![sum],
            Function::Avg => vec![sum, count],
            Function::Min => vec![("min", self.extreme_type())],
            Function::Max => vec![("max", self.extreme_type())],
        }
    }

    /// Extremes of text keep text; all others are kept as their integer value.
    fn extreme_type(&self) -> DataType {
        if self.input == DataType::Utf8 { DataType::Utf8 } else { DataType::Decimal128(38, 0) }
    }
}

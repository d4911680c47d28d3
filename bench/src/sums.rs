//! What a value costs in a running total: the core with one measure more than without it, on one thread.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use stream_core::{
    BatchCut, EventTime, Expression, Fetch, Function, Lane, Measure, Offset, Program, Progress, TimeBounds, TimeColumn,
    Windows, Written,
};

use crate::cpu;

/// Times of each measurement, of which the shortest is told: others on the machine only make it longer.
const ROUNDS: usize = 5;

/// What is summed, and nanoseconds per value.
pub fn run(values: usize, fetch: usize) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let number = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let doubles = |value: &dyn Fn(u64) -> f64| -> ArrayRef {
        Arc::new((0..values).map(|at| value(number(at))).collect::<Float64Array>())
    };
    let cents = |number: u64| (number >> 44) as f64 / 100.0;
    let spread = |number: u64| f64::from_bits((number >> 1) % (0x7fe << 52));
    let decimals = (0..values).map(|at| i128::from(number(at) >> 32)).collect::<Decimal128Array>();
    let cases: [(&str, ArrayRef, DataType); 4] = [
        ("long", Arc::new((0..values).map(|at| (number(at) >> 24) as i64).collect::<Int64Array>()), DataType::Int64),
        ("decimal", Arc::new(decimals), DataType::Decimal128(38, 10)),
        ("double, prices", doubles(&cents), DataType::Float64),
        ("double, of every magnitude", doubles(&spread), DataType::Float64),
    ];
    let mut found = Vec::new();
    for (name, column, output) in cases {
        let cost = |with_sum: bool| -> anyhow::Result<Duration> {
            let runs = (0..ROUNDS).map(|_| fold(&column, &output, with_sum, fetch));
            Ok(runs.collect::<anyhow::Result<Vec<_>>>()?.into_iter().min().unwrap_or_default())
        };
        let (with, without) = (cost(true)?, cost(false)?);
        found.push((name, (with.as_nanos() as f64 - without.as_nanos() as f64) / values as f64));
    }
    Ok(found)
}

/// Processor time of folding the column into one window, beside a count.
fn fold(column: &ArrayRef, output: &DataType, with_sum: bool, fetch: usize) -> anyhow::Result<Duration> {
    let count = column.len();
    let offsets: Vec<i64> = (0..count as i64).collect();
    let (ids, times) = (Int64Array::from(offsets.clone()), Int64Array::from(vec![5; count]));
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), column.clone()];
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    let rows = RecordBatch::try_new(Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())), columns)?;
    let mut lane = Lane::resume(Arc::new(program(column.data_type(), output, with_sum)), &Progress::start(Offset(0)))?;
    let log_times = vec![0; fetch];
    let started = cpu::thread();
    for from in (0..count).step_by(fetch) {
        let end = (from + fetch).min(count);
        lane.feed(&Fetch {
            rows: &rows.slice(from, end - from),
            offsets: &offsets[from..end],
            log_times: &log_times[..end - from],
            undecodable: &[],
            end: Offset(end as i64),
        })?;
    }
    Ok(cpu::thread().saturating_sub(started))
}

fn program(input: &DataType, output: &DataType, with_sum: bool) -> Program {
    let argument: Expression = Arc::new(Column::new("c", 2));
    let count = Measure {
        name: "count".to_owned(),
        function: Function::Count,
        argument: None,
        predicate: None,
        input: DataType::Null,
        output: DataType::Int64,
    };
    let sum = Measure {
        name: "sum".to_owned(),
        function: Function::Sum,
        argument: Some(argument.into()),
        predicate: None,
        input: input.clone(),
        output: output.clone(),
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
        rules: Vec::new(),
        redacted: Vec::new(),
        groups: Vec::new(),
        measures: [count].into_iter().chain(with_sum.then_some(sum)).collect(),
        batch: BatchCut { interval: 1000, max_records: i64::MAX, samples: 0 },
        outputs: 1,
        late_to_dead_letter: true,
        ignore_nulls: false,
        guard: None,
    }
}

//! A pipeline without groups over one column of any type, for the arithmetic alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use stream_core::{
    BatchCut, Collector, CollectorProgress, Computed, Emission, Emissions, Error, EventTime, Expression, Fetch,
    Function, Lane, Measure, Message, Offset, Partition, Program, Progress, Published, TimeBounds, TimeColumn, Windows,
    Written,
};

/// Records in a fetch.
const FETCH: usize = 7;

fn column(index: usize) -> Computed {
    (Arc::new(Column::new("c", index)) as Expression).into()
}

/// `function` over the column, published as `output`.
pub fn measure(function: Function, input: &DataType, output: &DataType) -> Measure {
    Measure {
        name: format!("{function:?}").to_lowercase(),
        function,
        argument: Some(column(2)),
        predicate: None,
        input: input.clone(),
        output: output.clone(),
    }
}

/// What is published of one window that holds all values, a column for each measure; nothing if there is no record. With
/// `flags`, only rows whose flag is true are folded.
pub fn fold(
    measures: Vec<Measure>,
    values: &[ArrayRef; 2],
    flags: Option<&[BooleanArray; 2]>,
) -> Result<Vec<ArrayRef>, Error> {
    let published = publish(measures, values, flags, FETCH)?;
    Ok(published.map(|published| published.rows.columns()[2..].to_vec()).unwrap_or_default())
}

/// The one window that holds all values of any number of partitions, read `fetch` records at a time; nothing if there is no record.
pub fn publish(
    mut measures: Vec<Measure>,
    values: &[ArrayRef],
    flags: Option<&[BooleanArray; 2]>,
    fetch: usize,
) -> Result<Option<Published>, Error> {
    if flags.is_some() {
        for measure in &mut measures {
            measure.predicate = Some(column(3));
        }
    }
    let program = Arc::new(program(measures));
    let mut collector = Collector::resume(program.clone(), &CollectorProgress::start(Offset(0), values.len()));
    let mut at = 0;
    for (partition, values) in values.iter().enumerate() {
        let every: BooleanArray = std::iter::repeat_n(Some(true), values.len()).collect();
        let flags = flags.map_or(every, |flags| flags[partition].clone());
        for item in read(&program, values, flags, fetch)?.items {
            let from = Message { at: Offset(at), partition: Partition(partition as i32), incarnation: 1 };
            at += 1;
            match item {
                Emission::Partial(partial) => collector.partial(from, partial),
                Emission::Seal(seal) => collector.seal(from, &seal),
                Emission::Report(_) => {}
            }
        }
    }
    Ok(collector.complete()?.pop())
}

fn read(program: &Arc<Program>, values: &ArrayRef, flags: BooleanArray, fetch: usize) -> Result<Emissions, Error> {
    let count = values.len();
    let offsets: Vec<i64> = (0..count as i64).collect();
    let (ids, times) = (Int64Array::from(offsets.clone()), Int64Array::from(vec![5; count]));
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(times), values.clone(), Arc::new(flags)];
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let rows = RecordBatch::try_new(schema, columns).expect("the columns are equally long");

    let mut lane = Lane::resume(program.clone(), &Progress::start(Offset(0)))?;
    for from in (0..count).step_by(fetch) {
        let end = (from + fetch).min(count);
        lane.feed(&Fetch {
            rows: &rows.slice(from, end - from),
            offsets: &offsets[from..end],
            log_times: &vec![0; end - from],
            undecodable: &[],
            end: Offset(end as i64),
        })?;
    }
    Ok(lane.decree(EventTime(10))?.emissions)
}

fn program(measures: Vec<Measure>) -> Program {
    let windows = Windows { size: 10, offset: 0 };
    Program {
        event_id: 0,
        event_time: TimeColumn { column: 1, written: Written::Plain(TimeUnit::Millisecond) },
        ingest_time: None,
        delay: 10,
        times: TimeBounds::new(EventTime(0), 10, &windows),
        windows,
        filter: None,
        rules: Vec::new(),
        redacted: Vec::new(),
        groups: Vec::new(),
        measures,
        batch: BatchCut { interval: 1000, max_records: 1000, samples: 0 },
        outputs: 1,
        late_to_dead_letter: true,
        ignore_nulls: false,
        guard: None,
    }
}

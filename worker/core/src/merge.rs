//! Merging the partials of a window into its published rows.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::accumulate::Accumulator;
use crate::error::Error;
use crate::finish::finish;
use crate::fold::batch;
use crate::groups::GroupIndex;
use crate::program::{Group, Program};
use crate::units::EventTime;
use crate::window::Window;

impl Program {
    /// The columns of a gold file: window start and end, the groups, the measures.
    pub fn gold_schema(&self) -> SchemaRef {
        let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false);
        let bounds = [time("window_start"), time("window_end")];
        let groups = self.groups.iter().map(Group::field);
        let measures = self.measures.iter().map(|measure| Field::new(&measure.name, measure.output.clone(), true));
        Arc::new(Schema::new(bounds.into_iter().chain(groups).chain(measures).collect::<Vec<_>>()))
    }
}

/// A value that its column cannot hold: it is published as null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overflow {
    /// The measure.
    pub measure: String,
    /// The row.
    pub row: u32,
}

/// The published rows of `window`, sorted by group, from the rows of its parts, and what does not fit them, by measure and row.
pub(crate) fn merge<'a>(
    program: &Program,
    window: Window,
    parts: impl Iterator<Item = &'a RecordBatch>,
) -> Result<(RecordBatch, Vec<Overflow>), Error> {
    let types: Vec<_> = program.groups.iter().map(|group| group.data_type.clone()).collect();
    let mut groups = GroupIndex::new(&types)?;
    let mut accumulators: Vec<_> = program.measures.iter().map(Accumulator::new).collect();
    for rows in parts {
        let (keys, mut states) = rows.columns().split_at(types.len());
        let cells = groups.number(keys, rows.num_rows())?;
        for (accumulator, measure) in accumulators.iter_mut().zip(&program.measures) {
            let (state, rest) = states.split_at(measure.state_types().len());
            accumulator.resize(groups.len());
            accumulator.merge(&cells, state);
            states = rest;
        }
    }
    let mut order: Vec<u32> = (0..groups.len() as u32).collect();
    order.sort_unstable_by_key(|group| groups.bytes(*group));
    let mut columns = vec![constant(window.start, order.len()), constant(window.end, order.len())];
    columns.extend(groups.columns(order.iter().map(|group| groups.bytes(*group)))?);
    let mut overflow = Vec::new();
    for (accumulator, measure) in accumulators.iter().zip(&program.measures) {
        let finished = finish(measure, &accumulator.state(&order))?;
        columns.push(finished.column);
        overflow.extend(finished.overflow.into_iter().map(|row| Overflow { measure: measure.name.clone(), row }));
    }
    debug_assert!(columns.iter().all(|column| column.len() == order.len()), "every column has a row per group");
    Ok((batch(program.gold_schema(), columns, order.len())?, overflow))
}

fn constant(time: EventTime, rows: usize) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_value(time.0, rows).with_timezone("UTC"))
}

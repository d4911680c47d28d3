//! Typed expressions as `DataFusion`'s physical ones.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::concat;
use arrow_schema::{DataType, Schema};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;

use super::eval::{Rows, run};
use super::node::Node;

/// Rows that are computed at once where texts can grow, so that all of them together stay small.
const GROWING_ROWS: usize = 256;

/// What is asked of a typed expression, for each row.
#[derive(Debug)]
enum Asked {
    /// Its value.
    Value { grows: bool },
    /// Whether it is null because something could not be computed.
    NoValue,
}

/// A typed expression, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Physical {
    node: Arc<Node>,
    /// What it computes, in words that differ when that does.
    text: String,
    asked: Asked,
}

impl Physical {
    pub(super) fn new(node: Node) -> Self {
        Self { text: node.to_string(), asked: Asked::Value { grows: node.grows() }, node: Arc::new(node) }
    }

    /// Which of its nulls could not be computed: true there, false at nulls of fields. Nothing where each null is a field's.
    pub(crate) fn no_value(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let text = || format!("no value of {}", self.text);
        let no_value = || Self { node: Arc::clone(&self.node), text: text(), asked: Asked::NoValue };
        self.node.is_partial().then(|| Arc::new(no_value()) as Arc<dyn PhysicalExpr>)
    }

    fn values(&self, batch: &RecordBatch, grows: bool) -> Result<ColumnarValue> {
        let compute = |batch: &RecordBatch| run(&self.node, &Rows { batch, tracks: false })?.spread(batch.num_rows());
        if !grows || batch.num_rows() <= GROWING_ROWS {
            return Ok(ColumnarValue::Array(compute(batch)?));
        }
        let parts = pieces(batch).map(|piece| compute(&piece));
        let parts = parts.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        Ok(ColumnarValue::Array(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?))
    }

    fn failures(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut parts = Vec::with_capacity(batch.num_rows());
        for piece in pieces(batch) {
            parts.extend(run(&self.node, &Rows { batch: &piece, tracks: true })?.failures(piece.num_rows()).iter());
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(parts))))
    }
}

/// The batch, a few rows at a time.
fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let rows = batch.num_rows();
    (0..rows).step_by(GROWING_ROWS).map(move |from| batch.slice(from, GROWING_ROWS.min(rows - from)))
}

impl PhysicalExpr for Physical {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(match self.asked {
            Asked::Value { .. } => self.node.kind.clone(),
            Asked::NoValue => DataType::Boolean,
        })
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(matches!(self.asked, Asked::Value { .. }))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.asked {
            Asked::Value { grows } => self.values(batch, grows),
            Asked::NoValue => self.failures(batch),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Physical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Physical {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Physical {}

impl Hash for Physical {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

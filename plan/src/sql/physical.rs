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

/// The values of a typed expression.
#[derive(Debug)]
pub(crate) struct Physical {
    node: Arc<Node>,
    /// What it computes, in words that differ when that does.
    text: String,
    grows: bool,
}

impl Physical {
    pub(super) fn new(node: Node) -> Self {
        Self { text: node.to_string(), grows: node.grows(), node: Arc::new(node) }
    }

    /// Which of its nulls could not be computed: true there, false at nulls of fields. Nothing where each null is a field's.
    pub(crate) fn no_value(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let no_value = || NoValue { node: Arc::clone(&self.node), text: format!("no value of {}", self.text) };
        self.node.is_partial().then(|| Arc::new(no_value()) as Arc<dyn PhysicalExpr>)
    }
}

impl PhysicalExpr for Physical {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.node.kind.clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let compute = |batch: &RecordBatch| run(&self.node, &Rows { batch, tracks: false })?.spread(batch.num_rows());
        let rows = batch.num_rows();
        if !self.grows || rows <= GROWING_ROWS {
            return Ok(ColumnarValue::Array(compute(batch)?));
        }
        let parts = (0..rows).step_by(GROWING_ROWS);
        let parts = parts.map(|from| compute(&batch.slice(from, GROWING_ROWS.min(rows - from))));
        let parts = parts.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
        Ok(ColumnarValue::Array(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?))
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

/// Where a typed expression is null because something could not be computed.
#[derive(Debug)]
struct NoValue {
    node: Arc<Node>,
    text: String,
}

impl PhysicalExpr for NoValue {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let mut parts = Vec::new();
        for from in (0..rows).step_by(GROWING_ROWS) {
            let batch = batch.slice(from, GROWING_ROWS.min(rows - from));
            let failures = run(&self.node, &Rows { batch: &batch, tracks: true })?.failures(batch.num_rows());
            parts.extend(failures.iter());
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(parts))))
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

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for NoValue {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NoValue {}

impl Hash for NoValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

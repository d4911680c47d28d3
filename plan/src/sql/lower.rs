//! From a planned expression to a typed one, and to one that runs on record batches.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use datafusion_expr::Expr;

use super::build::{Builder, Misfit};
use super::node::{Node, Op};
use super::physical::Physical;
use crate::avro::Fields;

/// An expression over all fields of the schema, ready to become physical over some of them.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) node: Node,
    /// The fields that it reads.
    pub(crate) columns: BTreeSet<String>,
    pub(crate) data_type: DataType,
}

impl Lowered {
    fn of(node: Node) -> Self {
        Self { columns: node.fields(), data_type: node.kind.clone(), node }
    }

    /// The same value in another type, which must have one for each of them or be null.
    pub(crate) fn converted(self, to: &DataType) -> Self {
        if self.data_type == *to {
            return self;
        }
        Self { columns: self.columns, data_type: to.clone(), node: super::build::converted(self.node, to) }
    }

    /// The same value, but null for a time that no calendar has: no reader could show it.
    pub(crate) fn in_calendar(self) -> Self {
        let is_time = matches!(self.data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _));
        if !is_time || !self.node.args.is_empty() {
            return self;
        }
        let kind = self.data_type.clone();
        Self { node: Node::new(Op::Known, vec![self.node], kind), ..self }
    }

    /// The physical expression over a projection of the fields. `None`: a field is missing.
    pub(crate) fn physical(&self, projected: &Schema) -> Option<Arc<Physical>> {
        let placed = self.node.placed(&|name: &str| projected.index_of(name).ok())?;
        Some(Arc::new(Physical::new(placed)))
    }
}

/// Types an expression whose places are counted in `sql`.
pub(super) fn typed(expr: &Expr, fields: &Fields, sql: &str) -> Result<Lowered, Misfit> {
    Builder { fields, sql, finite: false }.build(expr).map(Lowered::of)
}

/// Types what a rule says about a field: floats that are not finite numbers are no value there.
pub(crate) fn about_field(expr: &Expr, fields: &Fields) -> Result<Lowered, Misfit> {
    Builder { fields, sql: "", finite: true }.build(expr).map(Lowered::of)
}

/// Types an expression that no person wrote.
pub(crate) fn lower(expr: &Expr, fields: &Fields) -> Result<Lowered, Misfit> {
    typed(expr, fields, "")
}

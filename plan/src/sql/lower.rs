//! From a typed expression to one that runs on record batches.
//!
//! Keeps true: literals take the column's type here, once, not the column the literal's for every row; and what remains of
//! casts and divisions gives null where it has no value, so no record can stop a partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::{BinaryExpr, Cast, TryCast};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, ExprSchemable, Operator, lit};
use datafusion_functions::core::expr_fn::nullif;
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};

use super::columns;
use crate::avro::Fields;

/// An expression over all fields of the schema, ready to become physical over some of them.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) expr: Expr,
    /// The fields that it reads as written, also where simplification found that it need not.
    pub(crate) columns: BTreeSet<String>,
    pub(crate) data_type: DataType,
}

/// Coerces, simplifies, makes total and tries out.
///
/// Expressions with explicit casts are not simplified: `DataFusion` would move `cast(amount as int) = 5` to
/// `amount = 5.00`, which is another condition.
pub(crate) fn lower(expr: Expr, fields: &Fields, explicit_casts: bool) -> Result<Lowered> {
    let columns = columns(&expr);
    let schema = Arc::new(fields.logical().clone());
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::clone(&schema)).build());
    let expr = expr.transform_up(|node| Ok(total_division(node, &schema))).map(|t| t.data)?;
    let mut expr = simplifier.coerce(expr, &schema)?;
    if !explicit_casts {
        expr = simplifier.simplify(expr)?;
    }
    let expr = expr.transform_up(|node| Ok(total_cast(node))).map(|t| t.data)?;
    let data_type = expr.get_type(&schema)?;
    try_out(physical(&expr, &schema)?.as_ref(), schema.as_arrow())?;
    Ok(Lowered { expr, columns, data_type })
}

/// `a / b` becomes `a / nullif(b, 0)` unless `b` is a literal other than zero.
fn total_division(node: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match node {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right })
            if !is_nonzero_literal(&right) && right.get_type(schema).is_ok_and(|t| t.is_numeric()) =>
        {
            let right = Box::new(nullif(*right, lit(0_i64)));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        other => Transformed::no(other),
    }
}

fn is_nonzero_literal(expr: &Expr) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| *value != zero) && !value.is_null()
}

/// `cast` becomes `try_cast`.
fn total_cast(node: Expr) -> Transformed<Expr> {
    match node {
        Expr::Cast(Cast { expr, field }) => Transformed::yes(Expr::TryCast(TryCast { expr, field })),
        other => Transformed::no(other),
    }
}

/// The physical expression over a projection of the fields.
pub(crate) fn physical(expr: &Expr, projected: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    create_physical_expr(expr, projected, &ExecutionProps::new())
}

/// Runs an expression on a row of nulls and on a row of zeros and empty strings, to find what would fail on every record.
fn try_out(expr: &dyn PhysicalExpr, schema: &Schema) -> Result<()> {
    let nulls = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let zeros = schema.fields().iter().map(|field| zero(field.data_type())).collect();
    let fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let schema = Arc::new(Schema::new(fields));
    for row in [nulls, zeros] {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), row, &options)?;
        expr.evaluate(&batch)?.into_array(1)?;
    }
    Ok(())
}

fn zero(data_type: &DataType) -> ArrayRef {
    // DataFusion 54 panics at the default value of a map.
    if data_type.is_nested() {
        return new_null_array(data_type, 1);
    }
    ScalarValue::new_default(data_type)
        .and_then(|value| value.to_array())
        .ok()
        .filter(|array| array.data_type() == data_type)
        .unwrap_or_else(|| new_null_array(data_type, 1))
}

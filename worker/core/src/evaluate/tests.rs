//! What a record does to an expression stays with that record.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Float64Array, Int64Array, StringArray};
use arrow_schema::{Field, Schema};
use datafusion_physical_expr::expressions::{CastExpr, Column, IsNullExpr};

use super::*;

fn rows(columns: Vec<ArrayRef>) -> RecordBatch {
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns).expect("the columns are equally long")
}

fn texts(values: &[Option<&str>]) -> RecordBatch {
    rows(vec![Arc::new(values.iter().copied().collect::<StringArray>())])
}

/// The column `index` as whole numbers; it fails for text that is none.
fn strict_cast(index: usize) -> Expression {
    Arc::new(CastExpr::new(Arc::new(Column::new("c", index)), DataType::Int64, None))
}

fn integers(evaluated: &Evaluated) -> Vec<Option<i64>> {
    evaluated.values.as_primitive::<Int64Type>().iter().collect()
}

fn rows_of(rows: &BooleanBuffer) -> Vec<usize> {
    rows.set_indices().collect()
}

#[test]
fn a_record_that_makes_an_expression_fail_has_no_value_and_the_others_have_theirs() {
    let rows = texts(&[Some("1"), Some("x"), None, Some("4"), Some(""), Some("6"), Some("7")]);
    let evaluated = evaluate(&strict_cast(0).into(), &rows, "n").expect("no record's value is an error");
    assert_eq!(integers(&evaluated), [Some(1), None, None, Some(4), None, Some(6), Some(7)]);
    let without = evaluated.without.expect("some have no value");
    assert_eq!(rows_of(&without.no_value), [1, 4], "what is absent is not counted");
    assert_eq!(rows_of(&without.not_finite), [0_usize; 0]);
}

#[test]
fn where_every_record_fails_all_are_null() {
    let bad = vec![Some("x"); 1000];
    let evaluated = evaluate(&strict_cast(0).into(), &texts(&bad), "n").expect("no record's value is an error");
    assert_eq!(evaluated.values.null_count(), 1000);
    assert_eq!(evaluated.without.expect("all have none").no_value.count_set_bits(), 1000);
    assert!(evaluate(&strict_cast(0).into(), &texts(&[]), "n").expect("nothing fails").without.is_none());
}

#[test]
fn what_fails_whatever_the_records_hold_is_an_error() {
    let missing: Expression = Arc::new(Column::new("c", 7));
    assert!(matches!(evaluate(&missing.into(), &texts(&[Some("1")]), "n"), Err(Error::Evaluate { .. })));
}

#[test]
fn what_is_not_finite_is_told_apart_from_what_can_not_be_computed() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None, Some(f64::NEG_INFINITY)]));
    let read: Expression = Arc::new(Column::new("c", 0));
    let evaluated = evaluate(&read.into(), &rows(vec![floats.clone()]), "f").expect("a column is there");
    assert_eq!(rows_of(&evaluated.without.expect("two are none").not_finite), [1, 3]);

    // A cast to a whole number fails for them; they are the reason.
    let both = rows(vec![floats, Arc::new(Int64Array::from(vec![1; 4]))]);
    let cast = Computed { value: strict_cast(0), no_value: None, columns: vec![0], floats: vec![0] };
    let evaluated = evaluate(&cast, &both, "f").expect("no record's value is an error");
    assert_eq!(integers(&evaluated), [Some(1), None, None, None]);
    let without = evaluated.without.expect("two are none");
    assert_eq!((rows_of(&without.no_value), rows_of(&without.not_finite)), (vec![], vec![1, 3]));
}

#[test]
fn an_expression_says_by_itself_which_nulls_it_could_not_compute() {
    let value: Expression = Arc::new(Column::new("c", 0));
    let absent: Expression = Arc::new(IsNullExpr::new(Arc::new(Column::new("c", 1))));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None, None, Some(4)])),
        Arc::new(Int64Array::from(vec![None, None, Some(3), None])),
    ];
    let computed = Computed { value, no_value: Some(absent), columns: vec![0, 1], floats: Vec::new() };
    let evaluated = evaluate(&computed, &rows(columns), "n").expect("columns are there");
    assert_eq!(rows_of(&evaluated.without.expect("one has none").no_value), [1], "only of rows that are null");
}

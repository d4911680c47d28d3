//! What expressions compute, held against an oracle that was written from `docs/concepts/values.md` alone: every operator and
//! function, on records of the ends of every type. A value is the oracle's, to the last digit, or null; a null that was made is
//! told apart from one that came in; nothing wraps, and nothing fails.
//!
//! A case is an expression on a record. `PROPTEST_CASES` sets how many there are: 256 stands for twenty thousand.

mod expression;
mod grow;
mod limits;
mod numbers;
mod oracle;
mod rows;
mod texts;
mod times;
mod types;
mod value;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType,
};
use plan::{ComputedPlan, Plan, Problems};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use schemas::spec::AnalyticsPipeline;

use expression::Expr;
use oracle::Row;
use value::{DAY, Type, Value};

const ROWS: usize = 40;
const QUICKSTART: &str = include_str!("../../../examples/revenue-5m.yaml");

/// The expression in a pipeline over the fields.
fn compile(sql: &str) -> Result<(Plan, DataType), Problems> {
    let mut manifest: serde_json::Value = serde_saphyr::from_str(QUICKSTART).expect("the quickstart reads");
    let spec = &mut manifest["spec"];
    spec["source"]["schema"]["avro"] = rows::SCHEMA.into();
    spec["source"]["eventId"] = "id".into();
    spec["source"]["eventTime"] = "ts".into();
    spec["source"].as_object_mut().expect("an object").remove("ingestTime");
    spec["quality"]["rules"] = serde_json::json!([]);
    spec["groupBy"] = serde_json::json!([]);
    spec["measures"] = serde_json::json!([{"name": "v", "expression": format!("count({sql})")}]);
    let pipeline: AnalyticsPipeline = serde_json::from_value(manifest).expect("the manifest keeps its shape");
    let plan = Plan::compile(&pipeline)?;
    let kind = plan.measures[0].argument_type.clone().expect("there is an argument");
    Ok((plan, kind))
}

/// What a plan computes over records, and which of its nulls could not be computed.
fn evaluate(argument: &ComputedPlan, batch: &RecordBatch) -> (ArrayRef, BooleanArray) {
    let run = |expr: &Arc<dyn datafusion_physical_expr::PhysicalExpr>| {
        expr.evaluate(batch).and_then(|value| value.into_array(batch.num_rows())).expect("expressions are total")
    };
    let failed = argument.no_value.as_ref().map(run);
    let none = || BooleanArray::from(vec![false; batch.num_rows()]);
    (run(&argument.value), failed.map_or_else(none, |failed| failed.as_boolean().clone()))
}

/// The oracle's type as the column's.
fn column_type(of: Type) -> DataType {
    match of {
        Type::Int => DataType::Int32,
        Type::Long => DataType::Int64,
        Type::Float => DataType::Float32,
        Type::Double | Type::Written => DataType::Float64,
        Type::Boolean => DataType::Boolean,
        Type::Text => DataType::Utf8,
        Type::Date => DataType::Date32,
        Type::Millis => DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        Type::Micros => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        Type::Decimal(scale) => DataType::Decimal128(38, scale as i8),
    }
}

fn same_type(of: Type, found: &DataType) -> bool {
    match (of, found) {
        (Type::Decimal(scale), DataType::Decimal128(_, found)) => i16::from(scale) == i16::from(*found),
        (of, found) => column_type(of) == *found,
    }
}

/// What stands in a row of a column.
fn found(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int32 => Value::Whole(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Whole(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(precision, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            assert!(
                value.unsigned_abs() < 10_u128.pow(u32::from(*precision)),
                "{value} has more than {precision} digits"
            );
            Value::Decimal(value.into(), *scale as u8)
        }
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Date32 => Value::Time(i128::from(array.as_primitive::<Date32Type>().value(row)) * DAY),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Value::Time(i128::from(array.as_primitive::<TimestampMillisecondType>().value(row)) * 1_000_000)
        }
        _ => Value::Time(i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000),
    }
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Null, Value::Null | Value::Failed) => true,
        // −0.0 is 0.0.
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).map_or(a.is_nan() && b.is_nan(), Ordering::is_eq),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b).map_or(a.is_nan() && b.is_nan(), Ordering::is_eq),
        (Value::Boolean(a), Value::Boolean(b)) => a == b,
        (Value::Whole(a), Value::Whole(b)) | (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Decimal(a, s), Value::Decimal(b, t)) => a == b && s == t,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => false,
    }
}

/// One expression on many records.
fn hold(expr: &Expr, rng: &mut ChaCha8Rng) -> Result<(), TestCaseError> {
    let sql = expr.to_string();
    let (compiled, expected) = (compile(&sql), types::check(expr));
    let (plan, of) = match (compiled, expected) {
        (Ok((plan, found)), Ok(of)) => {
            prop_assert!(same_type(of, &found), "{sql} is {found}, not {of:?}");
            (plan, of)
        }
        (Err(_), Err(_)) => return Ok(()),
        (Err(problems), Ok(of)) => return Err(TestCaseError::fail(format!("{sql}, {of:?}, is refused: {problems}"))),
        (Ok(_), Err(refused)) => return Err(TestCaseError::fail(format!("{sql} is not refused: {refused:?}"))),
    };
    let mut records = vec![Row::new(); ROWS];
    let columns = plan.arrow_schema.fields().iter().map(|field| {
        let name = rows::FIELDS.iter().copied().find(|name| name == field.name()).expect("a field");
        let (array, values) = rows::column(rng, name, ROWS);
        for (record, value) in records.iter_mut().zip(values) {
            record.insert(name, value);
        }
        array
    });
    let columns = columns.collect();
    let batch = RecordBatch::try_new(Arc::clone(&plan.arrow_schema), columns).expect("the columns fit");
    let argument = plan.measures[0].argument.as_ref().expect("there is one");
    let (values, failed) = evaluate(argument, &batch);
    for (row, record) in records.iter().enumerate() {
        let (found, expected) = (found(&values, row), oracle::value(expr, record));
        prop_assert!(same(&found, &expected), "{sql} ({of:?}) is {found:?}, not {expected:?}, of {record:?}");
        let told = found.is_null() && failed.value(row);
        prop_assert_eq!(told, expected.failed(), "{} is null of {:?}; told, expected", sql, record);
    }
    Ok(())
}

/// As many expressions as give the cases that are asked for.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases * 2, max_shrink_iters: 0, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_operator_and_function_is_what_the_oracle_says(seed: u64, depth in 1_u8..4) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let expr = grow::Grower(&mut rng).any(depth);
        hold(&expr, &mut rng)?;
    }
}

//! Records of the ends of every type, as columns and as values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::value::{DAY, Value};

/// The Avro fields.
pub const SCHEMA: &str = r#"{"type": "record", "name": "Event", "fields": [
    {"name": "id", "type": "string"},
    {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "i", "type": ["null", "int"]},
    {"name": "j", "type": ["null", "int"]},
    {"name": "l", "type": ["null", "long"]},
    {"name": "m", "type": ["null", "long"]},
    {"name": "d", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10}]},
    {"name": "e", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}]},
    {"name": "x", "type": ["null", "double"]},
    {"name": "f", "type": ["null", "float"]},
    {"name": "s", "type": ["null", "string"]},
    {"name": "u", "type": ["null", "string"]},
    {"name": "ok", "type": ["null", "boolean"]},
    {"name": "ms", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
    {"name": "us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]}
]}"#;

/// Names of the fields.
pub const FIELDS: &[&str] = &["id", "ts", "i", "j", "l", "m", "d", "e", "x", "f", "s", "u", "ok", "ms", "us", "day"];

const INTS: &[i32] = &[0, 1, -1, 2, 3, 7, -40, 46_341, i32::MIN, i32::MIN + 1, i32::MAX];
const LONGS: &[i64] = &[
    0,
    1,
    -1,
    2,
    10,
    -7,
    3_037_000_500,
    9_007_199_254_740_993,
    i64::MIN,
    i64::MIN + 1,
    i64::MAX,
    i64::MAX - 1,
    1_790_000_000_000,
    -62_135_596_800_000,
    253_402_300_800_000,
];
const DOUBLES: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.5,
    2.5,
    -2.5,
    2.675,
    1e-300,
    5e-324,
    1e16,
    9_007_199_254_740_993.0,
    1e38,
    -1e38,
    1e308,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    9.223_372_036_854_776e18,
    2e15,
];
const FLOATS: &[f32] =
    &[0.0, -0.0, 1.0, 0.1, -2.5, 16_777_216.0, f32::MAX, f32::MIN, 1e-45, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
const TEXTS: &[&str] = &[
    "",
    "a",
    "abc",
    "b-b-b",
    "é💥",
    "  x ",
    "12",
    "-7.5",
    "+1e3",
    "1e400",
    "1e-400",
    "9223372036854775808",
    "0.005",
    "-0.005",
    " 1",
    ".5",
    "NaN",
    "true",
    "FALSE",
    "2026-02-30",
    "2026-03-01",
    "2026-03-01T10:15:00.123Z",
    "2026-03-01 10:15:00+01:00",
    "9999-12-31T23:59:59.999999999Z",
    "0001-01-01",
    "10000-01-01",
    "İß",
    "99999999999999999999999999999999999999",
];
const DAYS: &[i32] = &[0, 1, -1, 20_000, 59, -719_162, -719_163, 2_932_896, 2_932_897, i32::MIN, i32::MAX];
const MICROS: &[i64] = &[
    0,
    -1,
    1,
    1_790_000_000_123_456,
    951_782_400_000_000,
    -62_135_596_800_000_000,
    -62_135_596_800_000_001,
    253_402_300_799_999_999,
    253_402_300_800_000_000,
    i64::MIN,
    i64::MAX,
];
const MILLIS: &[i64] = &[
    0,
    -1,
    1_790_000_000_123,
    951_782_400_000,
    -62_135_596_800_000,
    -62_135_596_800_001,
    253_402_300_799_999,
    253_402_300_800_000,
    i64::MIN,
    i64::MAX,
];

/// One of the ends, or null.
fn some<T: Copy>(rng: &mut ChaCha8Rng, of: &[T], rows: usize) -> Vec<Option<T>> {
    let pick = |_| (rand::Rng::random_range(rng, 0..8) > 0).then(|| *of.choose(rng).expect("there is one"));
    (0..rows).map(pick).collect()
}

/// Unscaled decimals of so many digits.
fn decimals(digits: u32) -> Vec<i128> {
    let end = 10_i128.pow(digits) - 1;
    vec![0, 1, -1, 5, 10, -150, 12_345, end, -end, end / 3, 10_i128.pow(digits / 2), -(10_i128.pow(digits - 1))]
}

fn of<T: Copy>(values: &[Option<T>], value: impl Fn(T) -> Value) -> Vec<Value> {
    values.iter().map(|known| known.map_or(Value::Null, &value)).collect()
}

/// A random column of a field, and its values.
pub fn column(rng: &mut ChaCha8Rng, field: &str, rows: usize) -> (ArrayRef, Vec<Value>) {
    let decimal = |rng: &mut ChaCha8Rng, digits: u8, scale: i8| -> (ArrayRef, Vec<Value>) {
        let values = some(rng, &decimals(digits.into()), rows);
        let array = Decimal128Array::from(values.clone()).with_precision_and_scale(digits, scale).expect("they fit");
        (Arc::new(array), of(&values, |value| Value::Decimal(value.into(), scale as u8)))
    };
    match field {
        "id" => (Arc::new(StringArray::from(vec!["a"; rows])), vec![]),
        "ts" => (Arc::new(TimestampMillisecondArray::from(vec![0; rows]).with_timezone("+00:00")), vec![]),
        "i" | "j" => {
            let values = some(rng, INTS, rows);
            (Arc::new(Int32Array::from(values.clone())), of(&values, |value| Value::Whole(value.into())))
        }
        "l" | "m" => {
            let values = some(rng, LONGS, rows);
            (Arc::new(Int64Array::from(values.clone())), of(&values, |value| Value::Whole(value.into())))
        }
        "d" => decimal(rng, 38, 10),
        "e" => decimal(rng, 12, 2),
        "x" => {
            let values = some(rng, DOUBLES, rows);
            (Arc::new(Float64Array::from(values.clone())), of(&values, Value::Double))
        }
        "f" => {
            let values = some(rng, FLOATS, rows);
            (Arc::new(Float32Array::from(values.clone())), of(&values, Value::Float))
        }
        "s" | "u" => {
            let values = some(rng, TEXTS, rows);
            (Arc::new(StringArray::from(values.clone())), of(&values, |value: &str| Value::Text(value.to_owned())))
        }
        "ok" => {
            let values = some(rng, &[true, false], rows);
            (Arc::new(BooleanArray::from(values.clone())), of(&values, Value::Boolean))
        }
        "ms" => {
            let values = some(rng, MILLIS, rows);
            let array = TimestampMillisecondArray::from(values.clone()).with_timezone("+00:00");
            (Arc::new(array), of(&values, |value| Value::Time(i128::from(value) * 1_000_000)))
        }
        "us" => {
            let values = some(rng, MICROS, rows);
            let array = TimestampMicrosecondArray::from(values.clone()).with_timezone("+00:00");
            (Arc::new(array), of(&values, |value| Value::Time(i128::from(value) * 1_000)))
        }
        "day" => {
            let values = some(rng, DAYS, rows);
            (Arc::new(Date32Array::from(values.clone())), of(&values, |value| Value::Time(i128::from(value) * DAY)))
        }
        other => panic!("no values for '{other}'"),
    }
}

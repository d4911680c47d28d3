//! The encoder against apache-avro's decoder.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use super::super::domain::{CHANNELS, CURRENCIES, Draft, EVENT_TYPES, PLAN_TIERS, REGIONS, SALES_EVENT_AVSC};
use super::super::encode::{account_id, encode};
use super::super::second_version;

/// Decodes one datum, all of it and nothing after it.
pub fn datum(schema: &Schema, bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = GenericDatumReader::builder(schema).build().ok()?.read_value(&mut rest).ok()?;
    // The decoder fills what ends too early with nulls; such a value is not written as the same bytes again.
    let again = GenericDatumWriter::builder(schema).build().ok()?.write_value_to_vec(value.clone()).ok()?;
    (again == bytes).then_some(value)
}

/// A field of a record, out of its union.
pub fn field<'a>(record: &'a Value, name: &str) -> &'a Value {
    let Value::Record(fields) = record else { panic!("{record:?} is no record") };
    let value = &fields.iter().find(|(field, _)| field == name).expect("the field is there").1;
    if let Value::Union(_, inner) = value { inner } else { value }
}

/// A string or null.
pub fn label(record: &Value, name: &str) -> Option<String> {
    match field(record, name) {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => panic!("'{name}' is {other:?}"),
    }
}

/// A string.
pub fn text(record: &Value, name: &str) -> String {
    label(record, name).expect("not null")
}

/// A timestamp.
pub fn long(record: &Value, name: &str) -> i64 {
    match field(record, name) {
        Value::TimestampMillis(millis) => *millis,
        other => panic!("'{name}' is {other:?}"),
    }
}

/// Cents or null.
pub fn decimal(record: &Value, name: &str) -> Option<i128> {
    match field(record, name) {
        Value::Decimal(decimal) => {
            let bytes = Vec::<u8>::try_from(decimal).expect("decimals are bytes");
            let sign = if bytes[0] & 0x80 == 0 { 0_i128 } else { -1 };
            Some(bytes.iter().fold(sign, |number, byte| number << 8 | i128::from(*byte)))
        }
        Value::Null => None,
        other => panic!("'{name}' is {other:?}"),
    }
}

fn owned(label: Option<&str>) -> Option<String> {
    label.map(str::to_owned)
}

#[test]
fn every_label_time_and_amount_survives() {
    let schemas = [SALES_EVENT_AVSC, &second_version()].map(|text| Schema::parse_str(text).unwrap());
    let amounts = [0, 1, -1, 127, 128, -128, -129, 255, 256, 32_767, 32_768, 9_999_999_999, -9_999_999_999];
    let times = [0, -1, 1, 63, 64, -65, 1_795_413_600_000, i64::MAX, i64::MIN];
    let mut buffer = Vec::new();
    for number in 0..600_usize {
        let draft = Draft {
            event_id: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.wrapping_mul(number as u128 + 1),
            event_time: times[number % times.len()],
            ingest_time: times[number / 3 % times.len()],
            amount: (number % 14 < 13).then(|| amounts[number % 14]),
            account: number as u32 * 1_666,
            user: (number % 5 > 0).then_some(number as u32 * 7_919),
            event_type: (number % EVENT_TYPES.len()) as u8,
            plan_tier: (number % PLAN_TIERS.len()) as u8,
            region: (number / 2 % REGIONS.len()) as u8,
            currency: (number / 3 % CURRENCIES.len()) as u8,
            channel: (number / 5 % CHANNELS.len()) as u8,
            second_version: number % 2 == 1,
        };
        encode(&draft, &account_id(draft.account), 0x0102_0304, &mut buffer);
        assert_eq!(buffer[..5], [0, 1, 2, 3, 4]);
        let record = datum(&schemas[number % 2], &buffer[5..]).expect("the datum decodes to its end");
        assert_eq!(text(&record, "event_id").replace('-', ""), format!("{:032x}", draft.event_id));
        assert_eq!(text(&record, "event_type"), EVENT_TYPES[usize::from(draft.event_type)]);
        assert_eq!((long(&record, "event_time"), long(&record, "ingest_time")), (draft.event_time, draft.ingest_time));
        assert_eq!(field(&record, "schema_version"), &Value::Int(i32::from(draft.second_version) + 1));
        assert_eq!(text(&record, "account_id"), format!("acct-{:06}", draft.account));
        assert_eq!(label(&record, "user_id"), draft.user.map(|user| format!("user-{user:07}")));
        assert_eq!(label(&record, "plan_tier"), owned(PLAN_TIERS[usize::from(draft.plan_tier)]));
        assert_eq!(label(&record, "region"), owned(REGIONS[usize::from(draft.region)]));
        assert_eq!(label(&record, "currency"), owned(CURRENCIES[usize::from(draft.currency)]));
        assert_eq!(decimal(&record, "amount"), draft.amount.map(i128::from));
        if draft.second_version {
            assert_eq!(label(&record, "channel"), owned(CHANNELS[usize::from(draft.channel)]));
        }
    }
}

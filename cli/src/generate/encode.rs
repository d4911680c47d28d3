//! A draft as Confluent-framed Avro binary, written field by field into a reusable buffer.
//!
//! Keeps true: the bytes are what the registered schema says (Avro 1.12, binary encoding), fields in its order; decimals
//! are the shortest two's complement, big endian; no allocation once the buffer has its size.

use super::domain::{CHANNELS, CURRENCIES, Draft, EVENT_TYPES, PLAN_TIERS, REGIONS};

/// Length of the framing before the Avro binary: the magic byte 0 and the schema id, big endian.
pub const FRAME: usize = 5;
/// Length of an account id: `acct-` and six digits.
pub const ACCOUNT_ID: usize = 11;

/// Replaces the content of `buffer` with the framed event; `schema_id` is the registry's id of its writer schema.
pub fn encode(draft: &Draft, account_id: &[u8; ACCOUNT_ID], schema_id: u32, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.push(0);
    buffer.extend_from_slice(&schema_id.to_be_bytes());
    put_event_id(draft.event_id, buffer);
    put_bytes(EVENT_TYPES[usize::from(draft.event_type)].as_bytes(), buffer);
    put_long(draft.event_time, buffer);
    put_long(draft.ingest_time, buffer);
    put_long(if draft.second_version { 2 } else { 1 }, buffer);
    put_bytes(account_id, buffer);
    put_user(draft.user, buffer);
    put_label(PLAN_TIERS[usize::from(draft.plan_tier)], buffer);
    put_label(REGIONS[usize::from(draft.region)], buffer);
    put_label(CURRENCIES[usize::from(draft.currency)], buffer);
    put_amount(draft.amount, buffer);
    if draft.second_version {
        put_label(CHANNELS[usize::from(draft.channel)], buffer);
    }
}

/// The account id of account `number` (below a million).
pub fn account_id(number: u32) -> [u8; ACCOUNT_ID] {
    let mut text = *b"acct-000000";
    put_digits(number, &mut text[5..]);
    text
}

/// An Avro long (or int): zigzag, then seven bits a byte, lowest first.
fn put_long(value: i64, buffer: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buffer.push(rest as u8);
}

fn put_bytes(bytes: &[u8], buffer: &mut Vec<u8>) {
    put_long(bytes.len() as i64, buffer);
    buffer.extend_from_slice(bytes);
}

/// A `["null", "string"]`.
fn put_label(label: Option<&str>, buffer: &mut Vec<u8>) {
    match label {
        None => put_long(0, buffer),
        Some(text) => {
            put_long(1, buffer);
            put_bytes(text.as_bytes(), buffer);
        }
    }
}

/// A `["null", "string"]` of `user-` and seven digits.
fn put_user(user: Option<u32>, buffer: &mut Vec<u8>) {
    let Some(number) = user else { return put_long(0, buffer) };
    let mut text = *b"user-0000000";
    put_digits(number, &mut text[5..]);
    put_long(1, buffer);
    put_bytes(&text, buffer);
}

/// A `["null", bytes decimal(12,2)]`.
fn put_amount(amount: Option<i64>, buffer: &mut Vec<u8>) {
    let Some(cents) = amount else { return put_long(0, buffer) };
    let bytes = cents.to_be_bytes();
    // Sign bits that merely repeat the next one may go, down to one byte.
    let repeated = if cents < 0 { (!cents).leading_zeros() } else { cents.leading_zeros() };
    let skip = ((repeated.saturating_sub(1)) / 8).min(7) as usize;
    put_long(1, buffer);
    put_bytes(&bytes[skip..], buffer);
}

/// 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn put_event_id(id: u128, buffer: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; 36];
    for (byte, place) in id.to_be_bytes().into_iter().zip(PLACES) {
        text[place] = HEX[usize::from(byte >> 4)];
        text[place + 1] = HEX[usize::from(byte & 15)];
    }
    put_bytes(&text, buffer);
}

/// The decimal digits of `number`, right-aligned over `places`.
fn put_digits(number: u32, places: &mut [u8]) {
    let mut rest = number;
    for place in places.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

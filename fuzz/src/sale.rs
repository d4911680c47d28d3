//! Good records: sales, as producers of two schemas write them.

use crate::record::{Held, NOW};

/// The first event: the log is written well after the last.
const START: i64 = NOW - 3 * 3_600_000;

/// A record with the prefix of schema `id`.
pub fn framed(id: u8, body: &[u8], offset: i64) -> Held {
    Held { offset, value: Some([&[0, 0, 0, 0, id], body].concat()), header: None }
}

/// Event `number` of the quickstart's schema, `number` seconds after [`START`], as an Avro body.
pub fn sale(number: i64, region: &str, cents: i64) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, &format!("event-{number}"));
    text(&mut body, "usage");
    long(&mut body, START + number * 1000);
    long(&mut body, START + number * 1000 + 20);
    long(&mut body, 1);
    text(&mut body, "account-1");
    long(&mut body, 0);
    for value in ["pro", region, "EUR"] {
        long(&mut body, 1);
        text(&mut body, value);
    }
    long(&mut body, 1);
    let bytes = cents.to_be_bytes();
    long(&mut body, bytes.len() as i64);
    body.extend(bytes);
    body
}

/// The same with the fields of the nested schema before it.
pub fn nested_sale(number: i64) -> Vec<u8> {
    let mut body = Vec::new();
    long(&mut body, 2);
    text(&mut body, "one");
    text(&mut body, "two");
    long(&mut body, 0);
    long(&mut body, 1);
    text(&mut body, "clicks");
    long(&mut body, 1);
    body.extend(2.5_f64.to_le_bytes());
    long(&mut body, 0);
    long(&mut body, 2);
    body.extend([1, 2, 3, 4, 5, 6]);
    long(&mut body, 1);
    body.push(1);
    body.extend(1.5_f32.to_le_bytes());
    body.extend(sale(number, "eu", 1_999));
    body
}

fn text(body: &mut Vec<u8>, text: &str) {
    long(body, text.len() as i64);
    body.extend(text.bytes());
}

/// Avro 1.11.1 "Binary Encoding": zigzag, seven bits a byte, the smallest first.
fn long(body: &mut Vec<u8>, value: i64) {
    let mut left = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while left > 0x7f {
        body.push(left as u8 | 0x80);
        left >>= 7;
    }
    body.push(left as u8);
}

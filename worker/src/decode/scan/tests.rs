//! The check against hand-made bytes.
#![allow(clippy::unwrap_used)]

use super::*;

fn one(kind: &str, body: &[u8]) -> Result<(), String> {
    let schema = format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{{"name":"f","type":{kind}}}]}}"#);
    let outcome = Scanner::compile(&schema).map_err(|error| error.to_string())?.check(body);
    outcome.map_err(|reason| reason.to_string())
}

#[track_caller]
fn accepts(kind: &str, bodies: &[&[u8]]) {
    for body in bodies {
        assert_eq!(one(kind, body), Ok(()), "{kind} {body:?}");
    }
}

#[track_caller]
fn refuses(kind: &str, bodies: &[&[u8]], message: &str) {
    for body in bodies {
        let error = one(kind, body).unwrap_err();
        assert!(error.contains(message), "{kind} {body:?}: {error}");
    }
}

#[test]
fn primitives_are_read_to_their_limits() {
    const MAX: [u8; 10] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    accepts(r#""long""#, &[&[0], &[0x80, 0], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], &MAX]);
    let over = [[0xFF; 9].as_slice(), &[0x02]].concat();
    refuses(r#""long""#, &[&[], &[0x80], &[0xFF; 9], &[0xFF; 12], &over], "does not end");
    accepts(r#""int""#, &[&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]]);
    refuses(r#""int""#, &[&[0x80, 0x80, 0x80, 0x80, 0x10], &MAX], "32 bits");
    accepts(r#""boolean""#, &[&[0], &[1]]);
    refuses(r#""boolean""#, &[&[2]], "a boolean is 0 or 1, found 2");
    accepts(r#""float""#, &[&[0; 4]]);
    refuses(r#""double""#, &[&[0; 7]], "needs 8 bytes, 7 are left");
    accepts(r#"{"type":"fixed","name":"F","size":3}"#, &[&[1, 2, 3]]);
    accepts(r#""null""#, &[&[]]);
    refuses(r#""null""#, &[&[0]], "1 bytes follow");
}

#[test]
fn strings_are_utf8_wherever_the_bad_byte_is() {
    for len in 1..40usize {
        let mut body = vec![(len * 2) as u8];
        body.extend(std::iter::repeat_n(b'a', len));
        accepts(r#""string""#, &[&body]);
        for at in 1..=len {
            let mut bad = body.clone();
            bad[at] = 0xC3;
            refuses(r#""string""#, &[&bad], "UTF-8");
        }
    }
    accepts(r#""string""#, &[&[4, 0xC3, 0xA4]]);
}

#[test]
fn unions_and_enums_know_their_branches() {
    let three = r#"["null","string","long"]"#;
    accepts(three, &[&[0], &[2, 2, b'x'], &[4, 9]]);
    refuses(three, &[&[6]], "union branch 3 does not exist, there are 3");
    refuses(r#"["null","string"]"#, &[&[4], &[1]], "does not exist, there are 2");
    accepts(r#"["string","null"]"#, &[&[2], &[0, 0]]);
    let of_two = r#"{"type":"enum","name":"E","symbols":["A","B"]}"#;
    accepts(of_two, &[&[0], &[2]]);
    refuses(of_two, &[&[4]], "enum symbol 2 does not exist, there are 2");
    refuses(of_two, &[&[1]], "enum symbol -1");
}

#[test]
fn blocks_hold_what_they_say() {
    let longs = r#"{"type":"array","items":"long"}"#;
    accepts(longs, &[&[0], &[4, 1, 2, 0], &[2, 9, 2, 9, 0], &[3, 4, 1, 2, 0]]);
    refuses(longs, &[&[3, 2, 1, 2, 0], &[3, 6, 1, 2, 0]], "block's count or size");
    refuses(longs, &[&[4, 1]], "block's count or size");
    refuses(longs, &[&[3, 40, 1, 2, 0]], "needs 20 bytes");
    let least = [[0xFF; 9].as_slice(), &[0x01, 0]].concat();
    refuses(longs, &[&least], "block's count or size");
    accepts(r#"{"type":"map","values":"long"}"#, &[&[2, 2, b'k', 7, 0]]);
    let nulls = r#"{"type":"array","items":"null"}"#;
    accepts(nulls, &[&[20, 0]]);
    refuses(nulls, &[&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0]], "block's count or size");
}

#[test]
fn decimals_fit_their_precision() {
    let four = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
    let number = |value: i64| {
        let mut body = vec![16];
        body.extend(value.to_be_bytes());
        body
    };
    accepts(four, &[&number(9999), &number(-9999), &[0], &[2, 0x80], &number(0)]);
    refuses(four, &[&number(10_000), &number(-10_000), &number(i64::MIN)], "more than 4 digits");
    let mut wide = vec![34, 0, 0x80];
    wide.resize(18, 0);
    refuses(four, &[&wide], "more than 4 digits");
    let wider = [[40].as_slice(), &[0xFF; 19], &[0]].concat();
    accepts(four, &[&wider]);
}

#[test]
fn names_resolve_and_loops_are_refused() {
    let schema = r#"{"type":"record","name":"R","namespace":"n","fields":[
        {"name":"a","type":{"type":"fixed","name":"F","size":1}},
        {"name":"b","type":["null","F"]},
        {"name":"c","type":{"type":"record","name":"o.In","fields":[{"name":"x","type":"n.F"},{"name":"y","type":{"type":"string"}}]}},
        {"name":"d","type":"o.In"}]}"#;
    let scanner = Scanner::compile(schema).unwrap();
    assert_eq!(scanner.check(&[1, 2, 1, 1, 0, 1, 2, b'z']), Ok(()));
    let looped = one(r#"["null","R"]"#, &[0]).unwrap_err();
    assert_eq!(looped, "type 'n.R' contains itself");
    assert_eq!(one(r#""Gone""#, &[]).unwrap_err(), "type 'n.Gone' is not defined before its use");
    assert_eq!(Scanner::compile(r#""string""#).unwrap_err().to_string(), "the schema is not a record");
    assert!(Scanner::compile("{").unwrap_err().to_string().starts_with("the schema is not JSON"));
}

#[test]
fn numbers_that_would_change_their_meaning_do_not_agree() {
    let schema = |kind: &str| {
        let json =
            format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","aliases":["old"],"type":{kind}}}]}}"#);
        Scanner::compile(&json).unwrap()
    };
    let decimal = |precision: u32, scale: u32| {
        format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
    };
    let time = |unit: &str| format!(r#"{{"type":"long","logicalType":"{unit}"}}"#);
    let optional = |kind: &str| format!(r#"["null",{kind}]"#);
    let list = |kind: &str| format!(r#"{{"type":"array","items":{kind}}}"#);
    let nested = |kind: &str| format!(r#"{{"type":"record","name":"N","fields":[{{"name":"x","type":{kind}}}]}}"#);
    let wrap: [&dyn Fn(&str) -> String; 4] = [&str::to_owned, &optional, &list, &nested];
    let wrong = [
        (
            decimal(4, 1),
            decimal(4, 2),
            "decimal(4,1) cannot be read as decimal(4,2), expected scale 2 and a precision of at most 4",
        ),
        (
            decimal(5, 2),
            decimal(4, 2),
            "decimal(5,2) cannot be read as decimal(4,2), expected scale 2 and a precision of at most 4",
        ),
        (r#""bytes""#.to_owned(), decimal(4, 2), "bytes of unknown scale cannot be read as decimal(4,2)"),
        (
            time("timestamp-micros"),
            time("timestamp-millis"),
            "timestamp-micros cannot be read as timestamp-millis, expected timestamp-millis",
        ),
    ];
    let right = [
        (decimal(3, 2), decimal(4, 2)),
        (r#""long""#.to_owned(), time("timestamp-millis")),
        (r#""int""#.to_owned(), r#""long""#.to_owned()),
        (time("timestamp-millis"), r#""long""#.to_owned()),
    ];
    for within in wrap {
        for (writer, reader, message) in &wrong {
            let error = schema(&within(writer)).agrees_with(&schema(&within(reader))).unwrap_err();
            assert!(error.starts_with("field 'f': ") && error.ends_with(message), "{error}");
        }
        for (writer, reader) in &right {
            assert_eq!(schema(&within(writer)).agrees_with(&schema(&within(reader))), Ok(()));
        }
    }
    let renamed = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"old","type":{}}}]}}"#, decimal(4, 1));
    assert!(Scanner::compile(&renamed).unwrap().agrees_with(&schema(&decimal(4, 2))).is_err());
}

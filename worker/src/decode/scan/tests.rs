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
    refuses(nulls, &[&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0]], "more than the 65632 steps");
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
fn names_resolve_and_loops_are_walked() {
    let schema = r#"{"type":"record","name":"R","namespace":"n","fields":[
        {"name":"a","type":{"type":"fixed","name":"F","size":1}},
        {"name":"b","type":["null","F"]},
        {"name":"c","type":{"type":"record","name":"o.In","fields":[{"name":"x","type":"n.F"},{"name":"y","type":{"type":"string"}}]}},
        {"name":"d","type":"o.In"}]}"#;
    let scanner = Scanner::compile(schema).unwrap();
    assert_eq!(scanner.check(&[1, 2, 1, 1, 0, 1, 2, b'z']), Ok(()));
    accepts(r#"["null","R"]"#, &[&[0], &[2, 0], &[2, 2, 2, 0]]);
    refuses(r#"["null","R"]"#, &[&[2, 2]], "does not end");
    accepts(r#"{"type":"array","items":"R"}"#, &[&[0], &[2, 0, 0], &[4, 0, 2, 0, 0, 0]]);
    assert_eq!(one(r#""Gone""#, &[]).unwrap_err(), "type 'n.Gone' is not defined before its use");
    // A chain of values is passed as far as the stack bears it.
    let links = |count: usize| [vec![2; count], vec![0]].concat();
    accepts(r#"["null","R"]"#, &[&links(MOST_NESTED as usize)]);
    refuses(r#"["null","R"]"#, &[&links(100_000)], "more than 512 values are inside each other");
    let lists = |count: usize| [vec![2; count], vec![0; count + 1]].concat();
    accepts(r#"{"type":"array","items":"R"}"#, &[&lists(MOST_NESTED as usize / 2 - 1)]);
    refuses(r#"{"type":"array","items":"R"}"#, &[&lists(20_000)], "inside each other");
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
            let error = schema(&within(writer)).agrees_with(schema(&within(reader)).schema()).unwrap_err();
            assert!(error.starts_with("field 'f': ") && error.ends_with(message), "{error}");
        }
        for (writer, reader) in &right {
            assert_eq!(schema(&within(writer)).agrees_with(schema(&within(reader)).schema()), Ok(()));
        }
    }
    let renamed = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"old","type":{}}}]}}"#, decimal(4, 1));
    assert!(Scanner::compile(&renamed).unwrap().agrees_with(schema(&decimal(4, 2)).schema()).is_err());
}

/// Eight thousand bytes that would be a hundred million items: two thousand lists of 65,000 items that take no bytes.
#[test]
fn items_without_bytes_cost_steps_for_the_whole_body() {
    let many = r#"{"type":"array","items":{"type":"array","items":{"type":"record","name":"Nothing","fields":
        [{"name":"a","type":"null"},{"name":"b","type":{"type":"fixed","name":"Z","size":0}}]}}}"#;
    let lists = |count: usize, items: i64| {
        let mut body = Vec::new();
        cursor::zigzag(&mut body, count as i64);
        for _ in 0..count {
            cursor::zigzag(&mut body, items);
            body.push(0);
        }
        body.push(0);
        body
    };
    accepts(many, &[&lists(1, 20_000), &lists(1_000, 20)]);
    let bomb = lists(2_014, 65_000);
    assert_eq!(bomb.len(), 8_059);
    let refused =
        Scanner::compile(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{many}}}]}}"#));
    let refused = refused.unwrap().check(&bomb).unwrap_err();
    assert_eq!(refused.code(), "over-budget");
    let words = "field 'f': items without bytes make more than the 194480 steps that are allowed for the value's size";
    assert_eq!(refused.to_string(), words);
}

/// Each type holds the one before twice: the last would be a million million values, none of which has a byte.
#[test]
fn a_doubling_schema_costs_no_more_than_the_body_allows() {
    let mut kinds = vec![r#"{"type":"record","name":"T0","fields":[{"name":"n","type":"null"}]}"#.to_owned()];
    for level in 1..40 {
        let below = format!("T{}", level - 1);
        kinds.push(format!(
            r#"{{"type":"record","name":"T{level}","fields":[{{"name":"a","type":"{below}"}},{{"name":"b","type":"{below}"}}]}}"#
        ));
    }
    let fields: Vec<_> =
        kinds.iter().enumerate().map(|(at, kind)| format!(r#"{{"name":"f{at}","type":{kind}}}"#)).collect();
    let schema = format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(","));
    assert_eq!(Scanner::compile(&schema).unwrap().check(&[]).unwrap_err().code(), "over-budget");
}

//! From text to JSON, within bounds: comments become blanks, so that places in the text stay what they are; nesting is limited before
//! anything is built, and may be deeper than the 127 levels that the library reads at once.

use serde_json::Value;

use super::parse::SchemaError;
use super::{MAX_BYTES, MAX_NESTING};

/// Levels that are read at once.
const AT_ONCE: usize = 120;

/// Reads JSON with comments.
pub(super) fn read(text: &str) -> Result<Value, SchemaError> {
    if text.len() > MAX_BYTES {
        let message = format!("the schema has {} bytes, allowed are {MAX_BYTES}", text.len());
        return Err(SchemaError::TooLarge { message });
    }
    let text = without_comments(text);
    let depth = nesting(&text);
    if depth > MAX_NESTING {
        let message = format!("the schema nests {depth} objects and lists, allowed are {MAX_NESTING}");
        return Err(SchemaError::TooLarge { message });
    }
    Ok(if depth <= AT_ONCE { serde_json::from_str(&text)? } else { deep(&text)? })
}

/// What is too deep to be read at once is read first, and stands as a number in what is around it meanwhile.
fn deep(text: &str) -> Result<Value, serde_json::Error> {
    let (around, parts) = parted(text, unused(text));
    let parts =
        parts.into_iter().map(|part| if nesting(part) <= AT_ONCE { serde_json::from_str(part) } else { deep(part) });
    let mut parts = parts.collect::<Result<Vec<Value>, _>>()?;
    let mut value = serde_json::from_str(&around)?;
    put_back(&mut value, unused(text), &mut parts);
    Ok(value)
}

/// Room for parts behind a number that [`unused`] gives.
const PARTS: u64 = 1_000_000_000_000;

/// A number of which the first digits are nowhere in a text: 1 and six more, followed by twelve zeros.
fn unused(text: &str) -> u64 {
    let mut used = vec![false; 1_000_000];
    for digits in text.as_bytes().windows(7).filter(|window| window[0] == b'1') {
        let number = std::str::from_utf8(&digits[1..]).ok().and_then(|digits| digits.parse::<usize>().ok());
        if let Some(used) = number.and_then(|number| used.get_mut(number)) {
            *used = true;
        }
    }
    let free = used.iter().position(|used| !used).unwrap_or_default() as u64;
    (1_000_000 + free) * PARTS
}

/// The text with numbers from `first` on in place of what nests too deep, and those parts.
fn parted(text: &str, first: u64) -> (String, Vec<&str>) {
    let (mut around, mut parts) = (String::new(), Vec::new());
    let (mut from, mut depth) = (0, 0usize);
    brackets(text, |at, opens| {
        if opens {
            depth += 1;
            if depth == AT_ONCE + 1 {
                around.push_str(&text[from..at]);
                from = at;
            }
        } else {
            if depth == AT_ONCE + 1 {
                around.push_str(&(first + parts.len() as u64).to_string());
                parts.push(&text[from..=at]);
                from = at + 1;
            }
            depth = depth.saturating_sub(1);
        }
    });
    around.push_str(&text[from..]);
    (around, parts)
}

fn put_back(value: &mut Value, first: u64, parts: &mut [Value]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| put_back(item, first, parts)),
        Value::Object(members) => members.values_mut().for_each(|member| put_back(member, first, parts)),
        Value::Number(number) => {
            let part = number.as_u64().and_then(|number| number.checked_sub(first));
            let part = part.and_then(|part| parts.get_mut(usize::try_from(part).ok()?));
            if let Some(part) = part {
                *value = part.take();
            }
        }
        _ => {}
    }
}

/// Whether text has comments, which JSON does not have.
pub(super) fn has_comments(text: &str) -> bool {
    without_comments(text) != text
}

/// The same text with `//` to the end of the line and `/* */` blank, byte by byte.
fn without_comments(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let (mut at, mut in_text) = (0, false);
    while at < out.len() {
        let blank = match (in_text, &out[at..]) {
            (true, [b'\\', ..]) => {
                at += 2;
                continue;
            }
            (_, [b'"', ..]) => {
                in_text = !in_text;
                0
            }
            (false, [b'/', b'/', rest @ ..]) => 2 + rest.iter().take_while(|byte| **byte != b'\n').count(),
            (false, [b'/', b'*', rest @ ..]) => {
                2 + rest.windows(2).position(|end| end == b"*/").map_or(0, |end| end + 2)
            }
            _ => 0,
        };
        for byte in &mut out[at..at + blank] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += blank.max(1);
    }
    // Whole characters were made blank, for a comment ends at ASCII.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// How deep brackets nest outside of texts.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    brackets(text, |_, opens| {
        depth = if opens { depth + 1 } else { depth.saturating_sub(1) };
        deepest = deepest.max(depth);
    });
    deepest
}

/// Tells of each bracket outside of texts: where it is, and whether it opens.
fn brackets(text: &str, mut tell: impl FnMut(usize, bool)) {
    let (mut in_text, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => tell(at, true),
            b'}' | b']' if !in_text => tell(at, false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nests_deeper_than_the_library_reads_is_read_all_the_same() {
        for depth in [AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, MAX_NESTING] {
            let inner = r#"{"a]": "\"[", "b": 1000000000000000000, "c": [2, {"d": []}]}"#;
            let (open, close) = ("[1, ".repeat(depth - 4), ", 3]".repeat(depth - 4));
            let mut found = &read(&format!("{open}{inner}{close}")).expect("it is JSON");
            for _ in 0..depth - 4 {
                assert_eq!((&found[0], &found[2]), (&json!(1), &json!(3)));
                found = &found[1];
            }
            assert_eq!(*found, json!({"a]": "\"[", "b": 1_000_000_000_000_000_000_u64, "c": [2, {"d": []}]}));
        }
    }

    #[test]
    fn what_is_deep_and_no_json_is_refused() {
        for wrong in ["{[]: 1}", "[1 2]", "[}", "{\"a\"}"] {
            for depth in [10, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 200] {
                let text = format!("{}{wrong}{}", "[".repeat(depth), "]".repeat(depth));
                assert!(matches!(read(&text), Err(SchemaError::ReadJson { .. })), "{wrong} at {depth}");
            }
        }
    }
}

//! A YAML scalar: its text, the JSON value it stands for, and where a byte of its text is in the file.
//!
//! Keeps true: a plain scalar stands for what kubectl would send (YAML 1.1's booleans included), so that a manifest which
//! is right here is right on a cluster.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::{Number, Value};

/// A scalar.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text after escapes and folding.
    pub text: String,
    /// How it is written.
    pub style: ScalarStyle,
    /// Whether a tag says that it is a string.
    pub tagged_string: bool,
}

impl Scalar {
    /// What it stands for.
    pub fn value(&self) -> Value {
        if self.style != ScalarStyle::Plain || self.tagged_string {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
            "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        }
    }

    /// Where bytes `within` of the text are in the file, given where the scalar is. Whitespace may have been folded, so
    /// places are found by counting the other characters.
    pub fn locate(&self, file: &str, place: &Range<usize>, within: &Range<usize>) -> Range<usize> {
        let written = &file[place.clone()];
        // The place of a block scalar starts at its first character, after the header.
        let body = usize::from(matches!(self.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        let clamp = |byte: usize| self.text.floor_char_boundary(byte);
        let (from, to) = (clamp(within.start), clamp(within.end));
        let inks = self.inks(&written[body..]);
        let first = visible(&self.text[..from]);
        let last = (first + visible(&self.text[from..to])).max(first + 1) - 1;
        let at = |index: usize| inks.get(index).or(inks.last()).cloned().unwrap_or(0..written.len() - body);
        let start = if first < inks.len() { at(first).start } else { at(first).end };
        let base = place.start + body;
        base + start..base + at(last).end.max(start)
    }

    /// The characters that are not whitespace, as they are written: an escape is one character.
    fn inks(&self, body: &str) -> Vec<Range<usize>> {
        let mut inks = Vec::new();
        let mut rest = body.char_indices().peekable();
        while let Some((start, c)) = rest.next() {
            let mut end = start + c.len_utf8();
            let mut is_space = c.is_whitespace();
            let digits = match (self.style, c) {
                (ScalarStyle::SingleQuoted, '\'') => Some(('\'', 0)),
                (ScalarStyle::DoubleQuoted, '\\') => rest.peek().map(|(_, kind)| match kind {
                    'x' => ('x', 2),
                    'u' => ('u', 4),
                    'U' => ('U', 8),
                    other => (*other, 0),
                }),
                (ScalarStyle::DoubleQuoted, '"') => break,
                _ => None,
            };
            if let Some((kind, digits)) = digits {
                if self.style == ScalarStyle::SingleQuoted && rest.peek().is_none_or(|(_, next)| *next != '\'') {
                    break;
                }
                is_space = self.style == ScalarStyle::DoubleQuoted && matches!(kind, 'n' | 't' | 'r' | ' ' | '\n');
                for (at, c) in rest.by_ref().take(1 + digits) {
                    end = at + c.len_utf8();
                }
            }
            if !is_space {
                inks.push(start..end);
            }
        }
        inks
    }
}

/// A number of YAML's core schema that JSON can hold.
fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if all_digits(unsigned) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let whole = text.parse::<i64>().ok().map(Number::from).or_else(|| text.parse::<u64>().ok().map(Number::from));
        return whole.or_else(|| text.parse().ok().and_then(Number::from_f64));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if numeric { text.parse().ok().and_then(Number::from_f64) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> Value {
        Scalar { text: text.to_owned(), style: ScalarStyle::Plain, tagged_string: false }.value()
    }

    #[test]
    fn plain_scalars_are_what_kubectl_sends() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("no", json!(false)),
            ("on", json!(true)),
            ("7", json!(7)),
            ("-7", json!(-7)),
            ("0x10", json!(16)),
            ("0.5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("5m", json!("5m")),
            ("2026-11-23", json!("2026-11-23")),
            ("1.2.3", json!("1.2.3")),
            ("e", json!("e")),
            ("kafka:9092", json!("kafka:9092")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn places_inside_a_scalar_survive_quotes_and_escapes() {
        let file = r#"a: "x\"\u0041 yz" "#;
        let scalar = Scalar { text: "x\"A yz".to_owned(), style: ScalarStyle::DoubleQuoted, tagged_string: false };
        let located = scalar.locate(file, &(3..17), &(4..6));
        assert_eq!(&file[located], "yz");
        let file = "a: 'it''s b'";
        let scalar = Scalar { text: "it's b".to_owned(), style: ScalarStyle::SingleQuoted, tagged_string: false };
        let located = scalar.locate(file, &(3..12), &(3..6));
        assert_eq!(&file[located], "s b");
    }
}

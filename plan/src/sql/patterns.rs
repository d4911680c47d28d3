//! Patterns of `like` and regular expressions, compiled once, and the templates of replacements.

use std::fmt;

use regex::{Captures, Regex};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Matcher {
    text: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Exactly(String),
    Start(String),
    End(String),
    Within(String),
    Regex(Regex),
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl Matcher {
    /// A regular expression with flags (`i`, `m`, `s`, `x`, `U`, `R`), anywhere in the text.
    pub(super) fn regex(pattern: &str, flags: &str) -> Result<Self, String> {
        let text = if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") };
        let regex = Regex::new(&text).map_err(|error| format!("the pattern '{pattern}' cannot be used: {error}"))?;
        Ok(Self { text, form: Form::Regex(regex) })
    }

    /// A pattern of `like`: `%` is any text, `_` one character, the escape (`\` if none is given) takes the next one as it is.
    pub(super) fn like(pattern: &str, any_case: bool, escape: char) -> Result<Self, String> {
        let mut regex = String::from(if any_case { "(?si)^" } else { "(?s)^" });
        let (mut plain, mut percents) = (String::new(), Vec::new());
        let mut simple = !any_case;
        let mut chars = pattern.chars();
        while let Some(next) = chars.next() {
            match next {
                '%' => {
                    percents.push(plain.len());
                    regex.push_str(".*");
                }
                '_' if next != escape => {
                    simple = false;
                    regex.push('.');
                }
                _ => {
                    let next = if next == escape { chars.next().unwrap_or(next) } else { next };
                    plain.push(next);
                    regex.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                }
            }
        }
        regex.push('$');
        let text = format!("{pattern} like {any_case} {escape}");
        let end = plain.len();
        let form = match percents.as_slice() {
            [] if simple => Form::Exactly(plain),
            [0] if simple => Form::End(plain),
            [at] if simple && *at == end => Form::Start(plain),
            [0, at] if simple && *at == end => Form::Within(plain),
            _ => Form::Regex(Regex::new(&regex).map_err(|_| format!("the pattern '{pattern}' is too large"))?),
        };
        Ok(Self { text, form })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        match &self.form {
            Form::Exactly(whole) => text == whole,
            Form::Start(start) => text.starts_with(start.as_str()),
            Form::End(end) => text.ends_with(end.as_str()),
            Form::Within(part) => text.contains(part.as_str()),
            Form::Regex(regex) => regex.is_match(text),
        }
    }

    /// How often a regular expression is found in a text, one behind the other.
    pub(super) fn count(&self, text: &str) -> i64 {
        match &self.form {
            Form::Regex(regex) => regex.find_iter(text).count() as i64,
            _ => i64::from(self.is_match(text)),
        }
    }

    /// With what is found replaced, or nothing if the result is longer than `most` bytes.
    pub(super) fn replace(&self, text: &str, template: &Template, global: bool, most: usize) -> Option<String> {
        let Form::Regex(regex) = &self.form else { return None };
        let (mut out, mut end) = (String::new(), 0);
        for found in regex.captures_iter(text).take(if global { usize::MAX } else { 1 }) {
            let whole = found.get(0)?;
            out.push_str(&text[end..whole.start()]);
            template.append(&found, &mut out, most)?;
            end = whole.end();
            if out.len() > most {
                return None;
            }
        }
        out.push_str(&text[end..]);
        (out.len() <= most).then_some(out)
    }
}

/// What takes the place of a match: texts and groups, `$1`, `${1}`, `${name}` or `\1`; `$$` is a dollar.
#[derive(Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Number(usize),
    Name(String),
}

impl Template {
    pub(super) fn read(text: &str) -> Self {
        let mut pieces = vec![];
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['$', '\\']) {
            plain.push_str(&rest[..at]);
            let (mark, behind) = rest[at..].split_at(1);
            let (group, used) = match mark {
                "\\" => (behind.get(..1).filter(|digit| digit.as_bytes()[0].is_ascii_digit()), 1),
                _ if behind.starts_with('$') => {
                    plain.push('$');
                    rest = &behind[1..];
                    continue;
                }
                _ if behind.starts_with('{') => match behind.find('}') {
                    Some(end) => (Some(&behind[1..end]), end + 1),
                    None => (None, 0),
                },
                _ => {
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
                    (Some(&behind[..end]).filter(|name| !name.is_empty()), end)
                }
            };
            if let Some(name) = group {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(name.parse().map_or_else(|_| Piece::Name(name.to_owned()), Piece::Number));
                rest = &behind[used..];
            } else {
                plain.push_str(mark);
                rest = behind;
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Self(pieces)
    }

    fn append(&self, found: &Captures<'_>, out: &mut String, most: usize) -> Option<()> {
        for piece in &self.0 {
            let text = match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Number(group) => found.get(*group).map_or("", |group| group.as_str()),
                Piece::Name(name) => found.name(name).map_or("", |group| group.as_str()),
            };
            if out.len() + text.len() > most {
                return None;
            }
            out.push_str(text);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_takes_percent_and_underscore() {
        let cases = [
            ("us", "us", true),
            ("u%", "us", true),
            ("%s", "us", true),
            ("%u%", "us", true),
            ("u_", "us", true),
            ("_", "é", true),
            ("%", "", true),
            ("", "", true),
            ("", "u", false),
            ("a%b%c", "axbyc", true),
            ("a.c", "abc", false),
            ("10\\%", "10%", true),
            ("10\\%", "100", false),
            ("a%", "\na", false),
            ("%a", "\na", true),
            ("%%", "x", true),
        ];
        for (pattern, text, holds) in cases {
            let matcher = Matcher::like(pattern, false, '\\').expect("a pattern");
            assert_eq!(matcher.is_match(text), holds, "'{text}' like '{pattern}'");
        }
        assert!(Matcher::like("ÄB%", true, '\\').expect("a pattern").is_match("äbc"));
    }

    #[test]
    fn replacements_are_bounded() {
        let matcher = Matcher::regex("(a)(b)?", "").expect("a pattern");
        let replace = |template: &str, most| matcher.replace("xab-a", &Template::read(template), true, most);
        assert_eq!(replace("[$2$1]", 100).as_deref(), Some("x[ba]-[a]"));
        assert_eq!(replace("\\1${1}$$\\", 100).as_deref(), Some("xaa$\\-aa$\\"));
        assert_eq!(replace("aaaaaaaaaa", 10), None);
        assert_eq!(matcher.replace("aa", &Template::read("b"), false, 10).as_deref(), Some("ba"));
    }
}

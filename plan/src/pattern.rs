//! Regular expressions, judged by the library that will run them.

use std::ops::Range;

/// What is allowed, for help.
pub(crate) const ALLOWED: &str = "allowed are regular expressions without look-around and back-references";

/// Why a pattern cannot be used, and where in it.
pub(crate) fn refuse(pattern: &str) -> Option<(String, Option<Range<usize>>)> {
    let (reason, span) = match regex_syntax::parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => (error.kind().to_string(), Some(*error.span())),
        Err(regex_syntax::Error::Translate(error)) => (error.kind().to_string(), Some(*error.span())),
        Err(error) => (error.to_string(), None),
        Ok(_) => match regex::Regex::new(pattern) {
            Ok(_) => return None,
            Err(error) => (error.to_string(), None),
        },
    };
    let span = span.map(|span| {
        let start = span.start.offset;
        start..span.end.offset.max(start + 1).min(pattern.len())
    });
    Some((format!("the pattern cannot be read: {reason}"), span))
}

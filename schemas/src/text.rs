//! Foreign text on its way to a person: values of records, answers of servers, names that others gave.
//!
//! Keeps true: what is shown moves no cursor, rings no bell, colours nothing, begins no line and turns no text around. Letters of
//! every script stay as they are.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character that is not one to look at written as an escape of Rust: `\n`, `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    shown(text, is_unseen)
}

/// The same, with ends of lines and tabs left as they are: for text of several lines that was put together here.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| is_unseen(c) && c != '\n' && c != '\t')
}

fn shown(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' if is_escaped(c) => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' if is_escaped(c) => shown.push_str("\\t"),
            c if is_escaped(c) => write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("a string takes everything"),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, separators of lines, marks that turn the direction of text, and what takes no room.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        for (raw, safe) in [
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{2066}x\u{2069}\u{200f}", "\\u{2066}x\\u{2069}\\u{200f}"),
            ("\u{9b}31m\u{85}\u{2028}", "\\u{9b}31m\\u{85}\\u{2028}"),
            ("\0\u{7f}\u{feff}", "\\u{0}\\u{7f}\\u{feff}"),
        ] {
            assert_eq!(plain(raw), safe, "{raw:?}");
            assert_eq!(plain(&plain(raw)), safe, "said twice it is the same");
        }
    }

    #[test]
    fn letters_stay() {
        for text in ["", "Zürich", "שלום", "می\u{200c}خواهم", "日本語", "👩\u{200d}🚀", "C:\\x"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(plain_lines("a\n\tb\u{1b}[0m\r"), "a\n\tb\\u{1b}[0m\\r");
    }
}

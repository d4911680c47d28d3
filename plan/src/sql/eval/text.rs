//! Functions of texts. Positions and lengths are in characters; a result longer than [`MOST_BYTES`] is null.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow_schema::DataType;

use super::lanes::{self, Lane};
use super::{MOST_BYTES, Result, Value, known, make};
use crate::sql::node::TextFunction;
use crate::sql::patterns::{Matcher, Template};

impl TextFunction {
    /// Whether nulls among the operands are left out.
    pub(super) fn takes_null(self) -> bool {
        matches!(self, Self::Concat | Self::ConcatWith)
    }
}

/// The operands of one row.
struct Row<'a> {
    texts: &'a [Option<(&'a StringArray, bool)>],
    numbers: &'a [Option<Lane<'a, i64>>],
    at: usize,
}

impl<'a> Row<'a> {
    fn text(&self, position: usize) -> &'a str {
        match self.texts[position] {
            Some((texts, scalar)) => texts.value(if scalar { 0 } else { self.at }),
            None => "",
        }
    }

    fn number(&self, position: usize) -> i64 {
        self.numbers[position].as_ref().map_or(0, |numbers| numbers.get(self.at))
    }

    fn known(&self, position: usize) -> Option<&'a str> {
        let (texts, scalar) = self.texts[position]?;
        let row = if scalar { 0 } else { self.at };
        texts.is_valid(row).then(|| texts.value(row))
    }
}

pub(super) fn apply(function: TextFunction, args: &[Value], len: usize) -> Result<ArrayRef> {
    use TextFunction as Of;
    let is_text = |arg: &Value| *arg.array.data_type() == DataType::Utf8;
    let texts: Vec<_> =
        args.iter().map(|arg| is_text(arg).then(|| (arg.array.as_string::<i32>(), arg.scalar))).collect();
    let numbers: Vec<_> = args
        .iter()
        .map(|arg| arg.array.data_type().is_integer().then(|| lanes::whole(arg)).transpose())
        .collect::<Result<_>>()?;
    let nulls = if function.takes_null() { None } else { known(args) };
    let at = |row: usize| Row { texts: &texts, numbers: &numbers, at: row };
    let is_known = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let condition = |holds: fn(&str, &str) -> bool| -> ArrayRef {
        let values = BooleanBuffer::collect_bool(len, |row| is_known(row) && holds(at(row).text(0), at(row).text(1)));
        Arc::new(BooleanArray::new(values, nulls.clone()))
    };
    let count = |count: fn(&Row<'_>) -> i64| -> ArrayRef {
        let values: Vec<_> = (0..len).map(|row| Some(if is_known(row) { count(&at(row)) } else { 0 })).collect();
        make::wholes(&values, nulls.clone(), &DataType::Int64)
    };
    Ok(match function {
        Of::Contains => condition(|text, part| text.contains(part)),
        Of::StartsWith => condition(|text, part| text.starts_with(part)),
        Of::EndsWith => condition(|text, part| text.ends_with(part)),
        Of::Length => count(|row| row.text(0).chars().count() as i64),
        Of::OctetLength => count(|row| row.text(0).len() as i64),
        Of::Position => count(|row| {
            let (text, part) = (row.text(0), row.text(1));
            text.find(part).map_or(0, |byte| text[..byte].chars().count() as i64 + 1)
        }),
        _ => {
            let mut out = StringBuilder::with_capacity(len, len * 8);
            for row in 0..len {
                let text = if is_known(row) { one(function, &at(row), args.len()) } else { None };
                match text.filter(|text| text.len() <= MOST_BYTES) {
                    Some(text) => out.append_value(text),
                    None => out.append_null(),
                }
            }
            Arc::new(out.finish())
        }
    })
}

/// The text that a function gives for a row; nothing where it has none, or none that is short enough.
fn one<'a>(function: TextFunction, row: &Row<'a>, args: usize) -> Option<Cow<'a, str>> {
    use TextFunction as Of;
    let text = || row.text(0);
    Some(match function {
        Of::Lower => text().to_lowercase().into(),
        Of::Upper => text().to_uppercase().into(),
        Of::Reverse => text().chars().rev().collect::<String>().into(),
        Of::Trim { start, end } => {
            let of = if args > 1 { row.text(1) } else { " " };
            let is_cut = |c: char| of.contains(c);
            let text = if start { text().trim_start_matches(is_cut) } else { text() };
            (if end { text.trim_end_matches(is_cut) } else { text }).into()
        }
        Of::Left => match row.number(1) {
            count @ 0.. => text()[..byte_of(text(), count)].into(),
            count => text()[..byte_from_end(text(), count)].into(),
        },
        Of::Right => match row.number(1) {
            count @ 0.. => text()[byte_from_end(text(), -count)..].into(),
            count => text()[byte_of(text(), count.saturating_neg())..].into(),
        },
        Of::Substring => {
            let start = i128::from(row.number(1)) - 1;
            let end = if args > 2 { start + i128::from(row.number(2)) } else { i128::MAX };
            if end < start {
                return None;
            }
            let place = |at: i128| byte_of(text(), at.clamp(0, i128::from(i64::MAX)) as i64);
            text()[place(start)..place(end)].into()
        }
        Of::Replace => replaced(text(), row.text(1), row.text(2))?.into(),
        Of::SplitPart => part(text(), row.text(1), row.number(2))?.into(),
        Of::Concat => joined((0..args).filter_map(|position| row.known(position)), "")?.into(),
        Of::Join => joined((0..args).map(|position| row.text(position)), "")?.into(),
        Of::ConcatWith => joined((1..args).filter_map(|position| row.known(position)), row.known(0)?)?.into(),
        _ => return None,
    })
}

/// The byte behind the first `count` characters.
fn byte_of(text: &str, count: i64) -> usize {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count >= text.len() && text.is_ascii() {
        return text.len();
    }
    text.char_indices().nth(count).map_or(text.len(), |(byte, _)| byte)
}

/// The byte before the last `-count` characters.
fn byte_from_end(text: &str, count: i64) -> usize {
    let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match count.checked_sub(1) {
        None => text.len(),
        Some(before) => text.char_indices().rev().nth(before).map_or(0, |(byte, _)| byte),
    }
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>, between: &str) -> Option<String> {
    let mut out = String::new();
    for (position, text) in texts.enumerate() {
        if position > 0 {
            out.push_str(between);
        }
        out.push_str(text);
        if out.len() > MOST_BYTES {
            return None;
        }
    }
    Some(out)
}

/// Every `from` replaced by `to`, from the left; nothing is an empty text's place.
fn replaced(text: &str, from: &str, to: &str) -> Option<String> {
    if from.is_empty() {
        return Some(text.to_owned());
    }
    let found = text.matches(from).count();
    let kept = text.len() - found * from.len();
    let len = found.checked_mul(to.len())?.checked_add(kept)?;
    (len <= MOST_BYTES).then(|| text.replace(from, to))
}

/// The part before the `number`-th separator, counted from 1, or from the end by −1.
fn part<'a>(text: &'a str, separator: &str, number: i64) -> Option<&'a str> {
    let at = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX).checked_sub(1)?;
    if separator.is_empty() {
        return Some(if at == 0 { text } else { "" });
    }
    let found = if number > 0 { text.split(separator).nth(at) } else { text.rsplit(separator).nth(at) };
    Some(found.unwrap_or_default())
}

pub(super) fn matches(matcher: &Matcher, negated: bool, value: &Value, len: usize) -> ArrayRef {
    let texts = value.array.as_string::<i32>();
    let values =
        BooleanBuffer::collect_bool(len, |row| texts.is_valid(row) && matcher.is_match(texts.value(row)) != negated);
    Arc::new(BooleanArray::new(values, texts.nulls().cloned()))
}

/// How often a pattern is found, from a character on (counted from 1) if one is given.
pub(super) fn count(matcher: &Matcher, args: &[Value], len: usize) -> Result<ArrayRef> {
    let (texts, scalar) = (args[0].array.as_string::<i32>(), args[0].scalar);
    let from = args.get(1).map(lanes::whole).transpose()?;
    let nulls = known(args);
    let one = |row: usize| {
        let text = texts.value(if scalar { 0 } else { row });
        let from = from.as_ref().map_or(1, |from| from.get(row));
        (from > 0).then(|| matcher.count(&text[byte_of(text, from - 1)..]))
    };
    let values: Vec<_> =
        (0..len).map(|row| if nulls.as_ref().is_none_or(|n| n.is_valid(row)) { one(row) } else { None }).collect();
    Ok(make::wholes(&values, nulls, &DataType::Int64))
}

/// What a pattern finds, replaced by a template: one for all rows, or the second operand.
pub(super) fn replace_matches(
    matcher: &Matcher,
    global: bool,
    template: Option<&Template>,
    args: &[Value],
    len: usize,
) -> ArrayRef {
    let nulls = known(args);
    let text =
        |arg: &Value, row: usize| arg.array.as_string::<i32>().value(if arg.scalar { 0 } else { row }).to_owned();
    let mut out = StringBuilder::with_capacity(len, len * 8);
    for row in 0..len {
        let replace = |template: &Template| matcher.replace(&text(&args[0], row), template, global, MOST_BYTES);
        let replaced = match template {
            _ if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) => None,
            Some(template) => replace(template),
            None => replace(&Template::read(&text(&args[1], row))),
        };
        match replaced {
            Some(text) => out.append_value(text),
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

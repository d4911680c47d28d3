//! Functions of texts, over their characters.

use crate::value::Value;

fn text(chars: impl IntoIterator<Item = char>) -> Value {
    Value::Text(chars.into_iter().collect())
}

/// A function of texts and whole numbers that are all known.
pub fn call(name: &str, args: &[Value]) -> Option<Value> {
    let chars = |at: usize| -> Vec<char> {
        match &args[at] {
            Value::Text(text) => text.chars().collect(),
            other => panic!("{other:?} is no text"),
        }
    };
    let number =
        |at: usize| if let Value::Whole(value) = args[at] { value } else { panic!("{:?} is no number", args[at]) };
    let of = chars(0);
    let count = of.len() as i128;
    let within = |from: i128, to: i128| -> Vec<char> {
        let at = |place: i128| place.clamp(0, count) as usize;
        if from >= to { vec![] } else { of[at(from)..at(to)].to_vec() }
    };
    let string = |at: usize| chars(at).into_iter().collect::<String>();
    Some(match name {
        "char_length" => Value::Whole(count),
        "octet_length" => Value::Whole(of.iter().map(|c| c.len_utf8() as i128).sum()),
        "lower" => Value::Text(string(0).to_lowercase()),
        "upper" => Value::Text(string(0).to_uppercase()),
        "reverse" => text(of.into_iter().rev()),
        "btrim" | "ltrim" | "rtrim" => {
            let is_kept = |c: &char| *c != ' ';
            let first = if name == "rtrim" { 0 } else { of.iter().position(is_kept).unwrap_or(of.len()) };
            let last = if name == "ltrim" { of.len() } else { of.iter().rposition(is_kept).map_or(0, |at| at + 1) };
            text(of[first.min(last)..last].to_vec())
        }
        "left" if number(1) >= 0 => text(within(0, number(1))),
        "left" => text(within(0, count + number(1))),
        "right" if number(1) >= 0 => text(within(count - number(1), count)),
        "right" => text(within(-number(1), count)),
        "substr" if args.len() == 2 => text(within(number(1) - 1, count)),
        "substr" if number(2) < 0 => return None,
        "substr" => text(within(number(1) - 1, number(1) - 1 + number(2))),
        "strpos" => {
            let part = chars(1);
            let found = (0..=of.len().saturating_sub(part.len())).find(|at| of[*at..].starts_with(&part));
            Value::Whole(found.map_or(0, |at| at as i128 + 1))
        }
        "contains" => Value::Boolean((0..=of.len()).any(|at| of[at..].starts_with(&chars(1)))),
        "starts_with" => Value::Boolean(of.starts_with(&chars(1))),
        "ends_with" => Value::Boolean(of.ends_with(&chars(1))),
        "replace" => {
            let (from, to) = (chars(1), chars(2));
            let pieces = split(&of, &from);
            text(pieces.join(&to[..]))
        }
        "split_part" => {
            let pieces = split(&of, &chars(1));
            let at = if number(2) > 0 { number(2) - 1 } else { pieces.len() as i128 + number(2) };
            text(usize::try_from(at).ok().and_then(|at| pieces.get(at).cloned()).unwrap_or_default())
        }
        other => panic!("there is no function '{other}'"),
    })
}

/// The pieces between separators; all of it where the separator is empty.
fn split(of: &[char], by: &[char]) -> Vec<Vec<char>> {
    let (mut pieces, mut piece, mut at) = (vec![], vec![], 0);
    while at < of.len() {
        if !by.is_empty() && of[at..].starts_with(by) {
            pieces.push(std::mem::take(&mut piece));
            at += by.len();
        } else {
            piece.push(of[at]);
            at += 1;
        }
    }
    pieces.push(piece);
    pieces
}

/// `%` any characters, `_` one.
pub fn like(of: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => of.is_empty(),
        Some(('%', rest)) => (0..=of.len()).any(|at| like(&of[at..], rest)),
        Some(('_', rest)) => !of.is_empty() && like(&of[1..], rest),
        Some((one, rest)) => of.first() == Some(one) && like(&of[1..], rest),
    }
}

//! Every problem of a manifest's shape at once: fields that do not exist, are missing, are there twice, or hold another
//! kind of value.
//!
//! Keeps true: a manifest without such problems can be read into the resource's types; one with them too, with something that
//! stands in for what cannot be read or is not there, so that everything else can be judged.

use plan::{Path, Problem, Segment, nearest, quoted, suggest};
use schemas::spec::Duration;
use serde_json::{Map, Value};

use super::codes;
use super::form::Form;
use super::tree::{Content, Entry, Node};

/// A manifest's shape: its value without unknown fields, and what is wrong.
#[derive(Debug)]
pub struct Shape {
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// The manifest without unknown fields.
    pub value: Value,
    /// Where the value holds something else than what was written, which cannot be read or is not there.
    pub stand_ins: Vec<Path>,
    understudy: Understudy,
}

/// What stands in: two that have nothing in common, so that what is said with both is not about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Understudy {
    /// Small values, the first words.
    First,
    /// Large values, the last words.
    Second,
}

impl Shape {
    /// Checks a document.
    pub fn of(document: &Node, understudy: Understudy) -> Self {
        let mut shape = Self { problems: Vec::new(), value: Value::Null, stand_ins: Vec::new(), understudy };
        shape.value = shape.node(document, Form::pipeline(), &Path::default());
        shape
    }

    fn node(&mut self, node: &Node, form: Form, path: &Path) -> Value {
        let kinds = form.kinds();
        match &node.content {
            Content::Map(entries) if kinds.map => self.map(entries, form, path),
            Content::List(items) if kinds.list => {
                let Some(item) = form.item() else { return node.value() };
                Value::Array(
                    items.iter().enumerate().map(|(at, node)| self.node(node, item, &path.index(at))).collect(),
                )
            }
            Content::Scalar(scalar) => {
                let value = scalar.value();
                match wrong_scalar(&value, &scalar.text, form, path) {
                    Some(problem) => self.stand_in(problem, &scalar.text, form, path),
                    None => value,
                }
            }
            Content::Map(_) => self.stand_in(kind_problem(form, path, "a mapping"), "", form, path),
            Content::List(items) => {
                let problem = kind_problem(form, path, "a list");
                let texts =
                    items.iter().map(|item| item.value().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                let joined = texts.filter(|texts| is_servers(path) && !texts.is_empty()).map(|texts| texts.join(","));
                let problem = match joined {
                    Some(joined) => problem.help(format!("write one string: \"{joined}\"")),
                    None => problem,
                };
                self.stand_in(problem, "", form, path)
            }
        }
    }

    fn map(&mut self, entries: &[Entry], form: Form, path: &Path) -> Value {
        let mut value = Map::new();
        for (at, entry) in entries.iter().enumerate() {
            let again = |other: &Entry| other.key == entry.key;
            if entries[at + 1..].iter().any(again) {
                continue;
            }
            let path = path.key(&entry.key);
            let Some(field) = form.field(&entry.key) else {
                let message = format!("unknown field '{}'", entry.key);
                let help = suggest(&entry.key, &form.fields());
                self.problems.push(Problem::new(codes::FIELD_UNKNOWN, path, message).help(help));
                continue;
            };
            if entries[..at].iter().any(again) {
                let message = format!("field '{}' is there twice", entry.key);
                self.problems.push(Problem::new(codes::FIELD_TWICE, path.clone(), message).help("keep one of them"));
                self.stand_ins.push(path.clone());
            }
            value.insert(entry.key.clone(), self.node(&entry.value, field, &path));
        }
        let meant = |name: &str| {
            entries
                .iter()
                .any(|entry| form.field(&entry.key).is_none() && nearest(&entry.key, form.fields()) == Some(name))
        };
        for name in form.required() {
            if value.contains_key(name) {
                continue;
            }
            if !meant(name) {
                let problem = Problem::new(codes::FIELD_MISSING, path.clone(), format!("missing field '{name}'"));
                let without_id = if name == "eventId" {
                    "; no event is counted without an id, by which it is known when it comes twice: name a field that is different for \
                     each event, or let the producers add one"
                } else {
                    ""
                };
                self.problems.push(problem.help(format!("required are {}{without_id}", quoted(form.required()))));
            }
            if let Some(field) = form.field(name) {
                self.stand_ins.push(path.key(name));
                value.insert(name.to_owned(), self.understudy.of("", field));
            }
        }
        Value::Object(value)
    }

    /// Something that can be read in the place of what was written, so that the rest can be judged.
    fn stand_in(&mut self, problem: Problem, text: &str, form: Form, path: &Path) -> Value {
        self.problems.push(problem);
        self.stand_ins.push(path.clone());
        self.understudy.of(text, form)
    }
}

impl Understudy {
    /// A value of that form. A word that is nearly `text` is likely what was meant.
    fn of(self, text: &str, form: Form) -> Value {
        let (kinds, words) = (form.kinds(), form.words());
        let either = |first: &str, second: &str| Value::from(if self == Self::First { first } else { second });
        match (words.first(), words.last()) {
            (Some(first), Some(last)) => {
                return nearest(text, words.iter().copied()).map_or_else(|| either(first, last), Value::from);
            }
            _ if form.is_duration() => return either("1m", "10000d"),
            _ => {}
        }
        if kinds.map {
            // One of them lacks what may be left out, the other has it, as what was meant may do either.
            let names = if self == Self::First { form.required() } else { form.fields() };
            let fields = names.into_iter().filter_map(|name| Some((name.to_owned(), self.of("", form.field(name)?))));
            Value::Object(fields.collect())
        } else if kinds.list {
            Value::Array(Vec::new())
        } else if kinds.text {
            either("x", "y")
        } else if kinds.boolean {
            Value::from(self == Self::Second)
        } else {
            let (least, most) = form.bounds();
            let number = if self == Self::First { 1.clamp(least, most) } else { most };
            i64::try_from(number).map_or(Value::Null, Value::from)
        }
    }
}

/// Whether it is the field in which several servers stand as one text, separated by commas.
fn is_servers(path: &Path) -> bool {
    *path == Path::of("spec.kafka.bootstrapServers")
}

fn wrong_scalar(value: &Value, text: &str, form: Form, path: &Path) -> Option<Problem> {
    let kinds = form.kinds();
    match value {
        Value::String(text) if kinds.text => wrong_text(text, form, path),
        Value::Number(_) if form.is_duration() => wrong_text(text, form, path),
        Value::Number(number) if kinds.whole && !number.is_f64() => {
            let (least, most) = form.bounds();
            let number = number.as_i64().map_or_else(|| number.as_u64().map(i128::from), |n| Some(n.into()))?;
            let allowed = format!("allowed is a whole number from {least} to {most}");
            (!(least..=most).contains(&number))
                .then(|| Problem::new(codes::VALUE, path.clone(), format!("{number} is out of range")).help(allowed))
        }
        Value::Bool(_) if kinds.boolean => None,
        Value::Null if kinds.null => None,
        Value::Null => Some(kind_problem(form, path, "nothing")),
        Value::String(text) => Some(kind_problem(form, path, &format!("the string '{text}'"))),
        Value::Bool(_) => {
            Some(kind_problem(form, path, &format!("the boolean '{text}'")).help_quotes(kinds.text, text))
        }
        _ => Some(kind_problem(form, path, &format!("the number {text}")).help_quotes(kinds.text, text)),
    }
}

fn wrong_text(text: &str, form: Form, path: &Path) -> Option<Problem> {
    let words = form.words();
    if !words.is_empty() && !words.contains(&text) {
        let problem = Problem::new(codes::VALUE, path.clone(), format!("unknown value '{text}'"));
        return Some(problem.help(suggest(text, &words)));
    }
    if form.is_duration() {
        let message = text.parse::<Duration>().err()?.to_string();
        let (message, help) = message.split_once(": ").unwrap_or((&message, ""));
        return Some(Problem::new(codes::VALUE, path.clone(), message).help(help));
    }
    None
}

fn kind_problem(form: Form, path: &Path, found: &str) -> Problem {
    let kinds = form.kinds();
    let expected = match (kinds.map, kinds.list, kinds.text, kinds.whole) {
        (true, ..) => "a mapping",
        (_, true, ..) => "a list",
        (.., true, true) => "a string or a whole number",
        (.., true, false) => "a string",
        (.., true) => "a whole number",
        _ => "'true' or 'false'",
    };
    let problem = Problem::new(codes::TYPE, path.clone(), format!("expected {expected}, found {found}"));
    // A schema is JSON in a text, and JSON is YAML as well.
    if path.0.last().is_some_and(|name| matches!(name, Segment::Key(name) if name == "avro")) {
        return problem.help("write it as text: 'avro: |', and the schema's JSON below, indented");
    }
    let fields = form.fields();
    if fields.is_empty() { problem } else { problem.help(format!("allowed fields are {}", quoted(fields))) }
}

trait HelpQuotes {
    fn help_quotes(self, text_is_allowed: bool, text: &str) -> Self;
}

impl HelpQuotes for Problem {
    fn help_quotes(self, text_is_allowed: bool, text: &str) -> Self {
        if text_is_allowed { self.help(format!("put it in quotes: \"{text}\"")) } else { self }
    }
}

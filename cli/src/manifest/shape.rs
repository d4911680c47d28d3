//! Every problem of a manifest's shape at once: fields that do not exist, are missing, are there twice, or hold another
//! kind of value.
//!
//! Keeps true: a manifest without such problems can be read into the resource's types.

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
    /// Whether the value can be read in spite of the problems: only unknown fields and wrong scalars stood in the way.
    pub readable: bool,
    /// Where the value holds something else than what was written, which cannot be read.
    pub stand_ins: Vec<Path>,
}

impl Shape {
    /// Checks a document.
    pub fn of(document: &Node) -> Self {
        let mut shape = Self { problems: Vec::new(), value: Value::Null, readable: true, stand_ins: Vec::new() };
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
            Content::Map(_) => self.refuse_kind(form, path, "a mapping"),
            Content::List(_) => self.refuse_kind(form, path, "a list"),
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
                self.refuse(Problem::new(codes::FIELD_TWICE, path.clone(), message).help("keep one of them"));
            }
            value.insert(entry.key.clone(), self.node(&entry.value, field, &path));
        }
        let meant = |name: &str| {
            entries
                .iter()
                .any(|entry| form.field(&entry.key).is_none() && nearest(&entry.key, form.fields()) == Some(name))
        };
        for name in form.required() {
            if !value.contains_key(name) && meant(name) {
                self.readable = false;
            } else if !value.contains_key(name) {
                let problem = Problem::new(codes::FIELD_MISSING, path.clone(), format!("missing field '{name}'"));
                self.refuse(problem.help(format!("required are {}", quoted(form.required()))));
            }
        }
        Value::Object(value)
    }

    /// Something that can be read in the place of a wrong scalar, so that the rest can be judged.
    fn stand_in(&mut self, problem: Problem, text: &str, form: Form, path: &Path) -> Value {
        let (kinds, words) = (form.kinds(), form.words());
        let value = match words.first() {
            Some(first) => Value::from(nearest(text, words.iter().copied()).unwrap_or(first)),
            None if form.is_duration() => Value::from("1m"),
            None if kinds.text => Value::from("x"),
            None if kinds.boolean => Value::from(false),
            None if kinds.whole => {
                let (least, most) = form.bounds();
                i64::try_from(1.clamp(least, most)).map_or(Value::Null, Value::from)
            }
            None => Value::Null,
        };
        if value.is_null() {
            self.refuse(problem);
        } else {
            self.problems.push(problem);
            self.stand_ins.push(path.clone());
        }
        value
    }

    fn refuse(&mut self, problem: Problem) {
        self.readable = false;
        self.problems.push(problem);
    }

    fn refuse_kind(&mut self, form: Form, path: &Path, found: &str) -> Value {
        let mut problem = kind_problem(form, path, found);
        // A schema is JSON in a text, and JSON is YAML as well.
        if let Some(Segment::Key(name)) = path.0.last()
            && name == "avro"
        {
            problem = problem.help(format!("write it as text: '{name}: |', and the schema's JSON below, indented"));
        }
        self.refuse(problem);
        Value::Null
    }
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

//! The pages of `docs/reference/` that follow from the types: fields, conditions, reasons, events.

use schemas::spec;
use schemas::status::{ConditionType, EventReason, Reason};
use serde_json::Value;

use super::crd::{of, schema};

const HEAD: &str = "<!-- Generated from the types in schemas/; `make generate` writes it again. -->";

/// `fields.md`: every field of `spec` and `status`, a table per object.
pub fn fields() -> String {
    let schema = schema();
    let mut lines = vec![
        format!("{HEAD}\n\n# Fields of `{}`\n\nVersion `{}`.", spec::KIND, spec::API_VERSION),
        "Fields without a default may be left out unless they are required. What is said under a table is about several".into(),
        "fields together, or about edits; the API server checks all of it.".into(),
    ];
    rules(&schema, &mut lines);
    for part in ["spec", "status"] {
        object(part, &schema["properties"][part], &mut lines);
    }
    page(&lines)
}

/// `conditions.md`: condition types, reasons by the condition that they come from, reasons of events.
pub fn conditions() -> String {
    let mut lines = vec![
        format!("{HEAD}\n\n# Conditions, reasons and events\n"),
        "Each condition can be waited for: `kubectl wait --for=condition=Ready apl/revenue-5m`.".into(),
    ];
    let (types, reasons, events) = (of::<ConditionType>(), of::<Reason>(), of::<EventReason>());
    for condition in ConditionType::ALL {
        let (about, _) = meaning(&types, condition.as_str());
        lines.push(format!("\n## {}\n\n{about}", condition.as_str()));
        let mut own = Reason::ALL.iter().filter(|reason| reason.origin() == condition).peekable();
        if own.peek().is_some() {
            lines.push("\n| reason | what it means | what to do |\n|---|---|---|".into());
        }
        lines.extend(own.map(|reason| {
            let (means, action) = meaning(&reasons, reason.as_str());
            format!("| `{}` | {means} | {action} |", reason.as_str())
        }));
    }
    lines.push("\n## Events\n\n| reason | what happened |\n|---|---|".into());
    let events = EventReason::ALL
        .iter()
        .map(|event| format!("| `{}` | {} |", event.as_str(), meaning(&events, event.as_str()).0));
    lines.extend(events);
    page(&lines)
}

fn page(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// The paragraphs about a word of an enum: the first, and the rest.
fn meaning(words: &Value, word: &str) -> (String, String) {
    let about = words["description"].as_str().unwrap_or_default();
    let start = format!("`{word}`: ");
    let mut paragraphs = about.split("\n\n").skip_while(|paragraph| !paragraph.starts_with(&start));
    let first = paragraphs.next().map(|paragraph| paragraph[start.len()..].to_owned()).unwrap_or_default();
    let rest: Vec<&str> = paragraphs.take_while(|paragraph| !is_word(paragraph)).collect();
    (first, rest.join(" "))
}

/// Whether a paragraph begins with the next word of the enum: `` `Word`: ``.
fn is_word(paragraph: &str) -> bool {
    let word = paragraph.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
    word.is_some_and(|(word, _)| word.chars().all(char::is_alphanumeric))
}

/// The table of an object, and of all objects below it.
fn object(path: &str, schema: &Value, lines: &mut Vec<String>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    lines.push(format!("\n## {path}\n\n| field | type | default | allowed | meaning |\n|---|---|---|---|---|"));
    let properties = schema["properties"].as_object();
    for (name, field) in properties.into_iter().flatten() {
        let default = match (field.get("default"), required.contains(&name.as_str())) {
            (Some(default), _) if !below(field).0["properties"].is_object() => format!("`{default}`"),
            (_, true) => "required".to_owned(),
            _ => String::new(),
        };
        let about = field["description"].as_str().unwrap_or_default().replace("\n\n", "<br>").replace('|', "\\|");
        lines.push(format!("| `{name}` | {} | {default} | {} | {about} |", kind(field), allowed(field)));
    }
    rules(schema, lines);
    for (name, field) in properties.into_iter().flatten() {
        let (inner, suffix) = below(field);
        if inner["properties"].is_object() {
            object(&format!("{path}.{name}{suffix}"), inner, lines);
        }
    }
}

/// The object that a field is or holds, and how its path goes on.
fn below(field: &Value) -> (&Value, &'static str) {
    if field["type"] == "array" { (&field["items"], "[]") } else { (field, "") }
}

fn kind(field: &Value) -> String {
    match field["type"].as_str() {
        Some("array") => format!("list of {}", kind(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map to {}", kind(&field["additionalProperties"]))
        }
        Some("string") if field["format"] == "date-time" => "time".to_owned(),
        Some(kind) => kind.to_owned(),
        None => "integer or string".to_owned(),
    }
}

/// The bounds of a field in words, those of its rules included.
fn allowed(field: &Value) -> String {
    let mut words = Vec::new();
    let bounds = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minItems", "at least"),
        ("maxItems", "at most"),
        ("maxProperties", "at most"),
        ("maxLength", "at most"),
    ];
    for (key, word) in bounds {
        let unit = match key {
            "minItems" | "maxItems" | "maxProperties" => " entries",
            "maxLength" => " characters",
            _ => "",
        };
        words.extend(field.get(key).map(|bound| format!("{word} {bound}{unit}")));
    }
    let pattern = field["pattern"].as_str().map(|pattern| format!("matches `{}`", pattern.replace('|', "\\|")));
    words.extend(pattern);
    if field["type"] != "object" {
        words.extend(messages(field));
    }
    words.join("; ")
}

/// What the rules of an object say, as a list.
fn rules(schema: &Value, lines: &mut Vec<String>) {
    let mut messages = messages(schema).map(|message| format!("- {message}")).peekable();
    if messages.peek().is_some() {
        lines.push(String::new());
    }
    lines.extend(messages);
}

fn messages(schema: &Value) -> impl Iterator<Item = String> + '_ {
    schema["x-kubernetes-validations"].as_array().into_iter().flatten().map(|rule| {
        let message = rule["message"].as_str().unwrap_or_default();
        match rule["fieldPath"].as_str() {
            Some(field) => format!("`{}`: {message}", field.trim_start_matches('.')),
            None => message.to_owned(),
        }
    })
}

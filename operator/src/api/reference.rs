//! The pages of `docs/reference/` that follow from the types: fields, conditions, reasons, events.

use std::fmt::Write as _;

use schemas::spec;
use schemas::status::{ConditionType, EventReason, Reason};
use serde_json::Value;

use super::crd::{of, schema};

const HEAD: &str = "<!-- Generated from the types in schemas/; `make generate` writes it again. -->";

/// `fields.md`: every field of `spec` and `status`, a table per object.
pub fn fields() -> String {
    let schema = schema();
    let mut page = format!(
        "{HEAD}\n\n# Fields of `{}`\n\nVersion `{}`. Fields without a default may be left out unless they are required. \
         What is said under a table holds for several fields together; the API server checks all of it.\n",
        spec::KIND,
        spec::API_VERSION
    );
    rules(&schema, &mut page);
    for part in ["spec", "status"] {
        object(part, &schema["properties"][part], &mut page);
    }
    page
}

/// `conditions.md`: condition types, reasons by the condition that they come from, reasons of events.
pub fn conditions() -> String {
    let mut page = format!(
        "{HEAD}\n\n# Conditions, reasons and events\n\n`kubectl wait --for=condition=Ready` waits for any of these conditions. \
         `Ready` repeats the reason and the message of the first condition that keeps it from being true.\n"
    );
    let types = of::<ConditionType>();
    let reasons = of::<Reason>();
    for condition in ConditionType::ALL {
        let (about, _) = meaning(&types, condition.as_str());
        write!(page, "\n## {}\n\n{about}\n", condition.as_str()).expect("writing to a string");
        let own: Vec<&Reason> = Reason::ALL.iter().filter(|reason| reason.origin() == condition).collect();
        if own.is_empty() {
            continue;
        }
        page.push_str("\n| reason | what it means | what to do |\n|---|---|---|\n");
        for reason in own {
            let (means, action) = meaning(&reasons, reason.as_str());
            writeln!(page, "| `{}` | {means} | {action} |", reason.as_str()).expect("writing to a string");
        }
    }
    let events = of::<EventReason>();
    page.push_str("\n## Events\n\n| reason | what happened |\n|---|---|\n");
    for event in EventReason::ALL {
        writeln!(page, "| `{}` | {} |", event.as_str(), meaning(&events, event.as_str()).0)
            .expect("writing to a string");
    }
    page
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
fn object(path: &str, schema: &Value, page: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    write!(page, "\n## {path}\n\n| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
        .expect("writing to a string");
    let properties = schema["properties"].as_object();
    for (name, field) in properties.into_iter().flatten() {
        let default = match (field.get("default"), required.contains(&name.as_str())) {
            (Some(default), _) if !below(field).0["properties"].is_object() => format!("`{default}`"),
            (_, true) => "required".to_owned(),
            _ => String::new(),
        };
        let about = field["description"].as_str().unwrap_or_default().replace("\n\n", "<br>").replace('|', "\\|");
        writeln!(page, "| `{name}` | {} | {default} | {} | {about} |", kind(field), allowed(field))
            .expect("writing to a string");
    }
    rules(schema, page);
    for (name, field) in properties.into_iter().flatten() {
        let (inner, suffix) = below(field);
        if inner["properties"].is_object() {
            object(&format!("{path}.{name}{suffix}"), inner, page);
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
fn rules(schema: &Value, page: &mut String) {
    let messages: Vec<String> = messages(schema).map(|message| format!("- {message}\n")).collect();
    if !messages.is_empty() {
        write!(page, "\n{}", messages.concat()).expect("writing to a string");
    }
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

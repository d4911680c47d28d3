//! A JSON schema of `schemars` as the API server wants it: structural, every type plain, every enum a list of words.
//!
//! Keeps true: nothing that validates is lost on the way, except that `null` stops being a value. The API server drops nulls
//! from fields that do not take them, so for a user an explicit `null` still means "absent".

use serde_json::{Map, Value, json};

/// Formats that the API server knows; others would be warned of at every apply.
const FORMATS: [&str; 3] = ["date-time", "int32", "int64"];

/// Rewrites `schema` and all that is below it.
pub(super) fn restructure(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    unwrap_optional(schema);
    list_words(schema);
    for key in ["$schema", "title", "nullable"] {
        schema.remove(key);
    }
    schema.retain(|key, value| match key.as_str() {
        "format" => FORMATS.iter().any(|format| value == format),
        "additionalProperties" => value.is_object(),
        "default" => !value.is_null(),
        _ => true,
    });
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = flowed(description);
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(restructure);
    }
    for key in ["items", "additionalProperties"] {
        schema.get_mut(key).into_iter().for_each(restructure);
    }
}

/// `Option`: what it may hold, without null.
fn unwrap_optional(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(mut choices)) = schema.remove("anyOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    match (choices.pop(), choices.is_empty()) {
        (Some(Value::Object(only)), true) => {
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
            unwrap_optional(schema);
        }
        (last, _) => {
            choices.extend(last);
            schema.insert("anyOf".to_owned(), choices.into());
        }
    }
}

/// An enum: its words as a list, and what each means in the description.
fn list_words(schema: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    let words: Vec<Value> = variants.iter().map(|variant| variant["const"].clone()).collect();
    let meanings: Vec<String> = variants
        .iter()
        .map(|variant| format!("`{}`: {}", text(&variant["const"]), flowed(text(&variant["description"]))))
        .collect();
    let about = schema.get("description").map(text).unwrap_or_default();
    let about = format!("{}\n\n{}", flowed(about), meanings.join("\n\n"));
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), words.into());
    schema.insert("description".to_owned(), json!(about));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Paragraphs on one line each: the breaks of the source code mean nothing.
fn flowed(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restructured(mut schema: Value) -> Value {
        restructure(&mut schema);
        schema
    }

    #[test]
    fn an_optional_object_keeps_its_own_words_and_rules() {
        let schema = json!({
            "description": "Mine.",
            "anyOf": [
                {
                    "type": ["object", "null"], "description": "The type's.", "additionalProperties": false,
                    "x-kubernetes-validations": []
                },
                {"type": "null"}
            ]
        });
        let expected = json!({"description": "Mine.", "type": "object", "x-kubernetes-validations": []});
        assert_eq!(restructured(schema), expected);
    }

    #[test]
    fn an_enum_is_a_list_of_words() {
        let schema = json!({"description": "Which.", "oneOf": [
            {"const": "One", "type": "string", "description": "The\nfirst."},
            {"const": "Two", "type": "string", "description": "The second."}
        ]});
        let expected = json!({
            "description": "Which.\n\n`One`: The first.\n\n`Two`: The second.", "type": "string", "enum": ["One", "Two"]
        });
        assert_eq!(restructured(schema), expected);
    }

    #[test]
    fn a_number_or_string_stays_either() {
        let either = json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true});
        assert_eq!(restructured(json!({"anyOf": [either, {"type": "null"}]})), either);
        assert_eq!(restructured(json!({"type": ["integer", "null"], "format": "uint32"})), json!({"type": "integer"}));
    }
}

//! The definition keeps the conventions of Kubernetes' API at every field, and fills in what the types fill in.

use serde_json::{Map, Value, json};

use kube::Resource as _;
use schemas::spec;

use super::crd::schema;
use super::{AnalyticsPipeline, crd, crd_yaml};

#[test]
fn the_names_are_those_of_the_manifest() {
    assert_eq!(AnalyticsPipeline::api_version(&()), spec::API_VERSION);
    let path = AnalyticsPipeline::url_path(&(), Some("team"));
    assert_eq!(path, "/apis/sluice.dev/v1alpha1/namespaces/team/analyticspipelines");
}

/// Walks a schema, and collects what is missing where.
fn walk(path: &str, schema: &Value, wrong: &mut Vec<String>) {
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{path}: {what}"));
        }
    };
    let has = |key: &str| schema.get(key).is_some();
    let either = schema["x-kubernetes-int-or-string"] == true;
    demand(!has("nullable") && !has("oneOf") && !has("$ref"), "is not structural");
    demand(has("anyOf") == either, "has alternatives");
    // Units of time are the symbols that durations have too.
    let symbols: &[&str] = if path.ends_with("TimeUnit") { &["s", "ms", "us", "ns"] } else { &[] };
    let words = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
            || symbols.contains(&text)
    };
    for word in schema["enum"].as_array().into_iter().flatten() {
        demand(word.as_str().is_some_and(words), &format!("has the word {word}, which is not in Pascal case"));
    }
    match schema["type"].as_str() {
        None if either => demand(has("maxLength"), "has no length"),
        Some("boolean") => {}
        Some("string") => demand(has("maxLength") || has("enum"), "has no length"),
        Some("integer") => demand(has("minimum") && has("maximum"), "has no range"),
        Some("array") => {
            demand(has("maxItems"), "has no count");
            demand(has("x-kubernetes-list-type"), "has no list type");
            walk(&format!("{path}[]"), &schema["items"], wrong);
        }
        Some("object") if has("properties") => {
            demand(!has("additionalProperties"), "takes any field");
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{name}");
                if property["description"].as_str().is_none_or(str::is_empty) {
                    wrong.push(format!("{path}: has no description"));
                }
                walk(&path, property, wrong);
            }
        }
        Some("object") if has("additionalProperties") => {
            demand(has("maxProperties"), "has no count");
            walk(&format!("{path}{{}}"), &schema["additionalProperties"], wrong);
        }
        Some("object") => demand(path == ".status.epochs.previous.spec", "has no fields"),
        other => demand(false, &format!("has the type {other:?}")),
    }
}

#[test]
fn every_field_is_described_and_bounded() {
    let schema = schema();
    let mut wrong = Vec::new();
    for part in ["spec", "status"] {
        walk(&format!(".{part}"), &schema["properties"][part], &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_walk_finds_what_is_missing() {
    let bad = json!({"type": "object", "properties": {
        "text": {"type": "string", "description": "Text."},
        "number": {"type": "integer", "description": "Number.", "minimum": 0},
        "share": {"type": "number", "description": "Share."},
        "list": {"type": "array", "description": "List.", "maxItems": 1, "items": {"type": "boolean"}},
        "word": {"type": "string", "description": "Word.", "enum": ["snake_case"]},
        "silent": {"type": "boolean"},
        "map": {"type": "object", "description": "Map.", "additionalProperties": {"type": "string", "maxLength": 1}},
    }});
    let mut wrong = Vec::new();
    walk("", &bad, &mut wrong);
    assert_eq!(wrong.len(), 7, "{wrong:?}");
}

#[test]
fn the_definition_is_one_and_small_enough() {
    let crd = crd();
    assert_eq!(crd.metadata.name.as_deref(), Some("analyticspipelines.sluice.dev"));
    assert_eq!(crd.spec.names.short_names.as_deref(), Some(&["apl".to_owned()][..]));
    let bytes = crd_yaml().len();
    assert!(bytes < 150_000, "{bytes} bytes of YAML");
}

/// Fills in defaults as the API server does: where a field is missing, and then inside of it.
fn fill(value: &mut Value, schema: &Value) {
    let Value::Object(fields) = value else {
        value.as_array_mut().into_iter().flatten().for_each(|item| fill(item, &schema["items"]));
        return;
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            fields.entry(name).or_insert_with(|| default.clone());
        }
        fields.get_mut(name).into_iter().for_each(|field| fill(field, property));
    }
}

#[test]
fn the_api_server_fills_in_what_the_types_fill_in() {
    let mut manifest = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "AnalyticsPipeline", "metadata": {"name": "p"},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9092", "security": {"protocol": "Ssl", "caSecretRef": {"name": "ca"}}},
            "schemaRegistry": {"url": "http://registry:8081"},
            "source": {"topic": {"name": "t"}, "schema": {"subject": "s", "avro": "{}"}, "eventId": "i", "eventTime": "t"},
            "quality": {"rules": [{"name": "r", "required": ["i"]}]},
            "window": {"size": "5m"},
            "measures": [{"name": "n", "expression": "count(*)"}],
            "sink": {"path": "file:///data"},
            "deadLetter": {"topic": {"name": "d"}},
            "workers": {"pod": {"tolerations": [{"key": "k"}], "topologySpread": [{"topologyKey": "zone"}]}}
        }
    });
    let read: AnalyticsPipeline = serde_json::from_value(manifest.clone()).expect("a manifest");
    fill(&mut manifest, &schema());
    let mut filled = manifest["spec"].clone();
    let mut written = serde_json::to_value(read.spec).expect("plain data");
    // The types leave empty maps out when they write; the API server keeps those that a default brings.
    [&mut filled, &mut written].into_iter().for_each(drop_empty);
    assert_eq!(filled, written);
}

fn drop_empty(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.values_mut().for_each(drop_empty);
    let kept: Map<String, Value> =
        std::mem::take(fields).into_iter().filter(|(_, field)| *field != json!({})).collect();
    *fields = kept;
}

//! The `CustomResourceDefinition`: the schema of the resource, and how the API server and kubectl present it.
//!
//! It is generated from the types and doc comments of the `schemas` crate, nothing is written twice.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemas::spec;
use schemas::status::AnalyticsPipelineStatus;
use serde_json::{Value, json};

use super::structural::restructure;
use super::{GROUP, PLURAL, VERSION};

/// The definition, as the API server takes it.
///
/// # Panics
/// If it has not the shape of one, which a test rules out.
pub fn crd() -> CustomResourceDefinition {
    serde_json::from_value(definition()).expect("the definition has the shape of one; a test reads it")
}

/// The definition as YAML, as it lies in `crds/`.
///
/// # Panics
/// If plain data cannot be written as YAML, which a test rules out.
pub fn crd_yaml() -> String {
    let yaml = serde_saphyr::to_string(&definition()).expect("plain data serialises");
    format!("# Generated from the types in schemas/; `make generate` writes it again.\n{yaml}")
}

/// The definition as data, in the order in which people read it.
pub(super) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{PLURAL}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "names": {
                "categories": ["sluice"],
                "kind": spec::KIND,
                "listKind": format!("{}List", spec::KIND),
                "plural": PLURAL,
                "shortNames": ["apl"],
                "singular": "analyticspipeline",
            },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns(),
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.workers.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "schema": { "openAPIV3Schema": schema() },
            }],
        },
    })
}

/// The schema of the whole resource.
pub(super) fn schema() -> Value {
    let mut schema = of::<spec::AnalyticsPipeline>();
    // The API server describes the metadata itself, and takes nothing more about it than the name.
    let name = of::<spec::Metadata>()["properties"]["name"].clone();
    schema["properties"]["metadata"] = json!({ "type": "object", "properties": { "name": name } });
    schema["properties"]["status"] = of::<AnalyticsPipelineStatus>();
    schema
}

/// The structural schema of a type.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    restructure(&mut schema);
    schema
}

fn columns() -> Value {
    let condition = |name: &str, field: &str| format!(".status.conditions[?(@.type==\"{name}\")].{field}");
    let mut message = column("Message", "string", &condition("Ready", "message"), "Why, for people.");
    message["priority"] = json!(1);
    json!([
        column("Ready", "string", &condition("Ready", "status"), "Whether everything is in place and at work."),
        column("Reason", "string", &condition("Ready", "reason"), "Why, in one word."),
        column("Workers", "string", ".status.workers", "Ready and wanted workers."),
        column("Lag", "integer", ".status.progress.lag", "Records that are not committed yet."),
        column("Watermark", "date", ".status.progress.watermark", "How long ago the closed windows end."),
        column("Quality", "string", &condition("DataQualityHealthy", "status"), "Whether the rules are kept."),
        column("Age", "date", ".metadata.creationTimestamp", "How long ago the pipeline was created."),
        message,
    ])
}

fn column(name: &str, kind: &str, path: &str, about: &str) -> Value {
    json!({ "name": name, "type": kind, "jsonPath": path, "description": about })
}

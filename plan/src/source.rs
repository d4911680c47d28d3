//! The schema, and the field that carries identity.

use arrow_schema::DataType;
use schemas::spec::{AnalyticsPipelineSpec, SourceSchema};

use crate::avro::Fields;
use crate::rules::never_null;
use crate::{Path, Problem, codes, types};

/// Reads the schema, if the manifest carries one.
pub(crate) fn fields(schema: &SourceSchema, problems: &mut Vec<Problem>) -> Option<Fields> {
    let path = Path::of("spec.source.schema");
    if schema.subject.trim().is_empty() {
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path.key("subject"), "the subject is empty")
                .help("allowed is a subject of the registry, for example '<topic>-value'"),
        );
    }
    let refuse = |path: Path, message: &str, help: &str| Problem::new(codes::ALTERNATIVES, path, message).help(help);
    let either = "allowed is exactly one of 'avro' and 'configMapKeyRef'";
    match (&schema.avro, &schema.config_map_key_ref) {
        (Some(_), Some(_)) => {
            let path = path.key("configMapKeyRef");
            problems.push(refuse(path, "the schema is given twice", either));
            None
        }
        (None, None) => {
            problems.push(refuse(path, "the schema is missing", either));
            None
        }
        (None, Some(reference)) => {
            let message = format!("the schema is in the ConfigMap '{}', which cannot be read here", reference.name);
            problems.push(refuse(path.key("configMapKeyRef"), &message, "allowed outside a cluster is 'avro'"));
            None
        }
        (Some(avro), None) => match Fields::parse(avro, &path.key("avro")) {
            Ok(fields) => Some(fields),
            Err(problem) => {
                problems.push(problem);
                None
            }
        },
    }
}

/// Checks `eventId` against the schema.
pub(crate) fn check(spec: &AnalyticsPipelineSpec, fields: Option<&Fields>, problems: &mut Vec<Problem>) {
    let Some(fields) = fields else { return };
    problems.extend(event_id(spec, fields, &Path::of("spec.source.eventId")).err());
}

fn event_id(spec: &AnalyticsPipelineSpec, fields: &Fields, path: &Path) -> Result<(), Problem> {
    let name = spec.source.event_id.as_str();
    let (data_type, nullable) = fields.find(name, path)?;
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::FixedSizeBinary(_) | DataType::Int32 | DataType::Int64 => {}
        other => {
            let message = format!("field '{name}', {}, cannot identify an event", types::a(other));
            return Err(Problem::new(codes::FIELD_TYPE, path.clone(), message)
                .help("allowed are string, bytes, fixed, uuid, int and long"));
        }
    }
    if nullable && !never_null(&spec.quality).any(|required| required == name) {
        let message = format!("field '{name}' may be null, and then identifies nothing");
        return Err(Problem::new(codes::FIELD_NULLABLE, path.clone(), message).help(format!(
            "allowed with a rule that dead-letters, for example '{{name: required, required: [{name}]}}'"
        )));
    }
    Ok(())
}

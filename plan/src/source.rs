//! The fields that carry identity and time.

use arrow_schema::DataType;
use schemas::spec::{AnalyticsPipelineSpec, SourceSchema};

use crate::avro::Fields;
use crate::rules::{is_millis, never_null};
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

/// Checks `eventId`, `eventTime` and `ingestTime` against the schema.
pub(crate) fn check(spec: &AnalyticsPipelineSpec, fields: Option<&Fields>, problems: &mut Vec<Problem>) {
    let Some(fields) = fields else { return };
    let path = Path::of("spec.source");
    let source = &spec.source;
    problems.extend(event_id(spec, fields, &path.key("eventId")).err());
    problems.extend(time(&source.event_time, "event time", fields, &path.key("eventTime")).err());
    if let Some(ingest) = &source.ingest_time {
        problems.extend(time(ingest, "ingest time", fields, &path.key("ingestTime")).err());
    }
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

fn time(name: &str, what: &str, fields: &Fields, path: &Path) -> Result<(), Problem> {
    let (data_type, _) = fields.find(name, path)?;
    if is_millis(data_type) {
        return Ok(());
    }
    let message = format!("field '{name}', {}, cannot be the {what}", types::a(data_type));
    Err(Problem::new(codes::FIELD_TYPE, path.clone(), message)
        .help("allowed are timestamp-millis and long (milliseconds since 1970 UTC)"))
}

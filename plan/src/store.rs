//! Where tables go and who writes them: sink, workers, volumes.

use schemas::spec::AnalyticsPipelineSpec;

use crate::names::suggest;
use crate::{PartitionKey, Path, Problem, SinkLocation, SinkPlan, WorkersPlan, codes};

/// Compiles `spec.sink`.
pub(crate) fn sink(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> Option<SinkPlan> {
    let path = Path::of("spec.sink");
    let mut partition_by = Vec::new();
    for (index, key) in spec.sink.partition_by.iter().enumerate() {
        let path = path.key("partitionBy").index(index);
        match key.as_str() {
            "date" if partition_by.is_empty() => partition_by.push(PartitionKey::Date),
            "date" => {
                problems.push(Problem::new(codes::NAME_DUPLICATE, path, "'date' is there twice").help("remove it"));
            }
            other => problems.push(
                Problem::new(codes::PARTITION_BY, path, format!("cannot make folders by '{other}'"))
                    .help(suggest(other, &["date"])),
            ),
        }
    }
    let url = spec.sink.path.trim_end_matches('/').to_owned();
    let Some(location) = location(&url) else {
        let message = format!("'{}' is not the address of a store", spec.sink.path);
        problems.push(
            Problem::new(codes::ADDRESS, path.key("path"), message)
                .help("allowed is 'file:///path' or 's3://bucket/prefix'"),
        );
        return None;
    };
    Some(SinkPlan { url, location, partition_by })
}

fn location(url: &str) -> Option<SinkLocation> {
    if let Some(path) = url.strip_prefix("file://") {
        return path.starts_with('/').then(|| SinkLocation::File { path: path.to_owned() });
    }
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/').to_owned();
    (!bucket.is_empty()).then(|| SinkLocation::S3 { bucket: bucket.to_owned(), prefix })
}

/// Compiles `spec.workers`.
pub(crate) fn workers(spec: &AnalyticsPipelineSpec, problems: &mut Vec<Problem>) -> WorkersPlan {
    let path = Path::of("spec.workers");
    let (workers, partitions) = (&spec.workers, spec.source.topic.partitions);
    if partitions > 0 && workers.replicas > partitions {
        let message = format!("{} replicas for {partitions} partitions", workers.replicas);
        let help = format!("allowed are at most {partitions}; a replica without a partition has nothing to do");
        problems.push(Problem::new(codes::REPLICAS, path.key("replicas"), message).help(help));
    }
    if workers.lanes == Some(0) {
        problems.push(
            Problem::new(codes::RANGE, path.key("lanes"), "a worker without lanes reads nothing")
                .help("allowed is at least 1"),
        );
    }
    let resources = path.key("resources");
    let (requests, limits) = (&workers.resources.requests, &workers.resources.limits);
    let quantities = [
        (Some(&workers.storage.size), path.key("storage").key("size")),
        (requests.cpu.as_ref(), resources.key("requests").key("cpu")),
        (requests.memory.as_ref(), resources.key("requests").key("memory")),
        (limits.cpu.as_ref(), resources.key("limits").key("cpu")),
        (limits.memory.as_ref(), resources.key("limits").key("memory")),
    ];
    for (quantity, path) in quantities {
        if let Some(quantity) = quantity.filter(|quantity| !is_quantity(quantity)) {
            problems.push(
                Problem::new(codes::RANGE, path, format!("'{quantity}' is not a quantity"))
                    .help("allowed are Kubernetes quantities, for example '500m', '512Mi' or '1Gi'"),
            );
        }
    }
    WorkersPlan {
        replicas: workers.replicas,
        lanes: workers.lanes,
        storage_size: workers.storage.size.clone(),
        storage_class: workers.storage.storage_class.clone(),
        resources: workers.resources.clone(),
    }
}

/// A decimal number and a suffix of Kubernetes.
fn is_quantity(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let suffixes = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    number.parse::<f64>().is_ok() && suffixes.contains(&suffix)
}

//! Where tables go and who writes them: sink, workers, volumes.

use schemas::spec::{AnalyticsPipelineSpec, Resources, Workers};

use crate::address::{self, Refusal};
use crate::names::suggest;
use crate::{PartitionKey, Path, Problem, SinkPlan, WorkersPlan, codes, pod};

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
    match address::folder(&spec.sink.path) {
        Ok(folder) => Some(SinkPlan { folder, partition_by }),
        Err(Refusal { message, help }) => {
            problems.push(Problem::new(codes::ADDRESS, path.key("path"), message).help(help));
            None
        }
    }
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
    amounts(workers, &path, problems);
    pod::check(&workers.pod, &path.key("pod"), problems);
    WorkersPlan {
        replicas: workers.replicas,
        lanes: workers.lanes,
        storage_size: workers.storage.size.clone(),
        storage_class: workers.storage.storage_class.clone(),
        resources: workers.resources.clone(),
    }
}

/// Checks the quantities of `spec.workers`.
fn amounts(workers: &Workers, path: &Path, problems: &mut Vec<Problem>) {
    let resources = path.key("resources");
    let Resources { requests, limits } = &workers.resources;
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
    if is_quantity(&workers.storage.size) && amount(&workers.storage.size) <= 0.0 {
        let message = format!("a volume of '{}' holds nothing", workers.storage.size);
        problems
            .push(Problem::new(codes::RANGE, path.key("storage").key("size"), message).help("allowed is more than 0"));
    }
    requests_fit(&workers.resources, &resources.key("requests"), problems);
}

/// Kubernetes refuses pods that request more than their limit.
fn requests_fit(resources: &Resources, path: &Path, problems: &mut Vec<Problem>) {
    let Resources { requests, limits } = resources;
    let pairs = [("cpu", &requests.cpu, &limits.cpu), ("memory", &requests.memory, &limits.memory)];
    for (key, request, limit) in pairs {
        if let (Some(request), Some(limit)) = (request, limit)
            && is_quantity(request)
            && is_quantity(limit)
            && amount(request) > amount(limit)
        {
            let message = format!("the request '{request}' is more than the limit '{limit}'");
            problems.push(Problem::new(codes::RANGE, path.key(key), message).help("allowed is at most the limit"));
        }
    }
}

/// The suffixes of Kubernetes' quantities, and what they multiply by.
const SUFFIXES: [(&str, f64); 14] = [
    ("", 1.0),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1_024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// A decimal number and a suffix of Kubernetes.
fn is_quantity(text: &str) -> bool {
    read_quantity(text).is_some()
}

/// What a quantity amounts to; good enough to compare two.
fn amount(quantity: &str) -> f64 {
    read_quantity(quantity).unwrap_or_default()
}

fn read_quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (_, factor) = SUFFIXES.into_iter().find(|(name, _)| *name == suffix)?;
    Some(number.parse::<f64>().ok()? * factor)
}

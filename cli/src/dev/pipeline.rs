//! The manifest as a laptop runs it: the same pipeline, other addresses.
//!
//! Keeps true: only addresses, security, the sink's folder, copies of topics, the number of workers and, on a Kafka that others use,
//! the group and the names of the topics that it writes to are replaced; nothing that decides a verdict or a number.

use std::path::Path;
use std::sync::Arc;

use plan::{Plan, Problems};
use schemas::spec::{AnalyticsPipeline, Management};
use thiserror::Error;

use super::DevArgs;
use super::shared::{keep_apart, user};
use crate::manifest::{Document, Pipeline};
use crate::validate::Checked;

/// Why there is no pipeline to run.
#[derive(Debug, Error)]
pub enum ChooseError {
    /// The manifest has problems; they are shown by themselves.
    #[error("'{file}' has problems")]
    Broken {
        /// The file.
        file: String,
    },
    /// There is none.
    #[error("'{file}' has no AnalyticsPipeline")]
    None {
        /// The file.
        file: String,
    },
    /// There are several, or none of the name.
    #[error("choose a pipeline of '{file}' with --pipeline; allowed: {names}")]
    Several {
        /// The file.
        file: String,
        /// Their names.
        names: String,
    },
    /// The flags do not fit the pipeline.
    #[error("the pipeline cannot run with these flags: {0}")]
    Compile(Problems),
}

/// Chooses the pipeline to run.
///
/// # Errors
/// The file has problems, or does not say which one is meant.
pub fn choose(checked: Checked, name: Option<&str>) -> Result<Pipeline, ChooseError> {
    let file = checked.source.name.clone();
    if checked.findings().next().is_some() {
        return Err(ChooseError::Broken { file });
    }
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for document in checked.documents {
        if let Document::Pipeline(pipeline) = document {
            pipelines.push(*pipeline);
        }
    }
    let names: Vec<String> = pipelines.iter().map(|pipeline| format!("'{}'", pipeline.plan.name)).collect();
    pipelines.retain(|pipeline| name.is_none_or(|name| pipeline.plan.name == name));
    match (pipelines.pop(), pipelines.is_empty()) {
        (Some(pipeline), true) => Ok(pipeline),
        _ if names.is_empty() => Err(ChooseError::None { file }),
        _ => Err(ChooseError::Several { file, names: names.join(", ") }),
    }
}

/// Where a run finds its servers.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// Bootstrap servers.
    pub kafka: &'a str,
    /// Address of the registry.
    pub registry: &'a str,
    /// Whether both are embedded.
    pub embedded: bool,
}

/// Compiles the pipeline for this machine.
///
/// # Errors
/// The flags do not fit it.
pub fn localise(
    mut manifest: AnalyticsPipeline,
    args: &DevArgs,
    at: Addresses<'_>,
    data: &Path,
) -> Result<Arc<Plan>, ChooseError> {
    let spec = &mut manifest.spec;
    let registry = Registry::of(at.registry);
    at.kafka.clone_into(&mut spec.kafka.bootstrap_servers);
    registry.address.clone_into(&mut spec.schema_registry.url);
    spec.kafka.security = None;
    spec.schema_registry.credentials_secret_ref = None;
    "file:///data".clone_into(&mut spec.sink.path);
    spec.workers.replicas = args.workers;
    if at.embedded {
        spec.source.topic.replication_factor = None;
        spec.source.topic.management = Management::Managed;
        spec.partials.replication_factor = None;
        if let Some(dead_letter) = &mut spec.dead_letter {
            dead_letter.topic.replication_factor = None;
            dead_letter.topic.management = Management::Managed;
        }
    }
    let mut plan = Plan::compile(&manifest).map_err(ChooseError::Compile)?;
    // Any folder of this machine, whether or not a manifest could name it.
    plan.sink.folder = data.display().to_string();
    plan.registry_url = registry.full();
    if args.keeps_apart() {
        keep_apart(&mut plan, &user());
    }
    Ok(Arc::new(plan))
}

/// A registry's address as a flag gives it, where user and password may stand in it: a laptop has no secrets to name.
pub struct Registry<'a> {
    user: Option<&'a str>,
    /// The address without them, as a manifest has it.
    pub address: String,
}

impl<'a> Registry<'a> {
    /// Takes the address apart.
    pub fn of(flag: &'a str) -> Self {
        let parts = flag.split_once("://").and_then(|(scheme, rest)| {
            let authority = rest.split(['/', '?', '#']).next()?;
            let (user, _) = authority.rsplit_once('@')?;
            Some((user, format!("{scheme}://{}", &rest[user.len() + 1..])))
        });
        match parts {
            Some((user, address)) => Self { user: Some(user), address },
            None => Self { user: None, address: flag.to_owned() },
        }
    }

    /// The address with user and password, without a slash at its end.
    pub fn full(&self) -> String {
        let address = self.address.trim_end_matches('/');
        match (self.user, address.split_once("://")) {
            (Some(user), Some((scheme, rest))) => format!("{scheme}://{user}@{rest}"),
            _ => address.to_owned(),
        }
    }
}

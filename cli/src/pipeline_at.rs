//! The pipeline that a verb is about, and where its servers are: a manifest, and flags that say otherwise.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use plan::{Plan, Problems};
use thiserror::Error;

use crate::dev::pipeline::{ChooseError, Registry, choose};
use crate::dev::shared::{keep_apart, user};
use crate::validate::{Checked, ReadFileError, Style, render, source};

/// Flags of every verb that talks to a pipeline's Kafka.
#[derive(Debug, Clone, clap::Args)]
pub struct PipelineArgs {
    /// The manifest; '-' is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which pipeline of the file, if there are several
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Kafka bootstrap servers instead of the manifest's, without its security
    #[arg(long, value_name = "ADDR", env = "SLUICE_KAFKA")]
    pub kafka: Option<String>,
    /// Schema registry instead of the manifest's
    #[arg(long, value_name = "URL", env = "SLUICE_REGISTRY")]
    pub registry: Option<String>,
    /// Your own run of `sluice dev --kafka` instead of the pipeline itself: its consumer group, partials and dead letters
    #[arg(long)]
    pub dev: bool,
}

/// Why there is no pipeline.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file.
    #[error(transparent)]
    ReadFile(#[from] ReadFileError),
    /// The problems cannot be shown.
    #[error("cannot write to the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// The pipeline.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The flags do not fit it.
    #[error("the pipeline cannot be used with these flags: {0}")]
    Compile(Problems),
}

impl PipelineArgs {
    /// Reads and compiles it; problems are shown on standard error.
    ///
    /// # Errors
    /// It cannot be read, has problems, or is not the only one.
    pub fn load(&self) -> Result<Arc<Plan>, LoadError> {
        let checked = Checked::new(source(&self.file)?);
        render(&checked.source, checked.findings(), Style::Plain, &mut io::stderr())?;
        let mut manifest = choose(checked, self.pipeline.as_deref())?.manifest;
        let spec = &mut manifest.spec;
        if let Some(kafka) = &self.kafka {
            kafka.clone_into(&mut spec.kafka.bootstrap_servers);
            spec.kafka.security = None;
        }
        let registry = self.registry.as_deref().map(Registry::of);
        if let Some(registry) = &registry {
            registry.address.clone_into(&mut spec.schema_registry.url);
            spec.schema_registry.credentials_secret_ref = None;
        }
        let mut plan = Plan::compile(&manifest).map_err(LoadError::Compile)?;
        if let Some(registry) = registry {
            plan.registry_url = registry.full();
        }
        if self.dev {
            keep_apart(&mut plan, &user());
        }
        Ok(Arc::new(plan))
    }
}

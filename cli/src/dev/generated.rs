//! Sample events on their way into the topic, and their truth.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use plan::Plan;
use schemas::spec::AnalyticsPipeline;
use thiserror::Error;

use super::DevArgs;
use super::summary_truth::windows_of;
use crate::generate::{
    Options, OptionsError, RegisterError, SendError, Target, Truth, WriteTruthError, progress_bar, register, send,
};

/// Why there are no sample events.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// The flags.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The sample schema.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The events.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The truth.
    #[error(transparent)]
    WriteTruth(#[from] WriteTruthError),
    /// No thread.
    #[error("cannot start the generator: {0}")]
    Start(std::io::Error),
    /// A bug.
    #[error("the generator panicked")]
    Panic,
}

/// Sample events that a thread of its own sends.
#[derive(Default)]
pub struct Generated {
    sending: Option<JoinHandle<Result<Truth, SendError>>>,
    folder: Option<PathBuf>,
}

impl Generated {
    /// Starts sending, if asked to.
    ///
    /// # Errors
    /// The flags are wrong, or the registry refuses the sample schema.
    pub fn start(args: &DevArgs, plan: &Arc<Plan>, manifest: &AnalyticsPipeline) -> Result<Self, GenerateError> {
        let Some(count) = args.generate else { return Ok(Self::default()) };
        let fresh = manifest.spec.quality.rules.iter().find_map(|rule| rule.max_latency.as_ref());
        let windows = windows_of(plan, fresh.map(schemas::spec::Duration::millis));
        let options = Options { count, partitions: plan.source.partitions, shape: args.shape.clone(), windows };
        options.check()?;
        let ids = register(&plan.registry_url, &plan.source.topic, options.shape.v2 > 0.0)?;
        let (plan, rate) = (plan.clone(), args.rate);
        let generate = move || {
            let target = Target { rate, ..Target::new(&plan.kafka.bootstrap, &plan.source.topic) };
            let bar = progress_bar(count);
            let truth = send(&options, ids, &target, |sent| bar.set_position(sent));
            bar.finish_and_clear();
            truth
        };
        let sending = std::thread::Builder::new().name("generate".to_owned()).spawn(generate);
        Ok(Self { sending: Some(sending.map_err(GenerateError::Start)?), folder: args.truth.clone() })
    }

    /// Whether events are still being sent.
    pub fn is_busy(&self) -> bool {
        self.sending.as_ref().is_some_and(|sending| !sending.is_finished())
    }

    /// Waits until all events are acknowledged and gives their truth, once; it is then in its folder too.
    ///
    /// # Errors
    /// The events are not all in the topic, or the truth cannot be written.
    pub fn finish(&mut self) -> Result<Option<Truth>, GenerateError> {
        let Some(sending) = self.sending.take() else { return Ok(None) };
        let truth = sending.join().map_err(|_| GenerateError::Panic)??;
        if let Some(folder) = &self.folder {
            truth.write(folder)?;
        }
        Ok(Some(truth))
    }
}

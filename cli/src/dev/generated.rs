//! Sample events on their way into the topic, and their truth.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use indicatif::ProgressBar;
use plan::Plan;
use schemas::spec::AnalyticsPipeline;
use thiserror::Error;

use super::DevArgs;
use super::summary_truth::windows_of;
use crate::generate::{
    Options, OptionsError, RegisterError, SALES_EVENT_AVSC, SendError, Target, Truth, WriteTruthError, progress_bar,
    register, send,
};

/// Why there are no sample events.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// The flags.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The manifest reads other events.
    #[error(
        "--generate makes sample events of the schema '{sample}' (the one of examples/revenue-5m.yaml), which the schema of this \
         manifest cannot read {reason}; produce events of your own to topic '{topic}' (with --kafka and --registry), and leave \
         --generate out"
    )]
    OtherSchema {
        /// The sample record's name.
        sample: &'static str,
        /// Why not.
        reason: String,
        /// The source topic.
        topic: String,
    },
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
    truth: Option<Truth>,
    folder: Option<PathBuf>,
}

/// Whether the pipeline can read the sample events, so that generating them makes sense.
///
/// # Errors
/// It cannot.
pub fn expect_readable(args: &DevArgs, plan: &Plan) -> Result<(), GenerateError> {
    if args.generate.is_none() {
        return Ok(());
    }
    plan.can_read_named(SALES_EVENT_AVSC).map_err(|reason| GenerateError::OtherSchema {
        sample: "SalesEvent",
        reason,
        topic: plan.source.topic.clone(),
    })
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
        // Beside running workers their progress is shown, not the generator's.
        let (plan, rate, beside) = (plan.clone(), args.rate, !args.bounded);
        let generate = move || {
            let target = Target { rate, ..Target::new(&plan.kafka.bootstrap, &plan.source.topic) };
            let bar = if beside { ProgressBar::hidden() } else { progress_bar("generating", count) };
            let truth = send(&options, ids, &target, |sent| bar.set_position(sent));
            bar.finish_and_clear();
            truth
        };
        let sending = std::thread::Builder::new().name("generate".to_owned()).spawn(generate);
        let sending = Some(sending.map_err(GenerateError::Start)?);
        Ok(Self { sending, truth: None, folder: args.truth.clone() })
    }

    /// Takes note when all events have been acknowledged; their truth is then in its folder.
    ///
    /// # Errors
    /// The events are not all in the topic, or the truth cannot be written.
    pub fn poll(&mut self) -> Result<(), GenerateError> {
        if self.sending.as_ref().is_some_and(JoinHandle::is_finished) { self.finish() } else { Ok(()) }
    }

    /// Waits until all events are acknowledged; their truth is then in its folder.
    ///
    /// # Errors
    /// As [`Generated::poll`].
    pub fn finish(&mut self) -> Result<(), GenerateError> {
        let Some(sending) = self.sending.take() else { return Ok(()) };
        let truth = sending.join().map_err(|_| GenerateError::Panic)??;
        if let Some(folder) = &self.folder {
            truth.write(folder)?;
        }
        self.truth = Some(truth);
        Ok(())
    }

    /// What all events should have become, once they are acknowledged.
    pub fn into_truth(self) -> Option<Truth> {
        self.truth
    }
}

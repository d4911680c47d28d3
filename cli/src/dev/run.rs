//! `sluice dev`: one pipeline on this machine, from the manifest to the closing summary.
//!
//! Keeps true: exit code 0 means that the run ended as asked, the ledger in the files balances and, for generated events,
//! gold equals their truth. 1: problems in the manifest, a failed step, or any difference. 2: wrong usage.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plan::Plan;
use thiserror::Error;
use worker::{Config, Worker, WorkerError};

use super::DevArgs;
use super::conclude::{Again, ConcludeError, Run};
use super::figures::cpu_time;
use super::generated::{GenerateError, Generated, expect_readable};
use super::pipeline::{ChooseError, Registry, choose, localise};
use super::screen::Screen;
use super::servers::{PrepareError, Servers, offsets};
use super::store_folder::{self, FolderError};
use super::summary_text::{self, Effort};
use super::watch::{Over, interrupts, watch};
use crate::generate::iso;
use crate::validate::{Checked, ReadFileError, Style, render, source};

/// Why a run did not come to its end.
#[derive(Debug, Error)]
pub enum DevError {
    /// The file.
    #[error(transparent)]
    ReadFile(#[from] ReadFileError),
    /// The pipeline.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The folder for the tables.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Kafka or the registry.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The sample events.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A worker.
    #[error("a worker ended: {0}")]
    Work(#[from] WorkerError),
    /// A worker, without saying why.
    #[error("a worker ended before the run was over")]
    WorkerEnded,
    /// The summary.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// The log.
    #[error("cannot write the log '{file}': {source}")]
    Log {
        /// Its file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The terminal, or the signals.
    #[error("cannot use the terminal: {0}")]
    Terminal(io::Error),
}

/// The verb.
///
/// # Errors
/// The step that failed.
pub fn run(args: &DevArgs, out: &mut dyn Write) -> Result<ExitCode, DevError> {
    let checked = Checked::new(source(&args.file)?);
    render(&checked.source, checked.findings(), Style::Plain, &mut io::stderr()).map_err(DevError::Terminal)?;
    let manifest = choose(checked, args.pipeline.as_deref())?.manifest;
    let data = store_folder::prepare(args, &manifest.metadata.name)?;
    let panel = Screen::wants_panel(args.plain);
    log(panel, &data)?;
    let servers = Servers::start(args, &data)?;
    let at = servers.addresses();
    let plan = localise(manifest.clone(), args, at, &data)?;
    expect_readable(args, &plan)?;
    servers.prepare(&plan, Duration::from_secs(args.wait), args.take_over)?;
    let was_empty = offsets(&plan)?.values().all(|(start, end)| start == end);
    let mut generated = Generated::start(args, &plan, &manifest)?;
    if args.bounded {
        generated.finish()?;
    }
    let ends =
        || Ok::<_, PrepareError>(offsets(&plan)?.into_iter().map(|(partition, (_, end))| (partition, end)).collect());
    let ends: Option<BTreeMap<i32, i64>> = args.bounded.then(ends).transpose()?;
    if !panel {
        let registry = Registry::of(at.registry).address;
        eprintln!("pipeline '{}': Kafka at {}, schema registry at {registry}", plan.name, at.kafka);
    }
    if args.kafka.is_some() {
        for line in shared_words(args, &plan) {
            eprintln!("{line}");
        }
    }
    let (over, effort, overflows) = work(args, &plan, ends.as_ref(), panel, || Ok(generated.poll()?))?;
    if over == Over::Ended {
        return Err(DevError::WorkerEnded);
    }
    // Only a run that has read everything can be held against the log's ends and the truth.
    let ends = ends.filter(|_| over == Over::Finished && !args.leaves_open());
    let truth = generated.into_truth().filter(|_| over == Over::Finished);
    let ends = ends.as_ref();
    let again = again(args);
    let run = Run { plan: &plan, data: args.data(), ends, truth, was_empty, effort, overflows, again };
    let right = run.conclude(out)? && (over == Over::Finished || !args.bounded);
    if let Over::Stuck(stuck) = &over {
        write!(out, "{}", summary_text::stuck(stuck)).map_err(ConcludeError::from)?;
    }
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a run on a Kafka that others use is told to begin with.
fn shared_words(args: &DevArgs, plan: &Plan) -> Vec<String> {
    let group = &plan.group;
    let mut words = if args.take_over {
        vec![format!("reads on as the pipeline itself, in its consumer group '{group}'")]
    } else {
        vec![format!(
            "consumer group, partials and dead letters of its own: '{group}'; other verbs see them with --dev"
        )]
    };
    if args.bounded && args.leaves_open() {
        words.push("windows that are open at the end stay open for the next run".to_owned());
    } else if args.bounded {
        words.push(format!(
            "at the end every window is closed for good: what comes for them later is late in '{group}'; --leave-open leaves them \
             open for the next run"
        ));
    }
    words
}

/// What the next run on the same log will make of windows that this one met.
fn again(args: &DevArgs) -> Again {
    match (args.bounded, args.leaves_open(), args.kafka.is_some()) {
        (true, true, _) => Again::LeftOpen,
        (true, false, true) => Again::Closed,
        _ => Again::Nothing,
    }
}

/// Starts the workers, watches them until the run is over, and stops them.
fn work(
    args: &DevArgs,
    plan: &Arc<Plan>,
    ends: Option<&BTreeMap<i32, i64>>,
    panel: bool,
    tick: impl FnMut() -> Result<(), DevError>,
) -> Result<(Over, Effort, Vec<String>), DevError> {
    let interrupted = interrupts().map_err(DevError::Terminal)?;
    let (started, cpu) = (Instant::now(), cpu_time());
    let workers = start(args, plan, ends)?;
    let over = {
        let mut screen = Screen::open(panel).map_err(DevError::Terminal)?;
        watch(&workers, ends, &mut screen, &interrupted, tick)?
    };
    let records = workers.iter().flat_map(|worker| worker.report().partitions).map(|of| of.ledger.consumed).sum();
    let cpu = cpu_time().zip(cpu).map(|(now, before)| now.saturating_sub(before));
    let outputs = workers.iter().flat_map(|worker| worker.report().outputs);
    let overflows = outputs.flat_map(|output| output.overflows).map(|report| report.words(iso)).collect();
    let effort = Effort { records, wall: started.elapsed(), cpu };
    stop(workers)?;
    Ok((over, effort, overflows))
}

/// What is logged when nothing else is asked for. What hinders the workers is in their reports; the client library would
/// tell it again, in its own words.
const QUIET: &str = "warn,rdkafka=off,librdkafka=off,cli::generate=error";

/// Sends the logs to standard error, or into a file where they would spoil the live view.
fn log(panel: bool, data: &Path) -> Result<(), DevError> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| QUIET.into());
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    // A second run in one process keeps the first one's log.
    if panel {
        let path = data.join("dev.log");
        let opened = std::fs::File::create(&path);
        let file = opened.map_err(|source| DevError::Log { file: path.display().to_string(), source })?;
        let _ = log.with_writer(Arc::new(file)).with_ansi(false).try_init();
    } else {
        let _ = log.with_writer(io::stderr).try_init();
    }
    Ok(())
}

fn start(args: &DevArgs, plan: &Arc<Plan>, ends: Option<&BTreeMap<i32, i64>>) -> Result<Vec<Worker>, WorkerError> {
    let configs = (0..args.workers).map(|number| Config {
        publishes: number == 0,
        fetch_records: args.fetch_records as usize,
        ends: ends.cloned(),
        leaves_open: args.leaves_open(),
        http: args.http.filter(|_| number == 0),
        ..Config::new(plan.clone(), format!("dev-{number}"))
    });
    configs.map(Worker::start).collect()
}

/// Stops all, then waits for all, so that they leave together; the first error is told.
fn stop(workers: Vec<Worker>) -> Result<(), WorkerError> {
    workers.iter().for_each(Worker::request_stop);
    let ends: Vec<_> = workers.into_iter().map(Worker::join).collect();
    ends.into_iter().collect()
}

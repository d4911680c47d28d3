//! `sluice-worker`: one worker of a pipeline, as the operator runs it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use plan::Plan;
use schemas::epochs::Epochs;
use schemas::spec::AnalyticsPipeline;
use tokio::signal::unix::{SignalKind, signal};
use worker::{Config, Worker, secrets};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads the source topic, judges and folds its records, and publishes Parquet tables.
///
/// Exit codes: 0 after SIGTERM or SIGINT, 1 when a task ended unexpectedly, 2 when the pipeline is not valid.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The resolved pipeline (YAML or JSON).
    #[arg(long, env = "SLUICE_PIPELINE")]
    pipeline: PathBuf,
    /// What the pipeline was before (JSON): the boundaries of its topologies and meanings. Absent: nothing.
    #[arg(long, env = "SLUICE_EPOCHS")]
    epochs: Option<PathBuf>,
    /// The folder of credentials: `kafka/{username,password,ca.crt}` and `registry/{username,password}`.
    #[arg(long, env = "SLUICE_SECRETS")]
    secrets: Option<PathBuf>,
    /// This worker's name, unique in the pipeline: its pod.
    #[arg(long, env = "POD_NAME")]
    name: String,
    /// Where HTTP listens.
    #[arg(long, env = "SLUICE_HTTP", default_value = "0.0.0.0:8080")]
    http: SocketAddr,
    /// Whether this worker publishes; by default the one whose name ends in -0.
    #[arg(long, env = "SLUICE_PUBLISHES")]
    publishes: Option<bool>,
    /// The folder for writer schemas, on a volume that outlives the pod. Without it every restart asks the registry again.
    #[arg(long, env = "SLUICE_SCHEMAS")]
    schemas: Option<PathBuf>,
    /// The folder for checkpoints, on a volume that outlives the pod. Without it every restart rebuilds from Kafka.
    #[arg(long, env = "SLUICE_CHECKPOINTS")]
    checkpoints: Option<PathBuf>,
    /// Seconds for which the reports of a closed day stay beside the file that replaces them: more than a reader takes to list
    /// their folder.
    #[arg(long, env = "SLUICE_LINGER", default_value_t = 60)]
    linger: u64,
    /// Most seconds that stopping may take: fewer than those after which the process would be killed.
    #[arg(long, env = "SLUICE_GRACE", default_value_t = 25)]
    grace: u64,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let (plan, epochs) = match load(&arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments, plan, epochs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(arguments: &Arguments) -> anyhow::Result<(Plan, Epochs)> {
    let path = &arguments.pipeline;
    let text = read(path)?;
    let pipeline: AnalyticsPipeline =
        serde_saphyr::from_str(&text).with_context(|| format!("'{}' is no AnalyticsPipeline", path.display()))?;
    let mut plan = Plan::compile(&pipeline)?;
    if let Some(folder) = &arguments.secrets {
        secrets::give(&mut plan, folder)?;
    }
    let Some(path) = &arguments.epochs else { return Ok((plan, Epochs::default())) };
    let epochs = serde_json::from_str(&read(path)?).with_context(|| format!("'{}' holds no epochs", path.display()))?;
    Ok((plan, epochs))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read '{}'", path.display()))
}

fn run(arguments: &Arguments, plan: Plan, epochs: Epochs) -> anyhow::Result<()> {
    let config = Config {
        static_member: true,
        publishes: arguments.publishes.unwrap_or_else(|| arguments.name.ends_with("-0")),
        http: Some(arguments.http),
        epochs,
        schemas: arguments.schemas.clone(),
        checkpoints: arguments.checkpoints.clone(),
        linger: Duration::from_secs(arguments.linger),
        ..Config::new(Arc::new(plan), &arguments.name)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything is started, so that no signal is missed.
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let worker = Worker::start(config)?;
    runtime.block_on(async {
        let ended = async {
            while !worker.is_ended() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: cutting and leaving the group"),
            _ = interrupt.recv() => tracing::info!("SIGINT: cutting and leaving the group"),
            () = ended => {}
        }
    });
    worker.request_stop();
    let deadline = Instant::now() + Duration::from_secs(arguments.grace);
    while !worker.is_ended() {
        if Instant::now() >= deadline {
            // Nothing is lost: what is not committed is read again.
            tracing::warn!("something that is away holds up stopping; ending without it");
            std::process::exit(0);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(worker.join()?)
}

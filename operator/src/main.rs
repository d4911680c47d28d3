//! `sluice-operator`: runs the controller while it leads, until it is told to stop.
//!
//! What it needs of the cluster (the chart grants exactly this):
//!
//! | group | resources | verbs |
//! |---|---|---|
//! | `sluice.dev` | `analyticspipelines` | list, watch, patch |
//! | `sluice.dev` | `analyticspipelines/status` | patch |
//! | core | `configmaps`, `services`, `serviceaccounts` | get, list, watch, create, patch, delete |
//! | core | `secrets` | get |
//! | core | `pods` | list, watch, delete |
//! | core | `persistentvolumeclaims` | list, watch, patch |
//! | core | `events` | list |
//! | `events.k8s.io` | `events` | create |
//! | `apps` | `statefulsets` | get, list, watch, create, patch, delete |
//! | `policy` | `poddisruptionbudgets` | get, list, watch, create, patch, delete |
//! | `networking.k8s.io` | `networkpolicies` | get, list, watch, create, patch, delete |
//! | `monitoring.coreos.com` | `servicemonitors` | get, list, watch, create, patch, delete |
//! | `coordination.k8s.io`, in the lease's namespace | `leases` | get, create, patch |
//!
//! With `--namespace` all but the lease's may be a Role in that namespace. No cluster-wide right is needed then.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::{HeaderValue, header};
use clap::Parser;
use kube::{Client, Config};
use operator::compile::{self, Compiler, Limits};
use operator::controller::{self, Scope};
use operator::leader::{Campaign, Election, Term};
use operator::reconcile::{Allowed, Policy, Settings, build::Defaults};
use operator::telemetry::Telemetry;
use operator::world::{Cache, KubernetesApi, MayWrite, RealWorld};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USER_AGENT: &str = concat!("sluice-operator/", env!("CARGO_PKG_VERSION"));

/// Turns `AnalyticsPipeline` resources into topics, schemas and workers.
///
/// Exit codes: 0 after SIGTERM or SIGINT, 1 when it cannot begin or a task ended unexpectedly.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Ask the operator at this address whether it is ready, and end: for `helm test`, whose pod has no other program.
    #[arg(long, value_name = "URL")]
    probe: Option<String>,
    /// Only pipelines in this namespace. Absent: all namespaces.
    #[arg(long, env = "SLUICE_NAMESPACE")]
    namespace: Option<String>,
    /// Image of the workers, where a pipeline names none.
    #[arg(long, env = "SLUICE_WORKER_IMAGE", required_unless_present = "probe")]
    worker_image: Option<String>,
    /// Pull policy of the workers' image. Absent: Kubernetes' default.
    #[arg(long, env = "SLUICE_WORKER_PULL_POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    worker_pull_policy: Option<String>,
    /// Namespace of the lease by which one operator of several leads.
    #[arg(long, env = "SLUICE_LEASE_NAMESPACE", default_value = "default")]
    lease_namespace: String,
    /// Name of the lease.
    #[arg(long, env = "SLUICE_LEASE_NAME", default_value = "sluice-operator")]
    lease_name: String,
    /// Work without a lease: only where no second operator can be.
    #[arg(long, env = "SLUICE_NO_LEASE")]
    no_lease: bool,
    /// Who this operator is among several: its pod.
    #[arg(long, env = "POD_NAME", default_value_t = format!("sluice-operator-{}", std::process::id()))]
    identity: String,
    /// Let pipelines use secrets without the label `sluice.dev/use: pipelines`, too.
    #[arg(long, env = "SLUICE_UNLABELLED_SECRETS")]
    unlabelled_secrets: bool,
    /// Images that pipelines may choose for their workers; a `*` at the end stands for any text, here and below.
    #[arg(long, env = "SLUICE_ALLOW_IMAGES", value_delimiter = ',')]
    allow_images: Vec<String>,
    /// Priority classes that pipelines may choose.
    #[arg(long, env = "SLUICE_ALLOW_PRIORITY_CLASSES", value_delimiter = ',')]
    allow_priority_classes: Vec<String>,
    /// Keys of annotations that pipelines may put on their workers' pods.
    #[arg(long, env = "SLUICE_ALLOW_POD_ANNOTATIONS", value_delimiter = ',')]
    allow_pod_annotations: Vec<String>,
    /// Keys of annotations that pipelines may put on their workers' service account.
    #[arg(long, env = "SLUICE_ALLOW_SERVICE_ACCOUNT_ANNOTATIONS", value_delimiter = ',')]
    allow_service_account_annotations: Vec<String>,
    /// Where `/livez`, `/readyz` and `/metrics` listen.
    #[arg(long, env = "SLUICE_HTTP", default_value = "0.0.0.0:8080")]
    http: SocketAddr,
    /// Seconds between two looks at workers that run.
    #[arg(long, env = "SLUICE_LOOK_EVERY", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    look_every: u64,
    /// Seconds to the next look while something is on its way; they grow the longer nothing changes.
    #[arg(long, env = "SLUICE_LOOK_SOON", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    look_soon: u64,
    /// Seconds between two looks at topics and subjects that are as declared, and at pipelines without running workers.
    #[arg(long, env = "SLUICE_LOOK_OUTSIDE", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    look_outside: u64,
    /// Seconds for which deleting topics and subjects is tried.
    #[arg(long, env = "SLUICE_DELETION_DEADLINE", default_value_t = 300)]
    deletion_deadline: u64,
    /// Most pipelines that are worked on at a time.
    #[arg(long, env = "SLUICE_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            defaults: Defaults {
                worker_image: self.worker_image.clone().unwrap_or_default(),
                pull_policy: self.worker_pull_policy.clone(),
            },
            policy: Policy {
                unlabelled_secrets: self.unlabelled_secrets,
                images: Allowed::new(self.allow_images.clone()),
                priority_classes: Allowed::new(self.allow_priority_classes.clone()),
                pod_annotations: Allowed::new(self.allow_pod_annotations.clone()),
                service_account_annotations: Allowed::new(self.allow_service_account_annotations.clone()),
            },
            look_every: Duration::from_secs(self.look_every),
            look_soon: Duration::from_secs(self.look_soon),
            look_outside: Duration::from_secs(self.look_outside),
            deletion_deadline: Duration::from_secs(self.deletion_deadline),
        }
    }
}

fn main() -> ExitCode {
    let told: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = told.split_first()
        && first == compile::ARGUMENT
    {
        return match compile::serve(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended = runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(run(&arguments)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Asks another operator whether it is ready.
async fn probe(url: &str) -> anyhow::Result<()> {
    let answer = reqwest::Client::new().get(url).timeout(Duration::from_secs(10)).send().await;
    let answer = answer.with_context(|| format!("'{url}' does not answer"))?;
    let (status, said) = (answer.status(), answer.text().await?);
    println!("{status}: {said}");
    if status.is_success() { Ok(()) } else { bail!("'{url}' answers {status}: {said}") }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(url) = &arguments.probe {
        return probe(url).await;
    }
    let telemetry = Arc::new(Telemetry::default());
    telemetry.serve(arguments.http).with_context(|| format!("cannot listen on '{}'", arguments.http))?;
    let stop = stop_on_signals()?;
    let program = std::env::current_exe().context("cannot find this program, which also compiles manifests")?;
    let compiler = Arc::new(Compiler::apart(program, Limits::default()));
    let config = config().await?;
    let client = Client::try_from(config.clone())?;
    if arguments.no_lease {
        telemetry.leads(true);
        return tokio::select! {
            () = work(arguments, &client, Arc::new(Term::endless()), (&telemetry, &compiler)) => bail!("the controller ended"),
            () = stop.cancelled() => Ok(()),
        };
    }
    let election = Election {
        namespace: arguments.lease_namespace.clone(),
        name: arguments.lease_name.clone(),
        identity: arguments.identity.clone(),
    };
    let mut campaign = Campaign::begin(config, &election, telemetry.clone())
        .await
        .with_context(|| format!("cannot have the lease '{}/{}'", election.namespace, election.name))?;
    let ended = lead(arguments, &client, &mut campaign, (&telemetry, &compiler), &stop).await;
    campaign.end().await;
    ended
}

/// Cancelled by SIGTERM or SIGINT.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
            _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
        }
        told.cancel();
    });
    Ok(stop)
}

async fn config() -> anyhow::Result<Config> {
    let mut config = Config::infer().await.context("cannot find out how to reach the API server")?;
    config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
    Ok(config)
}

/// Works while the lease is held. When it is lost, everything that is under way is dropped.
async fn lead(
    arguments: &Arguments,
    client: &Client,
    campaign: &mut Campaign,
    (telemetry, compiler): (&Arc<Telemetry>, &Arc<Compiler>),
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            leads = campaign.leads.wait_for(|leads| *leads) => drop(leads.context("the lease's task ended")?),
            () = stop.cancelled() => return Ok(()),
        }
        tracing::info!(identity = arguments.identity, "leading");
        telemetry.leads(true);
        tokio::select! {
            () = work(arguments, client, campaign.term.clone(), (telemetry, compiler)) => bail!("the controller ended"),
            leads = campaign.leads.wait_for(|leads| !*leads) => drop(leads.context("the lease's task ended")?),
            () = stop.cancelled() => return Ok(()),
        }
        telemetry.leads(false);
        tracing::warn!(identity = arguments.identity, "the lease is lost");
    }
}

async fn work(
    arguments: &Arguments,
    client: &Client,
    gate: Arc<dyn MayWrite>,
    (telemetry, compiler): (&Arc<Telemetry>, &Arc<Compiler>),
) {
    let cache = Arc::new(Cache::default());
    let cluster = KubernetesApi::new(client.clone(), cache.clone(), gate, arguments.identity.clone());
    let world = (Arc::new(RealWorld::new(cluster)), cache);
    let scope = Scope { namespace: arguments.namespace.clone(), concurrency: arguments.concurrency };
    let scope = (&scope, compiler.clone());
    controller::run(client.clone(), world, arguments.settings(), scope, telemetry.clone()).await;
}

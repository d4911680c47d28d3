//! Health and metrics of the operator, on a thread and a runtime of their own: a reconcile that hangs does not hide itself.
//!
//! `/livez` fails when no pass, and no look at the lease, has ended well for a long time while there is work; `/readyz` when the API
//! server was not reached yet, or refuses a watch; `/metrics` is Prometheus' text form.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::world::{Clock as _, SystemClock};

/// A sign of life older than this is none.
const STALE: Duration = Duration::from_mins(5);

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Ending {
    Done,
    CutOff,
}

/// A watch of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watched {
    kind: String,
}

/// Everything that is told about the operator itself.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    passes: Family<Ended, Counter>,
    watch_errors: Family<Watched, Counter>,
    seconds: Histogram,
    leading: Gauge,
    pipelines: Gauge,
    /// Watches that the API server refuses, by kind: in whose words.
    refused: Mutex<BTreeMap<&'static str, String>>,
    reached: AtomicI64,
    alive: AtomicI64,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sluice_operator");
        let passes = Family::<Ended, Counter>::default();
        let watch_errors = Family::<Watched, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let (leading, pipelines) = (Gauge::default(), Gauge::default());
        registry.register("passes", "Passes over pipelines, by how they ended", passes.clone());
        registry.register("watch_errors", "Watches that broke off, by kind", watch_errors.clone());
        registry.register("pass_seconds", "How long passes took", seconds.clone());
        registry.register("leading", "Whether this operator holds the lease", leading.clone());
        registry.register("pipelines", "Pipelines that this operator looks after", pipelines.clone());
        let (refused, reached, alive) = (Mutex::default(), AtomicI64::new(0), AtomicI64::new(SystemClock.now()));
        Self { registry, passes, watch_errors, seconds, leading, pipelines, refused, reached, alive }
    }
}

impl Telemetry {
    /// A pass ended after `took`.
    pub fn pass(&self, took: Duration, done: bool) {
        let result = if done { Ending::Done } else { Ending::CutOff };
        self.passes.get_or_create(&Ended { result }).inc();
        self.seconds.observe(took.as_secs_f64());
        if done {
            self.reached();
        }
    }

    /// A watch broke off.
    pub fn watch_error(&self, kind: &str) {
        self.watch_errors.get_or_create(&Watched { kind: kind.to_owned() }).inc();
    }

    /// The API server refuses to tell of a kind: a right is missing, and no pipeline can be looked after. `None`: it tells.
    pub fn watch_refused(&self, kind: &'static str, words: Option<String>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match words {
            Some(words) => drop(refused.insert(kind, words)),
            None => drop(refused.remove(kind)),
        }
    }

    /// Why this operator cannot do its work.
    fn hindrance(&self) -> Option<String> {
        if self.reached.load(Ordering::Acquire) == 0 {
            return Some("the API server has not been reached yet".to_owned());
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<&str> = refused.values().map(String::as_str).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// The API server answered, or there is nothing to ask it.
    pub fn reached(&self) {
        self.reached.store(SystemClock.now(), Ordering::Release);
        self.alive.store(SystemClock.now(), Ordering::Release);
    }

    /// The lease was looked at. That is a sign of life only while there is nothing else to do.
    pub fn looked(&self) {
        self.reached.store(SystemClock.now(), Ordering::Release);
        if self.pipelines.get() == 0 {
            self.alive.store(SystemClock.now(), Ordering::Release);
        }
    }

    /// How many pipelines there are.
    pub fn knows(&self, pipelines: usize) {
        self.pipelines.set(pipelines as i64);
    }

    /// Whether this operator leads.
    pub fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
        if !leads {
            self.pipelines.set(0);
        }
    }

    fn is_alive(&self, now: i64) -> bool {
        now - self.alive.load(Ordering::Acquire) < STALE.as_millis() as i64
    }

    /// Serves on a thread of its own until the process ends.
    ///
    /// # Errors
    /// The address is taken.
    pub fn serve(self: &Arc<Self>, address: SocketAddr) -> std::io::Result<()> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let router = axum::Router::new()
            .route("/livez", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .with_state(self.clone());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            })
        };
        std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            if let Err(error) = serve() {
                // Without health the kubelet would restart us anyway, a little later.
                tracing::error!(%error, "http ended");
                std::process::exit(1);
            }
        })?;
        Ok(())
    }
}

async fn live(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    if telemetry.is_alive(SystemClock.now()) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "nothing has ended well for five minutes")
    }
}

async fn ready(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    match telemetry.hindrance() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(words) => (StatusCode::SERVICE_UNAVAILABLE, words),
    }
}

async fn scrape(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    let mut out = String::new();
    match text::encode(&mut out, &telemetry.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], out).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_a_watch_is_not_ready_and_says_which() {
        let telemetry = Telemetry::default();
        assert_eq!(telemetry.hindrance().as_deref(), Some("the API server has not been reached yet"));
        telemetry.reached();
        assert_eq!(telemetry.hindrance(), None);
        telemetry.watch_refused("Pod", Some("may not list pods".to_owned()));
        telemetry.watch_refused("Service", Some("may not list services".to_owned()));
        assert_eq!(telemetry.hindrance().as_deref(), Some("may not list pods; may not list services"));
        telemetry.watch_refused("Pod", None);
        assert_eq!(telemetry.hindrance().as_deref(), Some("may not list services"));
    }

    #[test]
    fn life_is_told_by_the_age_of_the_last_success() {
        let telemetry = Telemetry::default();
        let now = SystemClock.now();
        assert!(telemetry.is_alive(now));
        assert!(!telemetry.is_alive(now + 301_000));
        telemetry.pass(Duration::from_millis(7), false);
        let mut out = String::new();
        text::encode(&mut out, &telemetry.registry).expect("metrics are plain text");
        assert!(out.contains("sluice_operator_passes_total{result=\"CutOff\"} 1"), "{out}");
    }
}

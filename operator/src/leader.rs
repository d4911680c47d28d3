//! Which of several operators may write: the one that holds the lease, and only as long as no other can hold it.
//!
//! `kube-lease-manager` takes and renews the lease. This module watches the lease itself, because the manager tells of a loss only
//! after it has reached the API server again: writing ends when the last renewal that was *seen* runs out. Both have a thread and
//! a connection of their own: hundreds of pipelines that all want to be written at once do not cost the lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, Config};
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Telemetry;
use crate::world::{Clock, MayWrite, SystemClock};

/// How long a lease is valid after its last renewal.
pub const DURATION: Duration = Duration::from_secs(30);
/// It is renewed this long before it ends.
const RENEWED_BEFORE: Duration = Duration::from_secs(10);
/// Writing ends this long before it does: the clocks of two nodes differ.
const MARGIN: Duration = Duration::from_secs(4);
/// How often the lease is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Until when this operator may write, by its own clock.
#[derive(Debug, Default)]
pub struct Term {
    until: AtomicI64,
}

impl Term {
    /// One that never ends, for an operator that is alone by other means.
    pub fn endless() -> Self {
        Self { until: AtomicI64::new(i64::MAX) }
    }

    fn set(&self, until: i64) {
        self.until.store(until, Ordering::Release);
    }
}

impl MayWrite for Term {
    fn may_write(&self) -> bool {
        SystemClock.now() < self.until.load(Ordering::Acquire)
    }
}

/// Where the lease lies.
#[derive(Debug, Clone)]
pub struct Election {
    /// Namespace of the lease.
    pub namespace: String,
    /// Name of the lease.
    pub name: String,
    /// Who this operator is among the others.
    pub identity: String,
}

/// The thread that is after the lease, and what it says.
pub struct Campaign {
    /// Whether this operator holds the lease, as the manager knows it.
    pub leads: watch::Receiver<bool>,
    /// Until when it may write.
    pub term: Arc<Term>,
    stop: CancellationToken,
    given_back: oneshot::Receiver<()>,
}

/// What the thread says once it has begun.
type Begun = Result<watch::Receiver<bool>, CampaignError>;

/// The lease cannot be had at all.
#[derive(Debug, Error)]
pub enum CampaignError {
    /// The thread or its connection cannot be made. The environment must act.
    #[error("cannot begin: {0}")]
    Begin(String),
    /// The API server refuses the lease, or does not answer.
    #[error(transparent)]
    Lease(#[from] LeaseManagerError),
}

impl Campaign {
    /// Begins to try for the lease.
    ///
    /// # Errors
    /// There is no such lease and none can be made.
    pub async fn begin(config: Config, election: &Election, telemetry: Arc<Telemetry>) -> Result<Self, CampaignError> {
        let (begun, beginning) = oneshot::channel();
        let (back, given_back) = oneshot::channel();
        let (term, stop) = (Arc::new(Term::default()), CancellationToken::new());
        let runs = run(config, election.clone(), term.clone(), telemetry, stop.clone(), begun);
        let thread = move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(runs),
                Err(error) => tracing::error!(%error, "the lease's thread cannot begin"),
            }
            let _ = back.send(());
        };
        let failed = |error: &dyn std::fmt::Display| CampaignError::Begin(error.to_string());
        std::thread::Builder::new().name("lease".to_owned()).spawn(thread).map_err(|error| failed(&error))?;
        let leads = beginning.await.map_err(|error| failed(&error))??;
        Ok(Self { leads, term, stop, given_back })
    }

    /// Ends the term and gives the lease back, so that another operator need not wait for its end.
    pub async fn end(self) {
        self.term.set(0);
        drop(self.leads);
        self.stop.cancel();
        if tokio::time::timeout(Duration::from_secs(5), self.given_back).await.is_err() {
            tracing::warn!("the lease could not be given back; it runs out by itself");
        }
    }
}

/// On the lease's own thread.
async fn run(
    config: Config,
    election: Election,
    term: Arc<Term>,
    telemetry: Arc<Telemetry>,
    stop: CancellationToken,
    begun: oneshot::Sender<Begun>,
) {
    let manage = async {
        let client = Client::try_from(config).map_err(|error| CampaignError::Begin(error.to_string()))?;
        let manager = LeaseManagerBuilder::new(client.clone(), &election.name)
            .with_namespace(&election.namespace)
            .with_identity(&election.identity)
            .with_duration(DURATION.as_secs())
            .with_grace(RENEWED_BEFORE.as_secs())
            .build()
            .await?;
        Ok::<_, CampaignError>((client, manager.watch().await))
    };
    let (client, (leads, manager)) = match manage.await {
        Ok(managed) => managed,
        Err(error) => return drop(begun.send(Err(error))),
    };
    let _ = begun.send(Ok(leads));
    tokio::select! {
        () = observe(client, election, term.clone(), telemetry) => {}
        () = stop.cancelled() => {}
    }
    term.set(0);
    // Nobody listens any more, so the manager gives the lease back and ends.
    let _ = manager.await;
}

async fn observe(client: Client, election: Election, term: Arc<Term>, telemetry: Arc<Telemetry>) {
    let leases: Api<Lease> = Api::namespaced(client, &election.namespace);
    loop {
        // A failed look leaves the term as it was: it ends by itself.
        if let Ok(Ok(lease)) = tokio::time::timeout(DURATION / 3, leases.get(&election.name)).await {
            term.set(until(&lease, &election.identity));
            telemetry.looked();
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Until when the holder may write; 0 when somebody else holds it.
fn until(lease: &Lease, identity: &str) -> i64 {
    let Some(spec) = lease.spec.as_ref().filter(|spec| spec.holder_identity.as_deref() == Some(identity)) else {
        return 0;
    };
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    let renewed = spec.renew_time.as_ref().map_or(0, |time| time.0.as_millisecond());
    renewed + i64::from(seconds) * 1_000 - MARGIN.as_millis() as i64
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn a_term_ends_before_the_lease_does() {
        let renewed = Timestamp::from_millisecond(1_000_000).expect("in range");
        let lease = Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some("a".to_owned()),
                lease_duration_seconds: Some(30),
                renew_time: Some(MicroTime(renewed)),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        };
        assert_eq!(until(&lease, "a"), 1_026_000);
        assert_eq!(until(&lease, "b"), 0);
        assert_eq!(until(&Lease::default(), "a"), 0);
    }

    #[test]
    fn a_renewal_is_seen_before_the_term_ends() {
        let renewed_after = DURATION.saturating_sub(RENEWED_BEFORE);
        assert!(
            renewed_after + 2 * LOOK <= DURATION.saturating_sub(MARGIN),
            "else nothing may be written for a moment at every renewal"
        );
    }

    #[test]
    fn who_never_held_the_lease_may_not_write() {
        assert!(!Term::default().may_write());
        assert!(Term::endless().may_write());
    }
}

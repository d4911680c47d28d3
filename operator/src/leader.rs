//! Which of several operators may write: the one that holds the lease, and only as long as no other can hold it.
//!
//! `kube-lease-manager` takes and renews the lease. This module watches the lease itself, because the manager tells of a loss only
//! after it has reached the API server again: writing ends when the last renewal that was *seen* runs out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::task::JoinHandle;

use crate::telemetry::Telemetry;
use crate::world::{Clock, MayWrite, SystemClock};

/// How long a lease is valid after its last renewal.
pub const DURATION: Duration = Duration::from_secs(30);
/// It is renewed this long before it ends, and writing ends this long before, too: the clocks of two nodes differ.
const GRACE: Duration = Duration::from_secs(5);
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

/// The manager's task and what it says.
pub struct Campaign {
    /// Whether this operator holds the lease, as the manager knows it.
    pub leads: tokio::sync::watch::Receiver<bool>,
    /// Until when it may write.
    pub term: Arc<Term>,
    manager: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
    observer: JoinHandle<()>,
}

impl Campaign {
    /// Begins to try for the lease.
    pub async fn begin(
        client: Client,
        election: &Election,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(client.clone(), &election.name)
            .with_namespace(&election.namespace)
            .with_identity(&election.identity)
            .with_duration(DURATION.as_secs())
            .with_grace(GRACE.as_secs())
            .build()
            .await?;
        let (leads, manager) = manager.watch().await;
        let term = Arc::new(Term::default());
        let observer = tokio::spawn(observe(client, election.clone(), term.clone(), telemetry));
        Ok(Self { leads, term, manager, observer })
    }

    /// Ends the term and gives the lease back, so that another operator need not wait for its end.
    pub async fn end(self) {
        self.observer.abort();
        self.term.set(0);
        drop(self.leads);
        if tokio::time::timeout(Duration::from_secs(5), self.manager).await.is_err() {
            tracing::warn!("the lease could not be given back; it runs out by itself");
        }
    }
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
    renewed + i64::from(seconds) * 1_000 - GRACE.as_millis() as i64
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
        assert_eq!(until(&lease, "a"), 1_025_000);
        assert_eq!(until(&lease, "b"), 0);
        assert_eq!(until(&Lease::default(), "a"), 0);
    }

    #[test]
    fn who_never_held_the_lease_may_not_write() {
        assert!(!Term::default().may_write());
        assert!(Term::endless().may_write());
    }
}

//! Which pipeline is looked at when: watches, timers, backoff.
//!
//! Kept true: each pipeline has its own backoff, no more than a fixed number of passes run at a time, and passes begin only when
//! the watches have told everything that there is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::runtime::controller::{Action, Error as ApplierError};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Config, applier};
use kube::{Client, ResourceExt as _};

use crate::compile::Compiler;
use crate::reconcile::{Memory, PassError, Settings, reconcile};
use crate::telemetry::Telemetry;
use crate::watches::{Desk, Known, Watches};
use crate::world::{Cache, World};

/// Changes that come together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Pauses between passes over a pipeline that were cut off.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often the pipelines are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Longest that one pass may take.
const PASS_WAIT: Duration = Duration::from_mins(2);
/// A pause is this share longer or shorter, so that pipelines that began together do not stay together.
const SPREAD: f64 = 0.1;

/// Which pipelines, and how many at a time.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Only this namespace; absent: all.
    pub namespace: Option<String>,
    /// Most passes at a time.
    pub concurrency: u16,
}

/// What a pass needs.
struct Context<W> {
    world: Arc<W>,
    settings: Settings,
    memory: Arc<Memory>,
    telemetry: Arc<Telemetry>,
    failures: Mutex<HashMap<ObjectRef<Known>, u32>>,
}

/// Looks after the pipelines until it is dropped. `world` reads from `cache`, which is filled here.
pub async fn run<W>(
    client: Client,
    (world, cache): (Arc<W>, Arc<Cache>),
    settings: Settings,
    (scope, compiler): (&Scope, Arc<Compiler>),
    telemetry: Arc<Telemetry>,
) where
    W: World + 'static,
{
    let memory = Arc::new(Memory::with(compiler));
    let namespace = scope.namespace.clone();
    let desk = Desk { client, namespace, cache, memory: memory.clone(), telemetry: telemetry.clone() };
    let (store, writer) = reflector::store();
    let mut watches = Watches::begin(&desk, writer).await;
    tracing::info!(pipelines = store.len(), "everything that there is has been told");
    let context =
        Arc::new(Context { world, settings, memory, telemetry: telemetry.clone(), failures: Mutex::default() });
    let passes = applier(
        |pipeline, context| Box::pin(pass(pipeline, context)),
        |pipeline: Arc<Known>, _: &PassError, context: Arc<Context<W>>| context.again_after_failure(&pipeline),
        context,
        store.clone(),
        watches.touched().map(Ok::<_, Infallible>),
        Config::default().debounce(DEBOUNCE).concurrency(scope.concurrency),
    );
    let passes = passes.for_each(|ended| async move {
        match ended {
            // Deleted meanwhile.
            Ok(_) | Err(ApplierError::ObjectNotFound(_)) => {}
            Err(error) => tracing::warn!(%error, "a pass was cut off"),
        }
    });
    tokio::select! {
        () = passes => {}
        () = count(&store, &telemetry) => {}
        () = watches.ended() => {}
    }
}

/// Says how many pipelines there are.
async fn count(store: &Store<Known>, telemetry: &Telemetry) {
    loop {
        telemetry.knows(store.len());
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

async fn pass<W: World>(pipeline: Arc<Known>, context: Arc<Context<W>>) -> Result<Action, PassError> {
    let (namespace, name) = (pipeline.namespace().unwrap_or_default(), pipeline.name_any());
    let began = Instant::now();
    let looking = reconcile(&*context.world, &context.settings, &context.memory, &namespace, &name);
    let ended = tokio::time::timeout(PASS_WAIT, looking).await.unwrap_or_else(|_| {
        let message = format!("the pass took more than {PASS_WAIT:?}");
        Err(PassError::Cluster(crate::world::ClusterError::Reach { message }))
    });
    context.telemetry.pass(began.elapsed(), ended.is_ok());
    let again = ended?;
    context.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&ObjectRef::from_obj(&*pipeline));
    Ok(again.map_or_else(
        || {
            context.memory.forget(pipeline.uid().as_deref().unwrap_or_default());
            Action::await_change()
        },
        |pause| Action::requeue(spread(pause)),
    ))
}

/// A little more or less.
fn spread(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
    pause.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * random)
}

impl<W> Context<W> {
    fn again_after_failure(&self, pipeline: &Known) -> Action {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(ObjectRef::from_obj(pipeline)).or_default();
        let pause = PAUSE.0.saturating_mul(1 << (*count).min(6)).min(PAUSE.1);
        *count += 1;
        Action::requeue(spread(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_by_a_tenth_at_most() {
        let pauses: Vec<Duration> = (0..100).map(|_| spread(Duration::from_secs(10))).collect();
        assert!(pauses.iter().all(|pause| (9_000..=11_000).contains(&pause.as_millis())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}

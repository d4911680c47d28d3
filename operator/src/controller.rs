//! Which pipeline is looked at when: watches, timers, backoff.
//!
//! Kept true: each watch has its own backoff, so that one that fails starves no other; each pipeline has its own, too; and no
//! more than a fixed number of passes run at a time. Only metadata is watched: a pipeline that this version cannot read
//! breaks no watch, and hundreds of them take little memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, StreamExt as _, select_all};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Error as ApplierError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Config, Predicate as _, PredicateConfig, WatchStreamExt as _, applier, predicates, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::api::AnalyticsPipeline;
use crate::names;
use crate::reconcile::{Memory, PassError, Settings, reconcile};
use crate::telemetry::Telemetry;
use crate::world::World;

/// What the cache holds of a pipeline.
type Known = PartialObjectMeta<AnalyticsPipeline>;

/// Changes that come together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// Pauses between passes over a pipeline that were cut off.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often the pipelines are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Longest that one pass may take.
const PASS_WAIT: Duration = Duration::from_mins(2);

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
    memory: Memory,
    telemetry: Arc<Telemetry>,
    failures: Mutex<HashMap<ObjectRef<Known>, u32>>,
}

/// Looks after the pipelines until it is dropped.
pub async fn run<W>(client: Client, world: Arc<W>, settings: Settings, scope: &Scope, telemetry: Arc<Telemetry>)
where
    W: World + 'static,
{
    let (store, writer) = reflector::store();
    let pipelines = watcher(api::<Known>(&client, scope), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(predicates::generation.combine(predicates::finalizers), PredicateConfig::default());
    let own = well(pipelines, "AnalyticsPipeline", telemetry.clone()).map(|pipeline| ObjectRef::from_obj(&pipeline));
    let triggers = select_all([
        own.boxed(),
        children::<StatefulSet>(&client, scope, &telemetry),
        children::<ConfigMap>(&client, scope, &telemetry),
        children::<Service>(&client, scope, &telemetry),
        children::<ServiceAccount>(&client, scope, &telemetry),
        children::<NetworkPolicy>(&client, scope, &telemetry),
        children::<PodDisruptionBudget>(&client, scope, &telemetry),
        children::<Pod>(&client, scope, &telemetry),
        children::<PersistentVolumeClaim>(&client, scope, &telemetry),
    ]);
    let known = store.clone();
    let context = Arc::new(Context {
        world,
        settings,
        memory: Memory::default(),
        telemetry: telemetry.clone(),
        failures: Mutex::default(),
    });
    let config = Config::default().debounce(DEBOUNCE).concurrency(scope.concurrency);
    let passes = applier(
        |pipeline, context| Box::pin(pass(pipeline, context)),
        |pipeline: Arc<Known>, _: &PassError, context: Arc<Context<W>>| context.again_after_failure(&pipeline),
        context,
        store,
        triggers.map(Ok::<_, Infallible>),
        config,
    );
    let passes = passes.for_each(|ended| async move {
        match ended {
            // Deleted meanwhile.
            Ok(_) | Err(ApplierError::ObjectNotFound(_)) => {}
            Err(error) => tracing::warn!(%error, "a pass was cut off"),
        }
    });
    let count = async {
        loop {
            telemetry.knows(known.len());
            tokio::time::sleep(COUNT_EVERY).await;
        }
    };
    tokio::select! {
        () = passes => {}
        () = count => {}
    }
}

fn api<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match &scope.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The pipelines whose objects of a kind changed.
fn children<K>(client: &Client, scope: &Scope, telemetry: &Arc<Telemetry>) -> BoxStream<'static, ObjectRef<Known>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let ours = watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY.0, names::MANAGED_BY.1));
    let objects = watcher(api::<PartialObjectMeta<K>>(client, scope), ours).default_backoff().touched_objects();
    let of = |object: PartialObjectMeta<K>| async move {
        let pipeline = object.labels().get(names::PIPELINE)?;
        Some(ObjectRef::new(pipeline).within(&object.namespace()?))
    };
    well(objects, K::kind(&()).as_ref(), telemetry.clone()).filter_map(of).boxed()
}

/// What a watch gives; its errors are counted and end here, so that its backoff stays its own.
fn well<T: Send + 'static>(
    stream: impl futures::Stream<Item = Result<T, watcher::Error>> + Send + 'static,
    kind: &str,
    telemetry: Arc<Telemetry>,
) -> BoxStream<'static, T> {
    let kind = kind.to_owned();
    let keep = move |item: Result<T, watcher::Error>| {
        let kept = item
            .inspect_err(|error| {
                tracing::warn!(kind, %error, "the watch broke off");
                telemetry.watch_error(&kind);
            })
            .ok();
        if kept.is_some() {
            telemetry.reached();
        }
        std::future::ready(kept)
    };
    stream.filter_map(keep).boxed()
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
        Action::requeue,
    ))
}

impl<W> Context<W> {
    fn again_after_failure(&self, pipeline: &Known) -> Action {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(ObjectRef::from_obj(pipeline)).or_default();
        let pause = PAUSE.0.saturating_mul(1 << (*count).min(6)).min(PAUSE.1);
        *count += 1;
        Action::requeue(pause)
    }
}

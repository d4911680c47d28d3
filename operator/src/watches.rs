//! The watches: one per kind, shared by all pipelines. What they tell goes into the cache, and the pipelines that it is about
//! are looked at.
//!
//! Kept true: each watch has its own task and its own backoff, so that one that fails starves no other; and an object is in
//! the cache before its pipeline is looked at for it. Objects are read as plain data: a pipeline that this version cannot
//! read breaks no watch.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::{Stream, StreamExt};
use kube::api::DynamicObject;
use kube::core::{ObjectMeta, PartialObjectMeta, PartialObjectMetaExt as _};
use kube::runtime::reflector::{ObjectRef, store::Writer};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use kube::{Api, Client};
use tokio::task::JoinSet;

use crate::api::AnalyticsPipeline;
use crate::names;
use crate::reconcile::Memory;
use crate::telemetry::Telemetry;
use crate::world::{Cache, Kind, Object, object, serves};

/// What is known of a pipeline here: enough to say which it is.
pub type Known = PartialObjectMeta<AnalyticsPipeline>;

/// The kinds that every API server has.
const KINDS: [Kind; 8] = [
    Kind::ServiceAccount,
    Kind::ConfigMap,
    Kind::Service,
    Kind::NetworkPolicy,
    Kind::PodDisruptionBudget,
    Kind::StatefulSet,
    Kind::Pod,
    Kind::Claim,
];

/// How often it is asked whether the API server has come to know `ServiceMonitor`.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// What a watch needs.
#[derive(Clone)]
pub struct Desk {
    /// The way to the API server.
    pub client: Client,
    /// Only this namespace; absent: all.
    pub namespace: Option<String>,
    /// Where what is told goes.
    pub cache: Arc<Cache>,
    /// What is to forget what is gone.
    pub memory: Arc<Memory>,
    /// Who is told of watches that break off.
    pub telemetry: Arc<Telemetry>,
}

/// The running watches; they end with the value.
pub struct Watches {
    tasks: JoinSet<()>,
    touched: Option<UnboundedReceiver<ObjectRef<Known>>>,
}

impl Watches {
    /// Begins to watch, and returns when everything that there is has been told.
    pub async fn begin(desk: &Desk, pipelines: Writer<Known>) -> Self {
        let (tell, touched) = mpsc::unbounded();
        let mut watches = Self { tasks: JoinSet::new(), touched: Some(touched) };
        watches.tasks.spawn(watch_pipelines(desk.clone(), pipelines, tell.clone()));
        for kind in KINDS {
            watches.tasks.spawn(watch(desk.clone(), kind, tell.clone()));
        }
        let mut kinds = [&[Kind::Pipeline], &KINDS[..]].concat();
        // Should this not be answered now, the monitors come a minute later.
        if serves(&desk.client, Kind::ServiceMonitor).await == Ok(true) {
            kinds.push(Kind::ServiceMonitor);
        }
        watches.tasks.spawn(watch_monitors(desk.clone(), tell));
        desk.cache.until_filled(&kinds).await;
        watches
    }

    /// The pipelines to look at, for one reader.
    pub fn touched(&mut self) -> impl Stream<Item = ObjectRef<Known>> + Send + 'static {
        self.touched.take().map_or_else(|| futures::stream::pending().boxed(), StreamExt::boxed)
    }

    /// Waits until a watch ends, which none does by itself.
    pub async fn ended(&mut self) {
        let _ = self.tasks.join_next().await;
    }
}

impl Desk {
    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind.resource()),
            None => Api::all_with(self.client.clone(), &kind.resource()),
        }
    }

    /// Takes in what a watch tells.
    fn told(&self, kind: Kind, event: Event<DynamicObject>) -> Event<Object> {
        self.telemetry.reached();
        // A list that is only begun may still be refused.
        if !matches!(event, Event::Init) {
            self.telemetry.watch_refused(kind.as_str(), None);
        }
        let event = each(event, |dynamic| object(kind, dynamic));
        if let Event::Delete(gone) = &event {
            self.memory.forget(gone.uid());
        }
        self.cache.told(kind, &event);
        event
    }

    fn broke_off(&self, kind: Kind, error: &watcher::Error) {
        self.telemetry.watch_error(kind.as_str());
        let Some(words) = refusal(error) else {
            tracing::warn!(kind = kind.as_str(), %error, "the watch broke off");
            return;
        };
        tracing::error!(kind = kind.as_str(), error = words, "a right is missing: nothing is done without it");
        self.telemetry.watch_refused(kind.as_str(), Some(words.to_owned()));
    }
}

/// What the API server says when it forbids a watch: who may not do what.
fn refusal(error: &watcher::Error) -> Option<&str> {
    use kube::Error::Api;
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let (InitialListFailed(Api(status))
    | WatchStartFailed(Api(status))
    | WatchFailed(Api(status))
    | WatchError(status)) = error
    else {
        return None;
    };
    (status.code == 403).then_some(&status.message)
}

/// The same event about another form of the object.
fn each<A, B>(event: Event<A>, form: impl FnOnce(A) -> B) -> Event<B> {
    match event {
        Event::Apply(object) => Event::Apply(form(object)),
        Event::Delete(object) => Event::Delete(form(object)),
        Event::InitApply(object) => Event::InitApply(form(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// Status and labels of pipelines change without anything to do.
async fn watch_pipelines(desk: Desk, writer: Writer<Known>, tell: UnboundedSender<ObjectRef<Known>>) {
    let events = watcher(desk.api(Kind::Pipeline), watcher::Config::default()).default_backoff();
    let known = |object: Object| -> Known {
        serde_json::from_value::<ObjectMeta>(object.0["metadata"].clone()).unwrap_or_default().into_response_partial()
    };
    let told = events.filter_map(|item| {
        let item = item.inspect_err(|error| desk.broke_off(Kind::Pipeline, error)).ok();
        std::future::ready(item.map(|event| Ok(each(desk.told(Kind::Pipeline, event), known))))
    });
    let touched = told
        .reflect(writer)
        .applied_objects()
        .predicate_filter(predicates::generation.combine(predicates::finalizers), PredicateConfig::default());
    let mut touched = std::pin::pin!(touched);
    while let Some(item) = touched.next().await {
        let item: Result<Known, watcher::Error> = item;
        let _ = item.map(|pipeline| tell.unbounded_send(ObjectRef::from_obj(&pipeline)));
    }
}

async fn watch(desk: Desk, kind: Kind, tell: UnboundedSender<ObjectRef<Known>>) {
    let ours = watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY.0, names::MANAGED_BY.1));
    let mut events = std::pin::pin!(watcher(desk.api(kind), ours).default_backoff());
    while let Some(item) = events.next().await {
        match item {
            Ok(event) => {
                if let Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) = desk.told(kind, event)
                    && let Some(pipeline) = object.label(names::PIPELINE)
                {
                    let _ = tell.unbounded_send(ObjectRef::new(pipeline).within(object.namespace()));
                }
            }
            Err(error) => {
                desk.broke_off(kind, &error);
                if kind == Kind::ServiceMonitor && serves(&desk.client, kind).await == Ok(false) {
                    return;
                }
            }
        }
    }
}

/// The kind comes and goes with Prometheus' operator.
async fn watch_monitors(desk: Desk, tell: UnboundedSender<ObjectRef<Known>>) {
    loop {
        if serves(&desk.client, Kind::ServiceMonitor).await == Ok(true) {
            watch(desk.clone(), Kind::ServiceMonitor, tell.clone()).await;
            desk.cache.unknown(Kind::ServiceMonitor);
            desk.telemetry.watch_refused(Kind::ServiceMonitor.as_str(), None);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

//! The Kubernetes API through `kube`, as plain objects.
//!
//! What is watched is read from the cache, which takes in the answers to writes, too. Kept true: every write is ours by name (one field manager), names the very object where that matters (uid), and is made
//! only while this operator may write.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::TypeMeta;
use kube::{Client, Error};
use schemas::status::AnalyticsPipelineStatus;
use schemas::text::plain_lines;
use serde_json::json;

use super::{Cache, Cluster, ClusterError, Dependents, Happening, Kind, Object};
use crate::names::FIELD_MANAGER;

/// Longest that one call may take: a dead connection must not hold a reconcile for ever.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// Whether this operator leads, asked before each write.
pub trait MayWrite: Send + Sync {
    /// True only while no other operator can hold the lease.
    fn may_write(&self) -> bool;
}

/// The API of one cluster.
#[derive(Clone)]
pub struct KubernetesApi {
    client: Client,
    cache: Arc<Cache>,
    gate: Arc<dyn MayWrite>,
    /// Who says what happened: this process.
    instance: String,
}

impl KubernetesApi {
    /// Through `client`, reading what is watched from `cache`, writing while `gate` allows it, telling events as `instance`.
    pub fn new(client: Client, cache: Arc<Cache>, gate: Arc<dyn MayWrite>, instance: String) -> Self {
        Self { client, cache, gate, instance }
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
    }

    /// What became of the object by our own write.
    fn written(&self, kind: Kind, answer: DynamicObject) -> Object {
        let written = object(kind, answer);
        self.cache.answered(kind, &written);
        written
    }

    fn writing(&self) -> Result<(), ClusterError> {
        if self.gate.may_write() { Ok(()) } else { Err(ClusterError::NotLeading) }
    }
}

/// Whether the API server knows the kind.
pub async fn serves(client: &Client, kind: Kind) -> Result<bool, ClusterError> {
    let version = kind.api_version();
    let resources = existing(answer(client.list_api_group_resources(&version)).await)?;
    Ok(resources.is_some_and(|list| list.resources.iter().any(|resource| resource.kind == kind.as_str())))
}

async fn answer<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, ClusterError> {
    match tokio::time::timeout(ANSWER_WAIT, call).await {
        Ok(answer) => answer.map_err(|error| judge(&error)),
        Err(_) => Err(ClusterError::Reach { message: format!("no answer within {ANSWER_WAIT:?}") }),
    }
}

/// Who must act: 4xx is a refusal but for those that say to come again.
fn judge(error: &Error) -> ClusterError {
    match error {
        Error::Api(status) if (400..500).contains(&status.code) && !matches!(status.code, 408 | 429) => {
            let (reason, message) = (status.reason.clone(), status.message.clone());
            ClusterError::Refuse { code: status.code, reason, message }
        }
        other => ClusterError::Reach { message: other.to_string() },
    }
}

/// `None` for what does not exist.
fn existing<T>(answer: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ClusterError::Refuse { code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As `kube` takes it. Objects of lists come without their kind, which is put back.
pub fn object(kind: Kind, mut dynamic: DynamicObject) -> Object {
    // Long, of no use here, and not part of what is compared.
    dynamic.metadata.managed_fields = None;
    dynamic.types = Some(TypeMeta { api_version: kind.api_version(), kind: kind.as_str().to_owned() });
    Object::of(&dynamic)
}

fn dynamic(object: &Object) -> Result<DynamicObject, ClusterError> {
    serde_json::from_value(object.0.clone()).map_err(|error| ClusterError::Refuse {
        code: 400,
        reason: "BadRequest".to_owned(),
        message: format!("no object of the API: {error}"),
    })
}

impl Cluster for KubernetesApi {
    async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        let found = answer(self.api(kind, namespace).get_opt(name)).await?;
        Ok(found.map(|found| object(kind, found)))
    }

    async fn pipeline(&self, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        Ok(self.cache.get(Kind::Pipeline, namespace, name))
    }

    async fn labelled(&self, kind: Kind, namespace: &str, pipeline: &str) -> Result<Vec<Object>, ClusterError> {
        Ok(self.cache.list(kind, namespace, pipeline))
    }

    async fn serves(&self, kind: Kind) -> Result<bool, ClusterError> {
        Ok(self.cache.knows(kind))
    }

    async fn create(&self, kind: Kind, new: &Object) -> Result<Object, ClusterError> {
        self.writing()?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = answer(self.api(kind, new.namespace()).create(&parameters, &dynamic(new)?)).await?;
        Ok(self.written(kind, made))
    }

    async fn apply(&self, kind: Kind, wanted: &Object) -> Result<Object, ClusterError> {
        self.writing()?;
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api(kind, wanted.namespace());
        let applied = answer(api.patch(wanted.name(), &parameters, &Patch::Apply(&wanted.0))).await?;
        Ok(self.written(kind, applied))
    }

    async fn delete(&self, kind: Kind, gone: &Object, dependents: Dependents) -> Result<(), ClusterError> {
        self.writing()?;
        let parameters = match dependents {
            Dependents::Delete => DeleteParams::background(),
            Dependents::Orphan => DeleteParams::orphan(),
        };
        let preconditions = Preconditions { uid: Some(gone.uid().to_owned()), ..Preconditions::default() };
        let api = self.api(kind, gone.namespace());
        existing(answer(api.delete(gone.name(), &parameters.preconditions(preconditions))).await).map(drop)
    }

    async fn grow_claim(&self, namespace: &str, name: &str, size: &str) -> Result<(), ClusterError> {
        self.writing()?;
        let patch = json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(Kind::Claim, namespace);
        let grown = answer(api.patch(name, &parameters, &Patch::Merge(&patch))).await?;
        self.written(Kind::Claim, grown);
        Ok(())
    }

    async fn set_finalizers(&self, pipeline: &Object, finalizers: &[String]) -> Result<(), ClusterError> {
        self.writing()?;
        // The resource version refuses the write when somebody else changed the list meanwhile.
        let version = pipeline.text("/metadata/resourceVersion");
        let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(Kind::Pipeline, pipeline.namespace());
        let written = existing(answer(api.patch(pipeline.name(), &parameters, &Patch::Merge(&patch))).await)?;
        written.map(|written| self.written(Kind::Pipeline, written));
        Ok(())
    }

    async fn write_status(&self, pipeline: &Object, status: &AnalyticsPipelineStatus) -> Result<(), ClusterError> {
        self.writing()?;
        let wanted = json!({
            "apiVersion": Kind::Pipeline.api_version(), "kind": Kind::Pipeline.as_str(),
            // The uid refuses the write when the pipeline is another one by now.
            "metadata": {"name": pipeline.name(), "namespace": pipeline.namespace(), "uid": pipeline.uid()},
            "status": status,
        });
        let api = self.api(Kind::Pipeline, pipeline.namespace());
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&wanted);
        let written = existing(answer(api.patch_status(pipeline.name(), &parameters, &patch)).await)?;
        written.map(|written| self.written(Kind::Pipeline, written));
        Ok(())
    }

    async fn warnings(&self, namespace: &str, uid: &str) -> Result<Vec<String>, ClusterError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let about = ListParams::default().fields(&format!("involvedObject.uid={uid},type=Warning"));
        let mut events = answer(api.list(&about)).await?.items;
        events.sort_by_key(|event| {
            let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref().map(|time| time.0));
            series.or(event.last_timestamp.as_ref().map(|time| time.0)).or(event.event_time.as_ref().map(|time| time.0))
        });
        Ok(events.into_iter().filter_map(|event| event.message).collect())
    }

    async fn tell(&self, pipeline: &Object, happening: &Happening) -> Result<(), ClusterError> {
        self.writing()?;
        let now = Timestamp::now();
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": format!("{}.{:x}", pipeline.name(), now.as_nanosecond()), "namespace": pipeline.namespace()},
            "eventTime": format!("{now:.6}"),
            "type": if happening.warning { "Warning" } else { "Normal" },
            "reason": happening.reason.as_str(), "action": happening.reason.as_str(),
            "note": shortened(&plain_lines(&happening.note), 1_000),
            "reportingController": "sluice.dev/operator", "reportingInstance": self.instance,
            "regarding": {
                "apiVersion": Kind::Pipeline.api_version(), "kind": Kind::Pipeline.as_str(),
                "name": pipeline.name(), "namespace": pipeline.namespace(), "uid": pipeline.uid(),
            },
        });
        let kind = kube::core::GroupVersionKind::gvk("events.k8s.io", "v1", "Event");
        let resource = kube::api::ApiResource::from_gvk_with_plural(&kind, "events");
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), pipeline.namespace(), &resource);
        answer(api.create(&PostParams::default(), &dynamic(&Object(event))?)).await.map(drop)
    }
}

/// At most that many bytes of a text, cut between characters.
fn shortened(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must_act_is_told_by_the_status() {
        let status = |code: u16| kube::core::Status { code, message: "no".to_owned(), ..Default::default() };
        for (code, refused) in
            [(400, true), (403, true), (409, true), (422, true), (408, false), (429, false), (500, false), (503, false)]
        {
            let judged = judge(&Error::Api(Box::new(status(code))));
            assert_eq!(judged.refusal().is_some(), refused, "{code}: {judged}");
        }
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        assert_eq!(shortened("abc", 1_000), "abc");
        assert_eq!(shortened("aé", 2), "a");
    }
}

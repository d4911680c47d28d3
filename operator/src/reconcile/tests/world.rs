//! A world in memory, with as much of Kubernetes' own controllers as matters, and one that stops answering at a given call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::TopicPlan;
use schemas::report::{OutputReport, PartitionReport, Trouble, WorkerReport};
use schemas::status::AnalyticsPipelineStatus;
use serde_json::{Value, json};

use crate::names;
use crate::world::{
    Broker, BrokerError, Clock, Cluster, ClusterError, Dependents, Happening, KafkaAccess, Kind, Object, Registry,
    RegistryAccess, RegistryError, SubjectState, TopicState, UnreachableWorker, Workers,
};

/// Windows of the example that begin at 10:00 UTC, and a quarter of an hour later.
pub(super) const LATEST: i64 = 1_795_773_600_000;
pub(super) const NOW: i64 = LATEST + 900_000;

type Key = (Kind, String);

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<Key, Value>,
    pub(super) topics: BTreeMap<String, TopicState>,
    pub(super) subjects: BTreeMap<String, (Vec<String>, Option<String>)>,
    pub(super) refuses_schema: Option<String>,
    pub(super) away: bool,
    pub(super) registry_away: bool,
    pub(super) latest: Option<i64>,
    pub(super) broken_image: Option<String>,
    pub(super) troubles: Vec<Trouble>,
    /// How much later than [`NOW`] it is, milliseconds.
    pub(super) later: i64,
    /// How often topics and the subject were looked at.
    pub(super) looks: (u32, u32),
    /// IPs of the pods that were asked for their report.
    pub(super) asked: Vec<String>,
    writes: Vec<String>,
    made: u64,
}

pub(super) struct MemoryWorld {
    state: Mutex<State>,
}

fn refused<T>(code: u16, reason: &str) -> Result<T, ClusterError> {
    Err(ClusterError::Refuse { code, reason: reason.to_owned(), message: reason.to_owned() })
}

fn is_of(object: &Value, pipeline: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    labels[names::MANAGED_BY.0] == names::MANAGED_BY.1 && labels[names::PIPELINE] == pipeline
}

impl MemoryWorld {
    pub(super) fn new(pipeline: Value) -> Self {
        let world = Self { state: Mutex::default() };
        world.lock().objects.insert((Kind::Pipeline, "revenue-5m".to_owned()), pipeline);
        world.lock().latest = Some(LATEST);
        world
    }

    pub(super) fn copy(&self) -> Self {
        Self { state: Mutex::new(self.lock().clone()) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the pipeline as a user would.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let pipeline =
            state.objects.get_mut(&(Kind::Pipeline, "revenue-5m".to_owned())).expect("the pipeline is there");
        edit(pipeline);
        pipeline["metadata"]["generation"] = json!(pipeline["metadata"]["generation"].as_i64().unwrap_or_default() + 1);
    }

    pub(super) fn object(&self, kind: Kind, name: &str) -> Option<Value> {
        self.lock().objects.get(&(kind, name.to_owned())).cloned()
    }

    pub(super) fn condition(&self, kind: &str) -> String {
        let pipeline = self.object(Kind::Pipeline, "revenue-5m").expect("the pipeline is there");
        let conditions = pipeline["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        found.map_or_else(String::new, |it| {
            let word = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", word("status"), word("reason"), word("message"))
        })
    }

    pub(super) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().writes)
    }

    /// Everything that must be the same whatever happened on the way.
    pub(super) fn snapshot(&self) -> Value {
        let state = self.lock();
        let objects = state.objects.iter().map(|((kind, name), object)| {
            let mut object = object.clone();
            for key in ["uid", "resourceVersion", "generation"] {
                object["metadata"].as_object_mut().expect("metadata").remove(key);
            }
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                status.remove("observedGeneration");
            }
            (format!("{kind:?}/{name}"), object)
        });
        json!({
            "objects": objects.collect::<serde_json::Map<_, _>>(),
            "topics": format!("{:?}", state.topics),
            "subjects": format!("{:?}", state.subjects),
        })
    }

    /// What Kubernetes' controllers would have done by the next pass.
    pub(super) fn kubernetes(&self) {
        let mut state = self.lock();
        state.collect_garbage();
        let set = state.objects.get(&(Kind::StatefulSet, "revenue-5m".to_owned())).cloned();
        state.run_pods(set.as_ref());
    }
}

impl State {
    fn wrote(&mut self, what: String) {
        self.writes.push(what);
    }

    fn put(&mut self, kind: Kind, object: &Object) -> Object {
        let key = (kind, object.name().to_owned());
        let old = self.objects.get(&key).cloned();
        let mut new = object.0.clone();
        self.made += 1;
        let (uid, generation) = match &old {
            Some(old) => {
                let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
                new["status"] = old["status"].clone();
                (old["metadata"]["uid"].clone(), generation + i64::from(old["spec"] != new["spec"]))
            }
            None => (json!(format!("u-{}", self.made)), 1),
        };
        new["metadata"]["uid"] = uid;
        new["metadata"]["generation"] = json!(generation);
        self.objects.insert(key, new.clone());
        Object(new)
    }

    fn collect_garbage(&mut self) {
        let pipeline = (Kind::Pipeline, "revenue-5m".to_owned());
        let gone = |object: &Value| {
            !object["metadata"]["deletionTimestamp"].is_null()
                && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
        };
        if self.objects.get(&pipeline).is_some_and(gone) {
            self.objects.retain(|(kind, _), _| matches!(kind, Kind::Claim));
        }
    }

    fn run_pods(&mut self, set: Option<&Value>) {
        let is_pod = |key: &Key| key.0 == Kind::Pod;
        let Some(set) = set else {
            // Orphaned pods stay; those of a deleted set went with it.
            return;
        };
        let template = &set["spec"]["template"];
        let revision = blake3::hash(template.to_string().as_bytes()).to_hex()[..10].to_owned();
        let replicas = set["spec"]["replicas"].as_i64().unwrap_or_default();
        self.objects.retain(|key, pod| {
            let ordinal = key.1.rsplit('-').next().and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
            !is_pod(key)
                || (ordinal < replicas && pod["metadata"]["labels"]["controller-revision-hash"] == revision.as_str())
        });
        for ordinal in 0..replicas {
            let name = format!("revenue-5m-{ordinal}");
            let mut labels = template["metadata"]["labels"].clone();
            labels["controller-revision-hash"] = json!(revision);
            let image = template["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
            let broken = self.broken_image.as_deref() == Some(image);
            let status = if broken {
                json!({"containerStatuses": [{"image": image, "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]})
            } else {
                json!({"podIP": format!("10.0.0.{ordinal}"), "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"ready": true, "state": {"running": {}}, "lastState": {}}]})
            };
            let owners = json!([{"kind": "StatefulSet", "uid": set["metadata"]["uid"], "controller": true}]);
            let pod = json!({"metadata": {"name": name, "ownerReferences": owners, "namespace": "team", "uid": format!("pod-{ordinal}-{revision}"), "labels": labels,
                "annotations": template["metadata"]["annotations"]}, "status": status});
            self.objects.insert((Kind::Pod, name), pod);
            let claim = names::claim("revenue-5m", ordinal as i32);
            let size = set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"].clone();
            let labels = set["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"].clone();
            self.objects.entry((Kind::Claim, claim.clone())).or_insert_with(|| {
                json!({"metadata": {"name": claim, "namespace": "team", "uid": claim, "labels": labels},
                    "spec": {"resources": {"requests": {"storage": size}}},
                    "status": {"phase": "Bound", "capacity": {"storage": size}}})
            });
        }
        for (key, claim) in &mut self.objects {
            if key.0 == Kind::Claim {
                claim["status"]["capacity"]["storage"] = claim["spec"]["resources"]["requests"]["storage"].clone();
            }
        }
        if let Some(set) = self.objects.get_mut(&(Kind::StatefulSet, "revenue-5m".to_owned())) {
            set["status"] = json!({"updateRevision": revision, "observedGeneration": set["metadata"]["generation"]});
        }
    }
}

impl Cluster for MemoryWorld {
    async fn get(&self, kind: Kind, _: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        Ok(self.object(kind, name).map(Object))
    }

    async fn pipeline(&self, _: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        Ok(self.object(Kind::Pipeline, name).map(Object))
    }

    async fn labelled(&self, kind: Kind, _: &str, pipeline: &str) -> Result<Vec<Object>, ClusterError> {
        let state = self.lock();
        let of_kind = state.objects.iter().filter(|((of, _), object)| *of == kind && is_of(object, pipeline));
        Ok(of_kind.map(|(_, object)| Object(object.clone())).collect())
    }

    async fn serves(&self, _: Kind) -> Result<bool, ClusterError> {
        Ok(true)
    }

    async fn create(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        let mut state = self.lock();
        if state.objects.contains_key(&(kind, object.name().to_owned())) {
            return refused(409, "AlreadyExists");
        }
        state.wrote(format!("create {kind:?} {}", object.name()));
        Ok(state.put(kind, object))
    }

    async fn apply(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        let mut state = self.lock();
        state.wrote(format!("apply {kind:?} {}", object.name()));
        let templates = |set: &Value| set["spec"]["volumeClaimTemplates"].clone();
        let old = state.objects.get(&(kind, object.name().to_owned()));
        if kind == Kind::StatefulSet && old.is_some_and(|old| templates(old) != templates(&object.0)) {
            return refused(422, "Invalid");
        }
        let is_immutable = kind == Kind::ConfigMap && old.is_some_and(|old| old["immutable"] == json!(true));
        if is_immutable && old.is_some_and(|old| old["data"] != object.0["data"]) {
            return refused(422, "Invalid");
        }
        Ok(state.put(kind, object))
    }

    async fn delete(&self, kind: Kind, object: &Object, dependents: Dependents) -> Result<(), ClusterError> {
        let mut state = self.lock();
        state.wrote(format!("delete {kind:?} {}", object.name()));
        state.objects.remove(&(kind, object.name().to_owned()));
        if kind == Kind::StatefulSet && dependents == Dependents::Delete {
            state.objects.retain(|(kind, _), _| *kind != Kind::Pod);
        }
        Ok(())
    }

    async fn grow_claim(&self, _: &str, name: &str, size: &str) -> Result<(), ClusterError> {
        let mut state = self.lock();
        state.wrote(format!("grow {name}"));
        let Some(claim) = state.objects.get_mut(&(Kind::Claim, name.to_owned())) else {
            return refused(404, "NotFound");
        };
        claim["spec"]["resources"]["requests"]["storage"] = json!(size);
        Ok(())
    }

    async fn set_finalizers(&self, pipeline: &Object, finalizers: &[String]) -> Result<(), ClusterError> {
        let mut state = self.lock();
        state.wrote("finalizers".to_owned());
        if let Some(known) = state.objects.get_mut(&(Kind::Pipeline, pipeline.name().to_owned())) {
            known["metadata"]["finalizers"] = json!(finalizers);
        }
        Ok(())
    }

    async fn write_status(&self, pipeline: &Object, status: &AnalyticsPipelineStatus) -> Result<(), ClusterError> {
        let mut state = self.lock();
        state.wrote("status".to_owned());
        if let Some(known) = state.objects.get_mut(&(Kind::Pipeline, pipeline.name().to_owned())) {
            known["status"] = serde_json::to_value(status).expect("plain data");
        }
        Ok(())
    }

    async fn warnings(&self, _: &str, _: &str) -> Result<Vec<String>, ClusterError> {
        Ok(Vec::new())
    }

    async fn tell(&self, _: &Object, happening: &Happening) -> Result<(), ClusterError> {
        self.lock().wrote(format!("tell {}: {}", happening.reason.as_str(), happening.note));
        Ok(())
    }
}

impl MemoryWorld {
    fn reached(&self) -> Result<MutexGuard<'_, State>, BrokerError> {
        let state = self.lock();
        if state.away {
            return Err(BrokerError::Reach { bootstrap: "kafka:9092".to_owned(), message: "refused".to_owned() });
        }
        Ok(state)
    }

    fn registry(&self) -> Result<MutexGuard<'_, State>, RegistryError> {
        let state = self.lock();
        if state.registry_away {
            return Err(RegistryError::Reach { url: "http://registry:8081".to_owned(), message: "refused".to_owned() });
        }
        Ok(state)
    }
}

impl Broker for MemoryWorld {
    async fn topics(&self, _: &KafkaAccess, names: &[String]) -> Result<Vec<Option<TopicState>>, BrokerError> {
        let mut state = self.reached()?;
        state.looks.0 += 1;
        Ok(names.iter().map(|name| state.topics.get(name).cloned()).collect())
    }

    async fn create_topic(&self, _: &KafkaAccess, topic: &TopicPlan) -> Result<(), BrokerError> {
        let config = Some(topic.config.iter().cloned().collect());
        let made = TopicState { partitions: topic.partitions, replication_factor: 1, config };
        self.reached()?.topics.entry(topic.name.clone()).or_insert(made);
        Ok(())
    }

    async fn grow_topic(&self, _: &KafkaAccess, name: &str, partitions: u32) -> Result<(), BrokerError> {
        let mut state = self.reached()?;
        state.wrote(format!("grow {name}"));
        if let Some(topic) = state.topics.get_mut(name) {
            topic.partitions = partitions;
        }
        Ok(())
    }

    async fn delete_topic(&self, _: &KafkaAccess, name: &str) -> Result<(), BrokerError> {
        self.reached()?.topics.remove(name);
        Ok(())
    }
}

impl Registry for MemoryWorld {
    async fn subject(&self, _: &RegistryAccess, subject: &str, schema: &str) -> Result<SubjectState, RegistryError> {
        let mut state = self.registry()?;
        state.looks.1 += 1;
        let Some((schemas, level)) = state.subjects.get(subject) else { return Ok(SubjectState::default()) };
        let id = schemas.iter().position(|known| known == schema).map(|at| at as u32 + 1);
        let latest = schemas.last().filter(|_| id.is_none()).cloned();
        Ok(SubjectState { latest, id, level: level.clone() })
    }

    async fn probe(&self, _: &RegistryAccess, _: &str, schema: &str) -> Result<Vec<String>, RegistryError> {
        let state = self.registry()?;
        let refused = state.refuses_schema.as_ref().filter(|word| schema.contains(word.as_str()));
        Ok(refused
            .map(|word| vec![format!("READER_FIELD_MISSING_DEFAULT_VALUE at '/fields/{word}'")])
            .unwrap_or_default())
    }

    async fn set_level(&self, _: &RegistryAccess, subject: &str, level: &str) -> Result<(), RegistryError> {
        self.registry()?.subjects.entry(subject.to_owned()).or_default().1 = Some(level.to_owned());
        Ok(())
    }

    async fn register(&self, _: &RegistryAccess, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let mut state = self.registry()?;
        let (schemas, _) = state.subjects.entry(subject.to_owned()).or_default();
        if !schemas.iter().any(|known| known == schema) {
            schemas.push(schema.to_owned());
        }
        Ok(schemas.len() as u32)
    }

    async fn delete_subject(&self, _: &RegistryAccess, subject: &str) -> Result<(), RegistryError> {
        self.registry()?.subjects.remove(subject);
        Ok(())
    }
}

impl Workers for MemoryWorld {
    async fn report(&self, pod_ip: &str) -> Result<WorkerReport, UnreachableWorker> {
        let mut state = self.lock();
        state.asked.push(pod_ip.to_owned());
        let partitions = state.topics.get("sales.events.v1").map_or(0, |topic| topic.partitions) as i32;
        let pods = state.objects.keys().filter(|(kind, _)| *kind == Kind::Pod).count() as i32;
        let ordinal: i32 = pod_ip.rsplit('.').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        let of = |partition| PartitionReport {
            partition,
            position: 10,
            committed: 10,
            end: Some(10),
            watermark: state.latest.map(|latest| latest - 600_000),
            latest: state.latest,
            sealed: state.latest.map(|latest| latest - 600_000),
            ..PartitionReport::default()
        };
        let published_until = state.latest.map(|latest| latest - 600_000);
        let outputs = (ordinal == 0).then(|| OutputReport { published_until, ..OutputReport::default() });
        Ok(WorkerReport {
            worker: format!("revenue-5m-{ordinal}"),
            partitions: (0..partitions).filter(|partition| partition % pods.max(1) == ordinal).map(of).collect(),
            outputs: outputs.into_iter().collect(),
            troubles: state.troubles.clone(),
            ..WorkerReport::default()
        })
    }

    async fn farewell(&self, pod_ip: &str) -> Result<(), UnreachableWorker> {
        self.lock().writes.push(format!("farewell {pod_ip}"));
        Ok(())
    }
}

impl Clock for MemoryWorld {
    fn now(&self) -> i64 {
        NOW + self.lock().later
    }
}

/// Where it stops answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Before it did what was asked in the call of this number, from 1.
    Before(usize),
    /// After.
    After(usize),
}

/// A world that stops answering at one call, like an operator that is killed there.
pub(super) struct Crashing<'a> {
    world: &'a MemoryWorld,
    calls: AtomicUsize,
    stop: Option<Stop>,
}

impl<'a> Crashing<'a> {
    pub(super) fn never(world: &'a MemoryWorld) -> Self {
        Self { world, calls: AtomicUsize::new(0), stop: None }
    }

    pub(super) fn at(world: &'a MemoryWorld, stop: Stop) -> Self {
        Self { world, calls: AtomicUsize::new(0), stop: Some(stop) }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.stop == Some(Stop::Before(number)) {
            std::future::pending::<()>().await;
        }
        let answer = call.await;
        if self.stop == Some(Stop::After(number)) {
            std::future::pending::<()>().await;
        }
        answer
    }
}

impl Cluster for Crashing<'_> {
    async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        self.around(self.world.get(kind, namespace, name)).await
    }

    async fn pipeline(&self, namespace: &str, name: &str) -> Result<Option<Object>, ClusterError> {
        self.around(self.world.pipeline(namespace, name)).await
    }

    async fn labelled(&self, kind: Kind, namespace: &str, pipeline: &str) -> Result<Vec<Object>, ClusterError> {
        self.around(self.world.labelled(kind, namespace, pipeline)).await
    }

    async fn serves(&self, kind: Kind) -> Result<bool, ClusterError> {
        self.around(self.world.serves(kind)).await
    }

    async fn create(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        self.around(self.world.create(kind, object)).await
    }

    async fn apply(&self, kind: Kind, object: &Object) -> Result<Object, ClusterError> {
        self.around(self.world.apply(kind, object)).await
    }

    async fn delete(&self, kind: Kind, object: &Object, dependents: Dependents) -> Result<(), ClusterError> {
        self.around(self.world.delete(kind, object, dependents)).await
    }

    async fn grow_claim(&self, namespace: &str, name: &str, size: &str) -> Result<(), ClusterError> {
        self.around(self.world.grow_claim(namespace, name, size)).await
    }

    async fn set_finalizers(&self, pipeline: &Object, finalizers: &[String]) -> Result<(), ClusterError> {
        self.around(self.world.set_finalizers(pipeline, finalizers)).await
    }

    async fn write_status(&self, pipeline: &Object, status: &AnalyticsPipelineStatus) -> Result<(), ClusterError> {
        self.around(self.world.write_status(pipeline, status)).await
    }

    async fn warnings(&self, namespace: &str, uid: &str) -> Result<Vec<String>, ClusterError> {
        self.around(self.world.warnings(namespace, uid)).await
    }

    async fn tell(&self, pipeline: &Object, happening: &Happening) -> Result<(), ClusterError> {
        self.around(self.world.tell(pipeline, happening)).await
    }
}

impl Broker for Crashing<'_> {
    async fn topics(&self, access: &KafkaAccess, names: &[String]) -> Result<Vec<Option<TopicState>>, BrokerError> {
        self.around(self.world.topics(access, names)).await
    }

    async fn create_topic(&self, access: &KafkaAccess, topic: &TopicPlan) -> Result<(), BrokerError> {
        self.around(self.world.create_topic(access, topic)).await
    }

    async fn grow_topic(&self, access: &KafkaAccess, name: &str, partitions: u32) -> Result<(), BrokerError> {
        self.around(self.world.grow_topic(access, name, partitions)).await
    }

    async fn delete_topic(&self, access: &KafkaAccess, name: &str) -> Result<(), BrokerError> {
        self.around(self.world.delete_topic(access, name)).await
    }
}

impl Registry for Crashing<'_> {
    async fn subject(
        &self,
        access: &RegistryAccess,
        subject: &str,
        schema: &str,
    ) -> Result<SubjectState, RegistryError> {
        self.around(self.world.subject(access, subject, schema)).await
    }

    async fn probe(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<Vec<String>, RegistryError> {
        self.around(self.world.probe(access, subject, schema)).await
    }

    async fn set_level(&self, access: &RegistryAccess, subject: &str, level: &str) -> Result<(), RegistryError> {
        self.around(self.world.set_level(access, subject, level)).await
    }

    async fn register(&self, access: &RegistryAccess, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        self.around(self.world.register(access, subject, schema)).await
    }

    async fn delete_subject(&self, access: &RegistryAccess, subject: &str) -> Result<(), RegistryError> {
        self.around(self.world.delete_subject(access, subject)).await
    }
}

impl Workers for Crashing<'_> {
    async fn report(&self, pod_ip: &str) -> Result<WorkerReport, UnreachableWorker> {
        self.around(self.world.report(pod_ip)).await
    }

    async fn farewell(&self, pod_ip: &str) -> Result<(), UnreachableWorker> {
        self.around(self.world.farewell(pod_ip)).await
    }
}

impl Clock for Crashing<'_> {
    fn now(&self) -> i64 {
        self.world.now()
    }
}

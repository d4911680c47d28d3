//! What a worker's pod and a volume claim tell about themselves.

use schemas::status::Reason;
use serde_json::Value;

use crate::names;
use crate::world::Object;

/// A worker's pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// The object, to delete it by.
    pub object: Object,
    /// Whether it is of the pipeline's stateful set, not somebody else's with the same labels and a name like its own.
    pub ours: bool,
    /// Its IP, once it has one.
    pub ip: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether its container runs.
    pub running: bool,
    /// Name of the `ConfigMap` that it runs.
    pub config: Option<String>,
    /// The revision of the pipeline's meaning that it runs.
    pub revision: Option<i64>,
    /// Why it does not come up, if it is known.
    pub trouble: Option<(Reason, String)>,
}

impl Pod {
    /// Reads a pod; `set` is the uid of the stateful set.
    pub fn of(object: Object, set: Option<&str>) -> Self {
        let container = object.0.pointer("/status/containerStatuses/0");
        Self {
            ours: set.is_some_and(|set| object.is_controlled_by(set)),
            ip: object.text("/status/podIP").map(str::to_owned),
            ready: condition(&object, "Ready").is_some_and(|ready| ready["status"] == "True"),
            running: container.is_some_and(|container| container["state"].get("running").is_some()),
            config: object.annotation(names::CONFIG).map(str::to_owned),
            revision: object.annotation(names::REVISION).and_then(|text| text.parse().ok()),
            trouble: trouble(&object),
            object,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// The controller revision that it was made from.
    pub fn template(&self) -> Option<&str> {
        self.object.label("controller-revision-hash")
    }
}

fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    object.0.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn trouble(object: &Object) -> Option<(Reason, String)> {
    if object.is_terminating() {
        return None;
    }
    if let Some(scheduled) = condition(object, "PodScheduled").filter(|scheduled| scheduled["status"] == "False") {
        let message = scheduled["message"].as_str().unwrap_or("no node takes it");
        return Some((Reason::PodUnschedulable, message.to_owned()));
    }
    let container = object.0.pointer("/status/containerStatuses/0")?;
    let waiting = &container["state"]["waiting"];
    let words = waiting["message"].as_str().unwrap_or_default();
    match waiting["reason"].as_str() {
        Some("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError") => {
            let image = container["image"].as_str().unwrap_or_default();
            Some((Reason::ImageUnavailable, format!("image '{image}': {words}")))
        }
        Some("CreateContainerConfigError") => Some((Reason::SecretMissing, words.to_owned())),
        Some("CreateContainerError" | "RunContainerError") => Some((Reason::PodRefused, words.to_owned())),
        Some("CrashLoopBackOff") => Some((Reason::WorkerCrashing, last_end(container))),
        _ if container["state"].get("terminated").is_some() => Some((Reason::WorkerCrashing, last_end(container))),
        _ if container["ready"] == false && container["lastState"]["terminated"]["exitCode"].as_i64() > Some(0) => {
            Some((Reason::WorkerCrashing, last_end(container)))
        }
        _ => None,
    }
}

/// How the container ended last: its exit code and the end of what it said.
fn last_end(container: &Value) -> String {
    let ended = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
    let Some(ended) = ended.into_iter().find(|ended| ended.is_object()) else {
        return "it ends again and again".to_owned();
    };
    let code = ended["exitCode"].as_i64().unwrap_or_default();
    let why = ended["reason"].as_str().filter(|reason| *reason != "Error" && *reason != "Completed");
    let why = why.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let words = ended["message"].as_str().unwrap_or_default().trim();
    let words = words.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" / ");
    if words.is_empty() { format!("ended with {code}{why}") } else { format!("ended with {code}{why}: {words}") }
}

/// A worker's volume claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The object.
    pub object: Object,
    /// What was asked for.
    pub requested: Option<String>,
    /// What there is.
    pub capacity: Option<String>,
    /// Whether there is a volume.
    pub bound: bool,
}

impl Claim {
    /// Reads a claim.
    pub fn of(object: Object) -> Self {
        Self {
            requested: object.text("/spec/resources/requests/storage").map(str::to_owned),
            capacity: object.text("/status/capacity/storage").map(str::to_owned),
            bound: object.text("/status/phase") == Some("Bound"),
            object,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Pod {
        let metadata = json!({"name": "a-0", "annotations": {"sluice.dev/revision": "2"}});
        Pod::of(Object(json!({"metadata": metadata, "status": status})), None)
    }

    fn container(state: &Value, last: &Value) -> Value {
        json!({"containerStatuses": [{"image": "w:1", "ready": false, "state": state, "lastState": last}]})
    }

    #[test]
    fn every_refusal_from_below_has_its_word_and_the_words_of_who_refused() {
        let waiting = |reason: &str, message: &str| {
            container(&json!({"waiting": {"reason": reason, "message": message}}), &json!({}))
        };
        let crashed = json!({"terminated": {"exitCode": 2, "message": "x\nerror: 'a' is no AnalyticsPipeline\n"}});
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let crashing = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let cases = [
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: no cpu"}]}),
                Reason::PodUnschedulable,
                "0/1 nodes: no cpu",
            ),
            (waiting("ImagePullBackOff", "not found"), Reason::ImageUnavailable, "image 'w:1': not found"),
            (waiting("ErrImageNeverPull", "not present"), Reason::ImageUnavailable, "image 'w:1': not present"),
            (
                waiting("CreateContainerConfigError", "secret \"k\" not found"),
                Reason::SecretMissing,
                "secret \"k\" not found",
            ),
            (waiting("RunContainerError", "no such file"), Reason::PodRefused, "no such file"),
            (
                container(&crashing, &crashed),
                Reason::WorkerCrashing,
                "ended with 2: x / error: 'a' is no AnalyticsPipeline",
            ),
            (container(&json!({"running": {}}), &killed), Reason::WorkerCrashing, "ended with 137 (OOMKilled)"),
        ];
        for (status, reason, message) in cases {
            assert_eq!(pod(&status).trouble, Some((reason, message.to_owned())));
        }
        assert_eq!(pod(&waiting("ContainerCreating", "")).trouble, None);
    }

    #[test]
    fn a_running_pod_has_no_trouble() {
        let status = json!({"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"ready": true, "state": {"running": {}}, "lastState": {}}]});
        let pod = pod(&status);
        assert!(pod.ready && pod.running && pod.trouble.is_none());
        assert_eq!((pod.ip.as_deref(), pod.revision), (Some("10.0.0.7"), Some(2)));
    }
}

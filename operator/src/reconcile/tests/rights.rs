//! What a person who may edit pipelines, and nothing else, cannot have through them.

use serde_json::{Value, json};

use super::world::{Crashing, MemoryWorld};
use super::{converge, fresh, pass, pipeline, running};
use crate::world::Kind;

/// A secret that belongs to somebody else, with this label or none.
fn secret(world: &MemoryWorld, label: Option<&str>) {
    let mut secret = json!({"metadata": {"name": "foreign", "namespace": "team", "uid": "s-1", "labels": {"team": "other"}},
        "data": {"username": "dQ==", "password": "cA==", "ca.crt": "Yw=="}});
    if let Some(label) = label {
        secret["metadata"]["labels"]["sluice.dev/use"] = json!(label);
    }
    world.lock().objects.insert((Kind::Secret, "foreign".to_owned()), secret);
}

/// Each field that names a secret.
fn attempts() -> Vec<Value> {
    let kafka = |security: Value| json!({"kafka": {"bootstrapServers": "kafka:9092", "security": security}});
    vec![
        kafka(json!({"protocol": "SaslPlaintext", "mechanism": "Plain", "credentialsSecretRef": {"name": "foreign"}})),
        kafka(json!({"protocol": "Ssl", "caSecretRef": {"name": "foreign", "key": "ca.crt"}})),
        json!({"schemaRegistry": {"url": "http://registry:8081", "credentialsSecretRef": {"name": "foreign"}}}),
    ]
}

fn set(world: &MemoryWorld, fields: &Value) {
    world.edit(|pipeline| {
        for (key, value) in fields.as_object().expect("fields") {
            pipeline["spec"][key] = value.clone();
        }
    });
}

#[test]
fn a_secret_without_the_label_is_not_touched_whatever_field_names_it() {
    for fields in attempts() {
        for label in [None, Some("others")] {
            let world = running();
            secret(&world, label);
            let before = world.object(Kind::StatefulSet, "revenue-5m").expect("it runs")["spec"].clone();
            set(&world, &fields);
            converge(&world);
            let said = world.condition("Ready");
            assert!(
                said.starts_with("False NotAllowed: secret 'foreign' lacks the label 'sluice.dev/use: pipelines'"),
                "{said}"
            );
            let after = world.object(Kind::StatefulSet, "revenue-5m").expect("it runs still");
            assert_eq!(after["spec"], before, "{fields}: no pod gets it");
        }
    }
}

#[test]
fn one_with_the_label_is_taken_when_the_label_comes() {
    for fields in attempts() {
        let world = MemoryWorld::new(pipeline());
        secret(&world, None);
        set(&world, &fields);
        converge(&world);
        assert!(world.condition("Ready").starts_with("False NotAllowed"), "{}", world.condition("Ready"));
        assert!(world.object(Kind::StatefulSet, "revenue-5m").is_none(), "nothing was started");
        secret(&world, Some("pipelines"));
        converge(&world);
        assert!(world.condition("TopicsReady").starts_with("True"), "{}", world.condition("TopicsReady"));
        assert!(world.object(Kind::StatefulSet, "revenue-5m").is_some(), "{fields}");
    }
}

#[test]
fn what_the_installation_does_not_list_is_refused_with_the_value_that_allows_it() {
    for (field, value, says) in [
        ("image", json!("evil/worker:1"), "spec.workers.image: 'evil/worker:1' is not allowed here"),
        ("pod", json!({"annotations": {"x": "y"}}), "spec.workers.pod.annotations: 'x' is not allowed here"),
        ("pod", json!({"priorityClassName": "system-node-critical"}), "chart's value 'allow.priorityClasses'"),
        ("pod", json!({"serviceAccountAnnotations": {"cloud/role": "admin"}}), "'cloud/role' is not allowed here"),
    ] {
        let world = running();
        let before = world.object(Kind::StatefulSet, "revenue-5m").expect("it runs")["spec"].clone();
        world.edit(|pipeline| pipeline["spec"]["workers"][field] = value.clone());
        converge(&world);
        let said = world.condition("Ready");
        assert!(said.starts_with("False NotAllowed: ") && said.contains(says), "{said}");
        assert_eq!(world.object(Kind::StatefulSet, "revenue-5m").expect("it runs still")["spec"], before);
    }
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["workers"]["image"] = json!("worker:2"));
    converge(&world);
    let set = world.object(Kind::StatefulSet, "revenue-5m").expect("it runs");
    assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["image"], "worker:2", "one that is listed");
}

#[test]
fn a_pod_that_only_looks_like_a_worker_is_neither_asked_nor_deleted() {
    let world = running();
    let worker = world.object(Kind::Pod, "revenue-5m-0").expect("it runs");
    // With the labels of the workers: one with a name that the stateful set could use, one with another.
    for name in ["revenue-5m-7", "stranger"] {
        let mut pod = worker.clone();
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["uid"] = json!(name);
        pod["metadata"]["ownerReferences"] = json!([{"kind": "StatefulSet", "uid": "another", "controller": true}]);
        pod["metadata"]["labels"]["controller-revision-hash"] = json!("old");
        pod["status"]["podIP"] = json!("10.9.9.9");
        pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        world.lock().objects.insert((Kind::Pod, name.to_owned()), pod);
    }
    world.lock().asked.clear();
    assert!(pass(&Crashing::never(&world), &fresh()));
    let asked = world.lock().asked.clone();
    assert_eq!(asked, ["10.0.0.0"]);
    assert!(world.object(Kind::Pod, "stranger").is_some() && world.object(Kind::Pod, "revenue-5m-7").is_some());
}

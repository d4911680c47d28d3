//! The pods' template, byte for byte: a version of the operator that writes it in another way restarts every worker of every
//! pipeline, so a change of these files is a decision, and belongs into the changelog.
//!
//! A file that is deleted is written anew with `SLUICE_WRITE_GOLDEN=1`.

use std::path::Path;

use serde_json::{Value, json};

use super::world::MemoryWorld;
use super::{converge, pipeline};
use crate::names;
use crate::world::Kind;

/// Everything in the manifest that reaches the template.
fn with_everything() -> Value {
    let mut pipeline = pipeline();
    let spec = &mut pipeline["spec"];
    let (kafka, authority) = (json!({"name": "kafka-user"}), json!({"name": "authority", "key": "ca.crt"}));
    spec["kafka"]["security"] = json!({"protocol": "SaslSsl", "mechanism": "ScramSha512",
        "credentialsSecretRef": kafka, "caSecretRef": authority});
    spec["schemaRegistry"]["credentialsSecretRef"] = json!({"name": "registry-user"});
    spec["sink"]["path"] = json!("file:///tables");
    spec["workers"] = json!({
        "replicas": 2, "image": "worker:special", "storage": {"size": "5Gi"},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}},
        "pod": {
            "labels": {"team": "sales"}, "annotations": {"note": "by hand"}, "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "stream", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
            "topologySpread": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}],
            "priorityClassName": "high", "imagePullSecrets": [{"name": "pull"}],
        },
    });
    pipeline
}

fn template(pipeline: Value) -> Value {
    let world = MemoryWorld::new(pipeline);
    for (name, keys) in [
        ("kafka-user", &["username", "password"][..]),
        ("registry-user", &["username", "password"]),
        ("authority", &["ca.crt"]),
    ] {
        // base64 of "u".
        let data: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!("dQ=="))).collect();
        let secret = json!({"metadata": {"name": name, "namespace": "team", "uid": name, "labels": {"sluice.dev/use": "pipelines"}}, "data": data});
        world.lock().objects.insert((Kind::Secret, name.to_owned()), secret);
    }
    converge(&world);
    let set = world.object(Kind::StatefulSet, "revenue-5m").expect("the stateful set is there");
    let mut template = set["spec"]["template"].clone();
    // A digest of the configuration: one that is in force keeps its name whatever a newer operator would write.
    let config = template["metadata"]["annotations"][names::CONFIG].as_str().expect("pods name it").to_owned();
    template = serde_json::from_str(&template.to_string().replace(&config, "CONFIG")).expect("it is JSON still");
    template
}

#[test]
fn a_new_version_of_the_operator_restarts_nothing() {
    for (name, pipeline) in [("pod_template", pipeline()), ("pod_template_with_everything", with_everything())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/reconcile/tests/{name}.json"));
        let text = serde_json::to_string_pretty(&template(pipeline)).expect("plain data") + "\n";
        if !path.exists() && std::env::var_os("SLUICE_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &text).expect("the file can be written");
        }
        let known = std::fs::read_to_string(&path).expect("the golden file is there");
        assert_eq!(text, known, "'{name}': this version would restart every worker of every pipeline");
    }
}

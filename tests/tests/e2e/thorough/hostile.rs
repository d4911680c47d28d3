//! Hostile pipelines beside good ones: the good ones notice nothing, and a person who may edit pipelines gets nothing else through
//! them.

use std::io::{BufReader, Read as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cluster::SYSTEM;
use crate::processes::{memory, operator};
use crate::steps::{Steps, until};
use crate::world::{PATIENCE, PIPELINE, World};

/// How many good pipelines there are.
const GOOD: usize = 10;
/// Memory that the chart gives the operator, MiB.
const LIMIT: u64 = 256;
/// A person with the role `sluice-edit` in the namespace, and no other.
const PERSON: &str = "--as=eve";
/// What the secret of somebody else holds.
const HELD: &str = "held-by-another-team";

/// The manifest as a value, under another name.
fn manifest(world: &World, name: &str) -> Result<Value> {
    let mut manifest: Value = serde_saphyr::from_str(&world.manifest())?;
    manifest["metadata"]["name"] = json!(name);
    Ok(manifest)
}

/// Pipelines of which each once ended the operator, by name.
fn hostile(world: &World) -> Result<Vec<(&'static str, Value)>> {
    let with_field = |name: &'static str, field: String| -> Result<(&'static str, Value)> {
        let mut manifest = manifest(world, name)?;
        let schema = manifest["spec"]["source"]["schema"]["avro"].as_str().context("a schema")?.to_owned();
        let end = schema.rfind(']').context("its fields")?;
        manifest["spec"]["source"]["schema"]["avro"] = json!(format!("{}{field}{}", &schema[..end], &schema[end..]));
        Ok((name, manifest))
    };
    let chain = (0..2_000).map(|n| {
        let held = if n == 0 { "int".to_owned() } else { format!("C{}", n - 1) };
        let held = format!(r#"{{"type":"record","name":"C{n}","fields":[{{"name":"f","type":"{held}"}}]}}"#);
        format!(r#",{{"name":"c{n}","type":{held}}}"#)
    });
    let bomb = (0..8).map(|level| {
        let held = if level == 0 { "int".to_owned() } else { format!("B{}", level - 1) };
        let fields: Vec<String> = (0..10).map(|n| format!(r#"{{"name":"f{n}","type":"{held}"}}"#)).collect();
        let held = format!(r#"{{"type":"record","name":"B{level}","fields":[{}]}}"#, fields.join(","));
        format!(r#",{{"name":"b{level}","type":{held}}}"#)
    });
    let folded = (0..9).fold("'aaaaaaaaaa'".to_owned(), |text, _| format!("replace({text}, 'a', 'aaaaaaaaaa')"));
    let mut folding = manifest(world, "folded-replace")?;
    folding["spec"]["measures"] =
        json!([{"name": "m", "expression": format!("count(*) filter (where {folded} = region)")}]);
    let slow =
        |n| json!({"name": format!("r{n}"), "field": "region", "matches": format!("^[\\pL\\pN]{{{}}}$", 600 + n)});
    let mut slow_patterns = manifest(world, "slow-patterns")?;
    slow_patterns["spec"]["quality"]["rules"] = json!((0..64).map(slow).collect::<Vec<Value>>());
    Ok(vec![
        with_field("empty-union", r#",{"name":"u","type":[]}"#.to_owned())?,
        with_field("large-fixed", r#",{"name":"x","type":{"type":"fixed","name":"F","size":2147483647}}"#.to_owned())?,
        with_field("chain-of-types", chain.collect::<Vec<_>>().concat())?,
        with_field("schema-bomb", bomb.collect::<Vec<_>>().concat())?,
        ("folded-replace", folding),
        ("slow-patterns", slow_patterns),
    ])
}

/// `Ready` of a pipeline: status, reason, message.
fn ready(world: &World, name: &str) -> Result<Option<[String; 3]>> {
    let pipeline = world.json(&["get", "analyticspipeline", name])?;
    let conditions = pipeline["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == "Ready");
    Ok(found.map(|found| ["status", "reason", "message"].map(|of| found[of].as_str().unwrap_or_default().to_owned())))
}

fn restarts(world: &World) -> Result<String> {
    let count = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
    let of = ["-n", SYSTEM, "get", "pods", "-l", "app.kubernetes.io/component=operator", "-o", count];
    world.cluster.kubectl(&of)
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn hostile_pipelines_cost_good_ones_nothing() -> Result<()> {
    let world = World::start("hostile")?;
    world.told(beside_good_ones(&world))
}

fn beside_good_ones(world: &World) -> Result<()> {
    let mut steps = Steps::begin("hostile");
    let good: Vec<String> = (0..GOOD).map(|number| format!("good-{number}")).collect();
    for name in &good {
        world.apply(&manifest(world, name)?.to_string())?;
    }
    let all_ready = |patience| {
        until("all good pipelines are Ready", patience, || {
            let ready: Vec<_> = good.iter().map(|name| ready(world, name)).collect::<Result<_>>()?;
            Ok(ready.iter().all(|found| found.as_ref().is_some_and(|[status, ..]| status == "True")).then_some(()))
        })
    };
    all_ready(4 * PATIENCE)?;
    steps.done(&format!("{GOOD} good pipelines are Ready"));
    let process = operator(&world.cluster)?;
    let before = restarts(world)?;
    let mut most = memory(process)?;
    for (name, manifest) in hostile(world)? {
        world.apply(&manifest.to_string())?;
        let [status, reason, message] = until(&format!("'{name}' is judged"), PATIENCE, || {
            most = most.max(memory(process)?);
            Ok(ready(world, name)?
                .filter(|[_, reason, _]| !["NotObserved", "Progressing", "Blocked"].contains(&reason.as_str())))
        })?;
        let message: String = message.chars().take(160).collect();
        steps.done(&format!("{name}: {status} {reason}: {message}"));
        // What is within bounds, or never read, is no fault; what takes too long is one.
        let harmless = name != "slow-patterns" && ["WorkersStarting", "Running"].contains(&reason.as_str());
        ensure!(harmless || (status.as_str(), reason.as_str()) == ("False", "InvalidSpec"), "'{name}': {reason}");
        all_ready(Duration::from_secs(1))?;
    }
    // What is edited while they are there is carried out.
    let patch = json!({"spec": {"workers": {"replicas": 0}}}).to_string();
    world.kubectl(&["patch", "analyticspipeline", &good[0], "--type=merge", "-p", &patch])?;
    until("an edit of a good one is carried out", PATIENCE, || {
        let replicas = world.kubectl(&["get", "statefulset", &good[0], "-o", "jsonpath={.spec.replicas}"])?;
        Ok((replicas == "0").then_some(()))
    })?;
    most = most.max(memory(process)?);
    steps.done(&format!("the operator had {most} MiB at most, of {LIMIT}"));
    ensure!(operator(&world.cluster)? == process && restarts(world)? == before, "the operator was restarted");
    ensure!(most < LIMIT, "the operator had {most} MiB");
    Ok(())
}

/// Everything that was sent to a port of this machine.
struct Listener {
    address: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    fn begin(world: &World) -> Result<Self> {
        let listener = TcpListener::bind((world.cluster.host, 0))?;
        let (address, heard) = (listener.local_addr()?.to_string(), Arc::new(Mutex::new(Vec::new())));
        let notes = heard.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let notes = notes.clone();
                thread::spawn(move || {
                    for byte in BufReader::new(connection).bytes().map_while(Result::ok) {
                        notes.lock().unwrap_or_else(PoisonError::into_inner).push(byte);
                    }
                });
            }
        });
        Ok(Self { address, heard })
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Each field of a pipeline that names another object, and the words of the answer.
fn attempts(world: &World, listener: &str) -> Result<Vec<(&'static str, Value, &'static str)>> {
    let at = |pointer: &str, value: Value| -> Result<Value> {
        let mut manifest = manifest(world, "attempt")?;
        manifest["spec"]["kafka"]["bootstrapServers"] = json!(listener);
        manifest["spec"]["schemaRegistry"]["url"] = json!(format!("http://{listener}"));
        let (parent, key) = pointer.rsplit_once('/').context("a pointer")?;
        manifest.pointer_mut(parent).context("the parent")?[key] = value;
        Ok(manifest)
    };
    let kafka = json!({"protocol": "SaslPlaintext", "mechanism": "Plain", "credentialsSecretRef": {"name": "foreign"}});
    let authority = json!({"protocol": "Ssl", "caSecretRef": {"name": "foreign", "key": "password"}});
    let schema = json!({"subject": "s", "configMapKeyRef": {"name": "foreign", "key": "password"}});
    Ok(vec![
        ("kafka.security.credentialsSecretRef", at("/spec/kafka/security", kafka)?, "NotAllowed"),
        ("kafka.security.caSecretRef", at("/spec/kafka/security", authority)?, "NotAllowed"),
        (
            "schemaRegistry.credentialsSecretRef",
            at("/spec/schemaRegistry/credentialsSecretRef", json!({"name": "foreign"}))?,
            "NotAllowed",
        ),
        ("workers.image", at("/spec/workers/image", json!("docker.io/eve/worker:1"))?, "NotAllowed"),
        (
            "workers.pod.serviceAccountAnnotations",
            at("/spec/workers/pod", json!({"serviceAccountAnnotations": {"cloud/role": "admin"}}))?,
            "NotAllowed",
        ),
        (
            "workers.pod.annotations",
            at("/spec/workers/pod", json!({"annotations": {"inject": "foreign"}}))?,
            "NotAllowed",
        ),
        ("source.schema.configMapKeyRef", at("/spec/source/schema", schema)?, "ConfigMapMissing"),
        (
            "workers.pod.imagePullSecrets",
            at("/spec/workers/pod", json!({"imagePullSecrets": [{"name": "foreign"}]}))?,
            "",
        ),
    ])
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn who_may_edit_pipelines_reads_no_secret_through_them() -> Result<()> {
    let world = World::start("secrets")?;
    let result = reads_nothing(&world);
    result.with_context(|| world.kubectl(&["get", "analyticspipelines", "-o", "yaml"]).unwrap_or_default())
}

fn reads_nothing(world: &World) -> Result<()> {
    let mut steps = Steps::begin("secrets");
    world.kubectl(&["create", "rolebinding", "eve", "--clusterrole=sluice-edit", "--user=eve"])?;
    let literals = [format!("--from-literal=username={HELD}"), format!("--from-literal=password={HELD}")];
    world.kubectl(&["create", "secret", "generic", "foreign", &literals[0], &literals[1]])?;
    ensure!(world.kubectl(&["get", "secret", "foreign", PERSON]).is_err(), "she may read secrets anyway");
    let listener = Listener::begin(world)?;
    for (field, manifest, answer) in attempts(world, &listener.address)? {
        let file = world.path("attempt.json");
        std::fs::write(&file, manifest.to_string())?;
        world.kubectl(&["apply", PERSON, "-f", &file.to_string_lossy()])?;
        let [status, reason, message] = until(&format!("{field} is judged"), PATIENCE, || {
            Ok(ready(world, "attempt")?.filter(|[_, reason, _]| reason != "NotObserved" && reason != "Progressing"))
        })?;
        let message: String = message.chars().take(160).collect();
        steps.done(&format!("{field}: {status} {reason}: {message}"));
        ensure!(answer.is_empty() || reason == answer, "{field}: {reason}");
        let sets = world.kubectl(&[
            "get",
            "statefulsets,pods,configmaps",
            "-o",
            "json",
            "-l",
            "sluice.dev/pipeline=attempt",
        ])?;
        ensure!(answer.is_empty() || !sets.contains("\"StatefulSet\""), "{field}: something was started");
        let seen = world.kubectl(&["get", "analyticspipelines", "-o", "yaml", PERSON])?;
        ensure!(!seen.contains(HELD) && !sets.contains(HELD), "{field}: the secret is in an object");
        world.kubectl(&["delete", "analyticspipeline", "attempt", PERSON])?;
    }
    let heard = listener.heard();
    ensure!(!heard.windows(HELD.len()).any(|window| window == HELD.as_bytes()), "the secret was sent to her");
    steps.done(&format!("{} bytes came to her server, and the secret is not among them", heard.len()));
    // The same with the label works: the guard, and nothing else, stood in the way.
    world.kubectl(&["label", "secret", "foreign", "sluice.dev/use=pipelines"])?;
    let (_, manifest, _) = attempts(world, &listener.address)?.swap_remove(2);
    world.apply(&manifest.to_string())?;
    until("a labelled secret is used", PATIENCE, || {
        // base64 of 'user:password'; the credentials are those of the registry.
        Ok(String::from_utf8_lossy(&listener.heard()).to_lowercase().contains("authorization: basic").then_some(()))
    })?;
    steps.done("with the label it is used");
    ensure!(manifest["metadata"]["name"] != PIPELINE, "it is no other test's");
    Ok(())
}

//! The life of a pipeline, told as stories: what the user does, what then is.

use schemas::report::Trouble;
use serde_json::{Value, json};

use super::world::{Crashing, LATEST, MemoryWorld};
use super::{converge, fresh, pass, pipeline, running};
use crate::names;
use crate::reconcile::plan::Stored;
use crate::world::{Kind, Object};

fn set(world: &MemoryWorld) -> Value {
    world.object(Kind::StatefulSet, "revenue-5m").expect("the stateful set is there")
}

fn config(world: &MemoryWorld) -> Stored {
    let state = world.lock();
    let children: Vec<(Kind, Object)> =
        state.objects.iter().map(|((kind, _), object)| (*kind, Object(object.clone()))).collect();
    Stored::in_force(&children).expect("a configuration is in force")
}

fn once(world: &MemoryWorld) {
    assert!(pass(&Crashing::never(world), &fresh()));
}

#[test]
fn a_new_pipeline_runs() {
    let world = running();
    assert_eq!(world.condition("Ready"), "True Running: everything is in place and at work");
    assert_eq!((world.condition("Reconciling"), world.condition("Stalled")), (String::new(), String::new()));
    let topics = &world.lock().topics;
    assert_eq!(topics.keys().collect::<Vec<_>>(), ["revenue-5m.partials.v1", "sales.events.dlq.v1", "sales.events.v1"]);
    let append =
        |topic: &str| topics[topic].config.as_ref().and_then(|config| config.get("message.timestamp.type").cloned());
    assert_eq!(append("sales.events.v1").as_deref(), Some("LogAppendTime"));
    let keep = topics["revenue-5m.partials.v1"].config.as_ref().and_then(|config| config.get("retention.ms").cloned());
    assert_eq!(keep.as_deref(), Some("604800000"));
}

#[test]
fn nothing_is_written_at_rest() {
    let world = running();
    let memory = fresh();
    assert!(pass(&Crashing::never(&world), &memory));
    world.writes();
    for _ in 0..5 {
        assert!(pass(&Crashing::never(&world), &memory));
    }
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[test]
fn scaling_changes_no_template() {
    let world = running();
    let before = set(&world);
    world.edit(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(3));
    converge(&world);
    let after = set(&world);
    assert_eq!((&before["spec"]["template"], &after["spec"]["replicas"]), (&after["spec"]["template"], &json!(3)));
    assert!(world.object(Kind::PodDisruptionBudget, "revenue-5m").is_some(), "two or more workers have a budget");
    world.edit(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(1));
    converge(&world);
    assert!(world.object(Kind::PodDisruptionBudget, "revenue-5m").is_none(), "a budget for one blocks every drain");
}

#[test]
fn suspending_keeps_everything() {
    let world = running();
    let name = config(&world).name;
    world.edit(|pipeline| pipeline["spec"]["suspend"] = json!(true));
    converge(&world);
    assert_eq!(set(&world)["spec"]["replicas"], 0);
    assert_eq!((config(&world).name, world.object(Kind::Claim, "data-revenue-5m-0").is_some()), (name, true));
    assert!(world.condition("Ready").starts_with("False Suspended"), "{}", world.condition("Ready"));
}

#[test]
fn drift_is_repaired_and_what_others_add_is_left() {
    let world = running();
    {
        let mut state = world.lock();
        let service = state.objects.get_mut(&(Kind::Service, "revenue-5m".to_owned())).expect("the service");
        service["spec"]["ports"][0]["port"] = json!(1);
        service["metadata"]["annotations"]["theirs"] = json!("kept");
        state.objects.remove(&(Kind::NetworkPolicy, "revenue-5m".to_owned()));
    }
    once(&world);
    let service = world.object(Kind::Service, "revenue-5m").expect("the service");
    assert_eq!(service["spec"]["ports"][0]["port"], 8080);
    assert!(world.object(Kind::NetworkPolicy, "revenue-5m").is_some());
    let writes = world.writes().join("\n");
    assert!(writes.contains("tell DriftRepaired: Service 'revenue-5m'"), "{writes}");
}

#[test]
fn an_operator_that_writes_the_same_in_other_words_changes_nothing() {
    let world = running();
    let name = config(&world).name;
    {
        let mut state = world.lock();
        let map = state.objects.get_mut(&(Kind::ConfigMap, name.clone())).expect("the configuration");
        let text = map["data"]["pipeline.json"].as_str().expect("it is there");
        let value: Value = serde_json::from_str(text).expect("it is JSON");
        map["data"]["pipeline.json"] = json!(value.to_string());
    }
    let before = set(&world);
    converge(&world);
    assert_eq!((config(&world).name, set(&world)), (name, before));
    let writes: Vec<String> = world.writes().into_iter().filter(|write| write.starts_with("apply")).collect();
    assert!(!writes.iter().any(|write| write.contains("StatefulSet")), "{writes:?}");
    assert!(world.condition("Ready").starts_with("True"));
}

#[test]
fn what_is_somebody_elses_is_not_touched() {
    let world = MemoryWorld::new(pipeline());
    let theirs = json!({"metadata": {"name": "revenue-5m", "namespace": "team", "uid": "x"}, "spec": {"theirs": true}});
    world.lock().objects.insert((Kind::Service, "revenue-5m".to_owned()), theirs.clone());
    once(&world);
    assert_eq!(world.object(Kind::Service, "revenue-5m"), Some(theirs));
    let words = "False NameConflict: Service 'revenue-5m' exists and does not belong to this pipeline";
    assert_eq!(world.condition("Ready"), words);
    assert!(world.condition("Stalled").starts_with("True NameConflict"));
}

#[test]
fn a_registry_that_is_away_holds_up_nothing_else() {
    let world = MemoryWorld::new(pipeline());
    world.lock().registry_away = true;
    converge(&world);
    assert!(
        world.condition("SchemaReady").starts_with("Unknown RegistryUnreachable"),
        "{}",
        world.condition("SchemaReady")
    );
    assert!(world.condition("TopicsReady").starts_with("True"));
    assert!(world.condition("WorkersReady").starts_with("True"));
    world.lock().registry_away = false;
    converge(&world);
    assert!(world.condition("Ready").starts_with("True"));
}

#[test]
fn a_broker_that_is_away_holds_up_nothing_else() {
    let world = running();
    let before = set(&world);
    world.lock().away = true;
    converge(&world);
    assert!(
        world
            .condition("TopicsReady")
            .starts_with("Unknown BrokerUnreachable: no broker of 'kafka:9092' answers: refused")
    );
    assert_eq!(set(&world)["spec"], before["spec"]);
    assert!(world.condition("Ready").starts_with("Unknown BrokerUnreachable"));
}

#[test]
fn a_schema_that_the_registry_refuses_leaves_the_workers_alone_and_is_told_with_its_path() {
    let world = running();
    let before = config(&world);
    world.lock().refuses_schema = Some("novel".to_owned());
    world.edit(|pipeline| {
        let avro = pipeline["spec"]["source"]["schema"]["avro"].as_str().expect("it stands there");
        let avro =
            avro.replace(r#"{"name": "event_type""#, r#"{"name": "novel", "type": "string"}, {"name": "event_type""#);
        pipeline["spec"]["source"]["schema"]["avro"] = json!(avro);
        pipeline["spec"]["source"]["schema"]["register"] = json!("Always");
    });
    converge(&world);
    assert_eq!(config(&world), before);
    let words = "False SchemaIncompatible: READER_FIELD_MISSING_DEFAULT_VALUE at '/fields/novel'";
    assert_eq!(world.condition("Ready"), words);
    assert!(world.condition("WorkersReady").starts_with("True"));
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_and_the_pods_are_replaced_when_it_is_corrected() {
    let world = running();
    world.lock().broken_image = Some("worker:bad".to_owned());
    world.edit(|pipeline| pipeline["spec"]["workers"]["image"] = json!("worker:bad"));
    converge(&world);
    let words = "False ImageUnavailable: pod 'revenue-5m-0': image 'worker:bad': not found";
    assert_eq!(world.condition("Ready"), words);
    assert!(world.condition("Stalled").starts_with("True ImageUnavailable"));
    world.edit(|pipeline| pipeline["spec"]["workers"]["image"] = json!("worker:good"));
    once(&world);
    // Kubernetes has seen the template, and waits for the pod that is stuck.
    let revision = json!({"updateRevision": "new", "observedGeneration": set(&world)["metadata"]["generation"]});
    world.lock().objects.get_mut(&(Kind::StatefulSet, "revenue-5m".to_owned())).expect("the set")["status"] = revision;
    once(&world);
    let writes = world.writes().join("\n");
    assert!(writes.contains("delete Pod revenue-5m-0"), "{writes}");
    converge(&world);
    assert!(world.condition("Ready").starts_with("True"));
}

#[test]
fn workers_that_are_taken_away_are_told_before() {
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(3));
    converge(&world);
    world.writes();
    world.edit(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(2));
    once(&world);
    let writes: Vec<String> =
        world.writes().into_iter().filter(|write| !write.starts_with("tell") && write != "status").collect();
    let ip = world.object(Kind::Pod, "revenue-5m-2").expect("it ends later")["status"]["podIP"].clone();
    let farewell = format!("farewell {}", ip.as_str().expect("an IP"));
    assert_eq!(writes, [farewell.as_str(), "apply StatefulSet revenue-5m"]);
}

#[test]
fn volumes_grow_before_the_stateful_set_which_leaves_its_pods() {
    let world = running();
    let pod = world.object(Kind::Pod, "revenue-5m-0");
    world.writes();
    world.edit(|pipeline| pipeline["spec"]["workers"]["storage"]["size"] = json!("2Gi"));
    once(&world);
    let writes: Vec<String> =
        world.writes().into_iter().filter(|write| !write.starts_with("tell") && write != "status").collect();
    assert_eq!(writes, ["grow data-revenue-5m-0", "delete StatefulSet revenue-5m", "create StatefulSet revenue-5m"]);
    assert_eq!(world.object(Kind::Pod, "revenue-5m-0"), pod);
}

#[test]
fn partitions_grow_at_a_boundary_that_the_workers_know_first() {
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["source"]["topic"]["partitions"] = json!(5));
    once(&world);
    let epochs = config(&world).config.expect("it is ours").epochs;
    // The latest event lies on a boundary, and a minute later, when the workers have ended, is still in the window that begins there.
    let topology: Vec<_> = epochs.topology.iter().map(|epoch| (epoch.from, epoch.partitions)).collect();
    assert_eq!(topology, [(None, 3), (Some(LATEST + 300_000), 5)]);
    assert_eq!(world.lock().topics["sales.events.v1"].partitions, 3, "no worker knows of them yet");
    assert!(world.condition("TopicsReady").contains("once all workers know"), "{}", world.condition("TopicsReady"));
    world.kubernetes();
    converge(&world);
    assert_eq!(world.lock().topics["sales.events.v1"].partitions, 5);
    assert!(world.condition("Ready").starts_with("True"), "{}", world.condition("Ready"));
}

#[test]
fn a_boundary_that_is_overtaken_before_the_topic_grows_is_moved() {
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["source"]["topic"]["partitions"] = json!(5));
    once(&world);
    // The restart takes an hour, in which the old workers go on publishing.
    world.lock().latest = Some(LATEST + 3_600_000);
    world.lock().later = 2 * 3_600_000;
    once(&world);
    let boundary = |world: &MemoryWorld| {
        let epochs = config(world).config.expect("it is ours").epochs;
        epochs.topology.last().map(|epoch| (epoch.from, epoch.partitions))
    };
    let moved = Some((Some(LATEST + 3_900_000), 5));
    assert_eq!((boundary(&world), world.lock().topics["sales.events.v1"].partitions), (moved, 3));
    converge(&world);
    assert_eq!((boundary(&world), world.lock().topics["sales.events.v1"].partitions), (moved, 5));
    assert!(world.condition("Ready").starts_with("True"), "{}", world.condition("Ready"));
}

#[test]
fn another_meaning_begins_at_a_boundary_and_after_all_workers_of_the_old_one_have_ended() {
    let world = running();
    world.edit(|pipeline| {
        pipeline["spec"]["revision"] = json!(2);
        pipeline["spec"]["groupBy"] = json!(["region"]);
    });
    once(&world);
    let previous = config(&world).config.expect("it is ours").epochs.previous.expect("there was a meaning before");
    assert_eq!((previous.until, previous.spec.group_by.len(), previous.spec.revision), (LATEST + 300_000, 2, 1));
    assert_eq!(set(&world)["spec"]["replicas"], 0, "workers of both meanings never run side by side");
    assert!(world.condition("Ready").contains("revision before"), "{}", world.condition("Ready"));
    converge(&world);
    assert_eq!(set(&world)["spec"]["replicas"], 1);
    let pod = world.object(Kind::Pod, "revenue-5m-0").expect("it is back");
    assert_eq!(pod["metadata"]["annotations"][names::REVISION], "2");
    // The next one waits.
    world.edit(|pipeline| pipeline["spec"]["revision"] = json!(3));
    converge(&world);
    assert_eq!(config(&world).config.expect("it is ours").pipeline.spec.revision, 2);
    assert!(world.condition("Reconciling").contains("the next revision waits"), "{}", world.condition("Reconciling"));
    world.lock().latest = Some(LATEST + 3_600_000);
    converge(&world);
    let now = config(&world).config.expect("it is ours");
    assert_eq!((now.pipeline.spec.revision, now.epochs.previous.expect("revision 2").spec.revision), (3, 2));
}

#[test]
fn a_change_of_meaning_without_a_revision_is_held() {
    let world = running();
    let before = config(&world);
    world.edit(|pipeline| pipeline["spec"]["groupBy"] = json!(["region"]));
    converge(&world);
    assert_eq!(config(&world), before);
    assert!(world.condition("Ready").starts_with("False RevisionRequired"));
}

#[test]
fn a_manifest_that_cannot_run_is_told_with_its_place_and_undoes_nothing() {
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["workers"]["replicas"] = json!(2));
    converge(&world);
    let all = |world: &MemoryWorld| {
        let state = world.lock();
        let mut objects = state.objects.clone();
        objects.remove(&(Kind::Pipeline, "revenue-5m".to_owned()));
        (objects, state.topics.clone(), state.subjects.clone())
    };
    let before = all(&world);
    world.edit(|pipeline| {
        pipeline["spec"]["filter"] = json!("no_such_field > 1");
        pipeline["spec"]["workers"]["replicas"] = json!(1);
        pipeline["spec"]["deadLetter"]["topic"]["name"] = json!("elsewhere");
    });
    converge(&world);
    assert_eq!(all(&world), before);
    let ready = world.condition("Ready");
    assert!(ready.starts_with("False InvalidSpec: SL0302 spec.filter:"), "{ready}");
}

#[test]
fn what_a_worker_reports_is_lifted_into_the_condition_that_it_belongs_to() {
    let cases = [
        ("BrokerUnreachable", "WorkersReady", "WorkerTroubled", false),
        ("SinkUnavailable", "StorageHealthy", "SinkUnavailable", false),
        ("VolumeFull", "StorageHealthy", "VolumeFull", true),
        ("CheckpointFailed", "StorageHealthy", "CheckpointFailed", false),
        ("Divergence", "StorageHealthy", "Divergence", true),
        ("SourceDataLost", "WatermarkAdvancing", "SourceDataLost", true),
        ("StoppedByRule", "WatermarkAdvancing", "RuleStopped", true),
        ("TopicRecreated", "TopicsReady", "TopicRecreated", true),
    ];
    let beginning = running();
    for (word, condition, reason, stalls) in cases {
        let world = beginning.copy();
        world.lock().troubles = vec![Trouble { reason: word.to_owned(), message: "so it is".to_owned(), since: 0 }];
        once(&world);
        let (told, ready) = (world.condition(condition), world.condition("Ready"));
        assert!(told.starts_with(&format!("False {reason}: worker 'revenue-5m-0': ")), "{word}: {told}");
        assert!(told.ends_with("so it is"), "{word}: {told}");
        assert_eq!(ready, told, "{word}");
        assert_eq!(world.condition("Stalled").starts_with("True"), stalls, "{word}");
        let false_ones = ["TopicsReady", "SchemaReady", "WorkersReady", "WatermarkAdvancing", "StorageHealthy"];
        let false_ones = false_ones.into_iter().filter(|kind| world.condition(kind).starts_with("False"));
        assert_eq!(false_ones.collect::<Vec<_>>(), [condition], "{word}: only one place tells it");
    }
}

#[test]
fn a_missing_secret_is_named_and_holds_up_the_rest_as_little_as_can_be() {
    let mut pipeline = pipeline();
    pipeline["spec"]["kafka"]["security"] = json!({"protocol": "SaslPlaintext", "mechanism": "ScramSha512", "credentialsSecretRef": {"name": "kafka-user"}});
    let world = MemoryWorld::new(pipeline);
    converge(&world);
    assert_eq!(world.condition("TopicsReady"), "False SecretMissing: secret 'kafka-user' does not exist");
    assert!(world.condition("SchemaReady").starts_with("True"));
    // base64 of "u" and "p".
    let secret = json!({"metadata": {"name": "kafka-user", "namespace": "team", "uid": "s-1", "labels": {"sluice.dev/use": "pipelines"}}, "data": {"username": "dQ==", "password": "cA=="}});
    world.lock().objects.insert((Kind::Secret, "kafka-user".to_owned()), secret);
    converge(&world);
    assert!(world.condition("TopicsReady").starts_with("True"));
    let digest =
        |world: &MemoryWorld| set(world)["spec"]["template"]["metadata"]["annotations"][names::SECRETS].clone();
    let first = digest(&world);
    let changed = json!({"username": "dQ==", "password": "cQ=="});
    world.lock().objects.get_mut(&(Kind::Secret, "kafka-user".to_owned())).expect("the secret")["data"] = changed;
    converge(&world);
    assert_ne!(digest(&world), first, "workers start again with the new password");
}

#[test]
fn deleting_retains_by_default_and_deletes_what_was_created_when_asked() {
    let world = running();
    assert!(world.object(Kind::Pipeline, "revenue-5m").expect("it is there")["metadata"]["finalizers"].is_null());
    world.edit(|pipeline| pipeline["spec"]["deletionPolicy"] = json!("Delete"));
    world.lock().topics.remove("sales.events.dlq.v1");
    converge(&world);
    world.edit(|pipeline| pipeline["metadata"]["deletionTimestamp"] = json!("2026-11-27T10:14:00Z"));
    converge(&world);
    let state = world.lock();
    assert!(state.topics.is_empty() && state.subjects.is_empty());
    assert!(!state.objects.contains_key(&(Kind::Pipeline, "revenue-5m".to_owned())));
}

#[test]
fn deleting_gives_up_at_its_deadline() {
    let world = running();
    world.edit(|pipeline| pipeline["spec"]["deletionPolicy"] = json!("Delete"));
    converge(&world);
    world.lock().away = true;
    // Less than the five minutes before now, then more.
    world.edit(|pipeline| pipeline["metadata"]["deletionTimestamp"] = json!("2026-11-27T10:14:00Z"));
    once(&world);
    world.kubernetes();
    once(&world);
    assert!(world.object(Kind::Pipeline, "revenue-5m").is_some(), "it waits for the broker");
    world.edit(|pipeline| pipeline["metadata"]["deletionTimestamp"] = json!("2026-11-27T10:09:00Z"));
    once(&world);
    world.kubernetes();
    assert!(world.object(Kind::Pipeline, "revenue-5m").is_none());
    let writes = world.writes().join("\n");
    assert!(writes.contains("tell DeletionGaveUp"), "{writes}");
}

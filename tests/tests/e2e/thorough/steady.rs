//! What Sluice costs the API server: nothing at rest, little at work, and how soon an edit is carried out. Counted in the API
//! server's own audit log.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::processes::{memory, operator, processor_time};
use crate::running::disturbed;
use crate::steps::{Steps, until};
use crate::world::{PATIENCE, PIPELINE, World};

/// Writes to the Lease are what leadership costs; nothing else is written at rest.
const LEASE: &str = "leases";

/// A place in the audit log.
struct Audit<'a> {
    cluster: &'a Cluster,
    from: usize,
}

impl<'a> Audit<'a> {
    /// From now on.
    fn begin(cluster: &'a Cluster) -> Result<Self> {
        let from = fs::read(Self::log(cluster)?)?.len();
        Ok(Self { cluster, from })
    }

    fn log(cluster: &Cluster) -> Result<&str> {
        cluster.variable("CLUSTER_AUDIT_LOG").context("this cluster keeps no audit log")
    }

    /// The requests that have been answered since.
    fn entries(&self) -> Result<Vec<Value>> {
        let log = fs::read(Self::log(self.cluster)?)?;
        let lines = log[self.from..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // The last line may be half written.
        let entries = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        Ok(entries.filter(|entry| entry["stage"] == "ResponseComplete").collect())
    }

    /// How often the operator has read since, watches not counted.
    fn reads(&self) -> Result<usize> {
        let is_read = |entry: &&Value| matches!(entry["verb"].as_str(), Some("get" | "list")) && is_operators(entry);
        Ok(self.entries()?.iter().filter(is_read).count())
    }

    /// The operator's writes since, by resource.
    fn writes(&self) -> Result<BTreeMap<String, usize>> {
        let mut writes = BTreeMap::new();
        for entry in self.entries()? {
            if is_write(&entry) && is_operators(&entry) {
                *writes.entry(resource(&entry)).or_default() += 1;
            }
        }
        Ok(writes)
    }
}

fn is_write(entry: &Value) -> bool {
    let verb = entry["verb"].as_str().unwrap_or_default();
    ["create", "update", "patch", "delete", "deletecollection"].contains(&verb)
}

fn is_operators(entry: &Value) -> bool {
    entry["user"]["username"].as_str().is_some_and(|user| user.starts_with("system:serviceaccount:sluice-system:"))
}

fn resource(entry: &Value) -> String {
    let of = &entry["objectRef"];
    let [resource, sub] = ["resource", "subresource"].map(|field| of[field].as_str().unwrap_or_default());
    if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") }
}

/// Seconds: `SLUICE_REST`, by default few, because the everyday run is short.
fn rest() -> Duration {
    let seconds = std::env::var("SLUICE_REST").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

#[test]
#[ignore = "needs a cluster: make test"]
fn nothing_is_written_at_rest() -> Result<()> {
    disturbed("at-rest", |world, steps| {
        // A while after the last record it is said once that there is nothing to read.
        until("it is said that there is nothing to read", 2 * PATIENCE, || {
            Ok(world.condition("WatermarkAdvancing")?.filter(|[_, reason, _]| reason == "Idle"))
        })?;
        // What there was to say is said when nothing has been written for longer than progress may take.
        let quiet = Duration::from_secs(35);
        until("the last progress is written", 3 * PATIENCE, || {
            let audit = Audit::begin(&world.cluster)?;
            std::thread::sleep(quiet);
            Ok(audit.writes()?.keys().all(|resource| resource == LEASE).then_some(()))
        })?;
        steps.done("all is said");
        let audit = Audit::begin(&world.cluster)?;
        std::thread::sleep(rest());
        let writes = audit.writes()?;
        steps.done(&format!("the operator's writes in {:?} at rest: {writes:?}", rest()));
        let without_lease: usize = writes.iter().filter(|(name, _)| *name != LEASE).map(|(_, count)| count).sum();
        ensure!(without_lease == 0, "{writes:?}");
        Ok(())
    })
}

#[test]
#[ignore = "needs a cluster: make test"]
fn edits_are_applied_soon_also_with_hundreds_of_pipelines() -> Result<()> {
    let world = World::start("many")?;
    let result = many(&world);
    result.with_context(|| world.tell())
}

/// How many pipelines: `SLUICE_PIPELINES`, by default few.
fn pipelines() -> usize {
    std::env::var("SLUICE_PIPELINES").ok().and_then(|count| count.parse().ok()).unwrap_or(30)
}

fn many(world: &World) -> Result<()> {
    let mut steps = Steps::begin("many");
    let count = pipelines();
    let process = operator(&world.cluster)?;
    let before = (memory(process)?, processor_time(process)?);
    let audit = Audit::begin(&world.cluster)?;
    let names: Vec<String> = (0..count).map(|number| format!("many-{number:03}")).collect();
    // No node takes their pods, which are not what is measured.
    let nowhere = "workers: {replicas: 1, storage: {size: 1Gi}, pod: {nodeSelector: {sluice.dev/nowhere: \"true\"}}}";
    let manifest = world.manifest().replace("workers: {replicas: 1, storage: {size: 1Gi}}", nowhere);
    ensure!(manifest.contains("nowhere"), "the manifest has a node selector");
    let all: Vec<_> =
        names.iter().map(|name| manifest.replace(&format!("name: {PIPELINE}"), &format!("name: {name}"))).collect();
    let begun = Instant::now();
    world.apply(&all.join("\n---\n"))?;
    until("every pipeline has its stateful set", 3 * PATIENCE, || {
        let sets = world.kubectl(&["get", "statefulsets", "-o", "name"])?;
        Ok((sets.lines().count() >= count).then_some(()))
    })?;
    steps.done(&format!("{count} pipelines carried out in {:?}", begun.elapsed()));
    std::thread::sleep(Duration::from_secs(20));
    let per = |number: f64| number / count as f64;
    let (writes, reads) = (audit.writes()?, audit.reads()?);
    let now = (memory(process)?, processor_time(process)?);
    steps.done(&format!(
        "per pipeline {:.1} writes, {:.1} reads, {:.3} s of processor time; operator {} MiB before, {} MiB now; {writes:?}",
        per(writes.values().sum::<usize>() as f64),
        per(reads as f64),
        per(now.1 - before.1),
        before.0,
        now.0,
    ));
    edits(world, &names, &mut steps)?;
    quiet(world, process, &mut steps)?;
    ensure!(operator(&world.cluster)? == process, "the operator was restarted");
    let memory = memory(process)?;
    ensure!(memory < 256, "the operator has {memory} MiB, and its limit is 256");
    Ok(())
}

/// Changes a limit of each of a hundred pipelines, one after the other as people do, and measures until its stateful set has it.
fn edits(world: &World, names: &[String], steps: &mut Steps) -> Result<()> {
    let audit = Audit::begin(&world.cluster)?;
    let edited = names.len().min(100);
    for (number, name) in names.iter().take(edited).enumerate() {
        let memory = format!("{}Mi", 300 + number);
        let patch = json!({"spec": {"workers": {"resources": {"limits": {"memory": memory}}}}}).to_string();
        world.kubectl(&["patch", "analyticspipeline", name, "--type=merge", "-p", &patch])?;
        until(&format!("the edit of {name} is carried out"), PATIENCE, || {
            let limit = "jsonpath={.spec.template.spec.containers[0].resources.limits.memory}";
            Ok((world.kubectl(&["get", "statefulset", name, "-o", limit])? == memory).then_some(()))
        })?;
    }
    let mut delays: Vec<f64> = delays(&audit.entries()?, &world.namespace)?.into_values().collect();
    ensure!(delays.len() == edited, "{} of {edited} edits are in the audit log", delays.len());
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share).round() as usize];
    let (median, p99) = (at(0.5), at(0.99));
    steps.done(&format!(
        "{edited} edits: from the API server's answer to the stateful set {median:.2} s median, {p99:.2} s p99"
    ));
    ensure!(p99 < 10.0, "an edit takes {p99:.2} s");
    Ok(())
}

/// Seconds from the user's edit of each pipeline to the operator's next change of its stateful set, as the API server saw both.
fn delays(entries: &[Value], namespace: &str) -> Result<BTreeMap<String, f64>> {
    let (mut edited, mut delays) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries.iter().filter(|entry| entry["objectRef"]["namespace"] == namespace && is_write(entry)) {
        let name = entry["objectRef"]["name"].as_str().unwrap_or_default().to_owned();
        let at: jiff::Timestamp = entry["stageTimestamp"].as_str().context("a time")?.parse()?;
        match resource(entry).as_str() {
            "analyticspipelines" if !is_operators(entry) => drop(edited.insert(name, at)),
            "statefulsets" if is_operators(entry) => {
                if let Some(since) = edited.get(&name) {
                    delays.entry(name).or_insert((at.as_millisecond() - since.as_millisecond()) as f64 / 1_000.0);
                }
            }
            _ => {}
        }
    }
    Ok(delays)
}

/// Counts the writes of all these pipelines once they have nothing more to say.
fn quiet(world: &World, process: u32, steps: &mut Steps) -> Result<()> {
    std::thread::sleep(Duration::from_secs(40));
    let (audit, before) = (Audit::begin(&world.cluster)?, processor_time(process)?);
    std::thread::sleep(rest());
    let (writes, reads) = (audit.writes()?, audit.reads()?);
    let took = processor_time(process)? - before;
    let share = 100.0 * took / rest().as_secs_f64();
    steps.done(&format!(
        "in {:?} at rest {reads} reads, {share:.1} % of a processor, {} MiB, and writes {writes:?}",
        rest(),
        memory(process)?
    ));
    let without_lease: usize = writes.iter().filter(|(name, _)| *name != LEASE).map(|(_, count)| count).sum();
    ensure!(without_lease == 0, "{writes:?}");
    Ok(())
}

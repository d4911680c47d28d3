//! The processes behind pods and nodes. With `up` they are processes of this machine, so they can be killed as hard as a kernel
//! kills.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, SYSTEM};
use crate::steps::until;
use crate::world::{PIPELINE, World};

/// First argument of the operator's own child, which compiles manifests.
const COMPILES: &str = "compile-manifests";
/// Between a kill and the moment when the process is gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// Kills the process of a worker (SIGKILL), and gives its number.
    pub fn kill_worker(&self, worker: u32) -> Result<u32> {
        let pod = self.json(&["get", "pod", &format!("{PIPELINE}-{worker}")])?;
        kill(of_pod(pod["metadata"]["uid"].as_str().context("a uid")?, "sluice-worker")?)
    }

    /// Kills the process of the operator (SIGKILL), and gives its number.
    pub fn kill_operator(&self) -> Result<u32> {
        kill(operator(&self.cluster)?)
    }

    /// Kills the kubelet of the node on which a worker runs (SIGKILL), and gives its number.
    pub fn kill_kubelet_of(&self, worker: u32) -> Result<u32> {
        let pod = self.json(&["get", "pod", &format!("{PIPELINE}-{worker}")])?;
        let node = pod["spec"]["nodeName"].as_str().context("a node")?.to_owned();
        let is_it = |words: &[String]| words[0] == "kubelet" && words.contains(&format!("--hostname-override={node}"));
        kill(find(&format!("the kubelet of {node}"), |_, words| is_it(words))?)
    }
}

/// The operator's process.
pub fn operator(cluster: &Cluster) -> Result<u32> {
    let selector = "app.kubernetes.io/component=operator";
    let uid = "jsonpath={.items[0].metadata.uid}";
    let uid = cluster.kubectl(&["-n", SYSTEM, "get", "pods", "-l", selector, "-o", uid])?;
    of_pod(&uid, "sluice-operator")
}

/// Memory that a process has now, MiB.
pub fn memory(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024)
}

/// Processor time that a process has taken so far, seconds.
pub fn processor_time(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The program's name may hold anything and ends with the last bracket; ticks are hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].into_iter().map(|at| fields[at].parse::<u64>()).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

/// The process of that program in a pod, not the one that compiles manifests for it. On both generations of cgroups the pod's uid is in the name.
fn of_pod(uid: &str, program: &str) -> Result<u32> {
    find(&format!("{program} of pod {uid}"), |id, words| {
        let cgroup = fs::read_to_string(format!("/proc/{id}/cgroup")).unwrap_or_default();
        let (plain, systemd) = (cgroup.contains(uid), cgroup.contains(&uid.replace('-', "_")));
        (plain || systemd) && words[0].ends_with(program) && words.get(1).is_none_or(|word| word != COMPILES)
    })
}

/// The one process of this machine that `is_it` names.
fn find(what: &str, is_it: impl Fn(u32, &[String]) -> bool) -> Result<u32> {
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<String> = line.split('\0').map(str::to_owned).collect();
        if is_it(id, &words) {
            return Ok(id);
        }
    }
    anyhow::bail!("there is no process: {what}")
}

fn kill(id: u32) -> Result<u32> {
    let sent = Command::new("kill").args(["-KILL", &id.to_string()]).status()?;
    ensure!(sent.success(), "process {id} could not be killed");
    let gone = || Ok(fs::metadata(format!("/proc/{id}/exe")).is_err().then_some(()));
    until(&format!("process {id} is gone"), GONE_WITHIN, gone)?;
    Ok(id)
}

//! The same by processes that are replaced one after the other and killed (SIGKILL) in the middle of the change: some of the meaning before,
//! some of the new one, the one that publishes among them.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use plan::Plan;
use schemas::epochs::{Epochs, PreviousMeaning};
use schemas::spec::AnalyticsPipeline;
use stream_core::Offset;
use worker::{Config, bounded};

use super::{Arc, EVENTS, WINDOW, config, ensure_unmixed};
use crate::job::{Job, PATIENCE, until};
use crate::process::Process;

const WORKERS: usize = 3;
/// How often workers are killed while the change is on its way.
const ROUNDS: u32 = 4;
/// Events between two kills.
const PART: u32 = 150;

/// The job with its two meanings.
struct Changing {
    job: Job,
    before: AnalyticsPipeline,
    now: AnalyticsPipeline,
    epochs: Epochs,
}

fn name(number: usize) -> String {
    format!("revenue-5m-{number}")
}

impl Changing {
    fn start_before(&self, number: usize) -> Result<Process> {
        let name = name(number);
        Process::start_in(&name, &self.before, &Epochs::default(), &self.job.path(&name))
    }

    fn start_now(&self, number: usize) -> Result<Process> {
        let name = name(number);
        Process::start_in(&name, &self.now, &self.epochs, &self.job.path(&name))
    }

    /// How many partitions are committed in both meanings, and how many in the new one alone.
    fn committed(&self) -> Result<(usize, usize)> {
        let source = &self.now.spec.source.topic;
        let answer = self.job.kafka.committed("revenue-5m", &source.name, source.partitions as i32)?;
        let (mut both, mut alone) = (0, 0);
        for element in answer.elements() {
            let Ok(committed) = worker::progress::decode(Offset(0), element.metadata()) else { continue };
            both += usize::from(committed.before.is_some());
            alone += usize::from(committed.before.is_none() && committed.revision == Some(2));
        }
        Ok((both, alone))
    }
}

fn tell(workers: &[Process]) -> String {
    workers.iter().map(Process::tell).collect::<Vec<_>>().join("\n")
}

/// The largest event time, once everything is read and committed.
fn latest(job: &Job, plan: &Plan, workers: &[Process]) -> Result<i64> {
    let ends = bounded::ends(plan)?;
    let read = || Ok(job.committed(plan, &plan.name).is_ok_and(|committed| committed == ends).then_some(()));
    until("everything is committed", read).with_context(|| tell(workers))?;
    let latest = || {
        let reports: Vec<_> = workers.iter().filter_map(Process::report).collect();
        let partitions: Vec<_> = reports.iter().flat_map(|report| &report.partitions).collect();
        let times = partitions.iter().filter_map(|partition| partition.latest);
        Ok((partitions.len() == ends.len()).then(|| times.max()).flatten())
    };
    until("every partition is reported", latest)
}

#[test]
#[ignore = "needs servers: make test"]
fn a_change_of_meaning_outlives_the_death_of_every_worker() -> Result<()> {
    let job = Job::start()?;
    let store = job.path("store");
    let before = job.manifest(&store)?;
    let plan = Plan::compile(&before)?;
    job.produce(EVENTS, 0, EVENTS / 2)?;
    let old = (0..WORKERS).map(|number| {
        let name = name(number);
        Process::start_in(&name, &before, &Epochs::default(), &job.path(&name))
    });
    let mut workers = old.collect::<Result<Vec<_>>>()?;
    let boundary = (latest(&job, &plan, &workers)?.div_euclid(WINDOW) + 1) * WINDOW;

    let mut now = before.clone();
    now.spec.revision = 2;
    now.spec.group_by = vec!["region".to_owned()];
    let previous = Some(PreviousMeaning { until: boundary, spec: before.spec.clone() });
    let epochs = Epochs { previous, ..Epochs::default() };
    let changing = Changing { job, before, now, epochs };
    let ended = workers.pop().context("three workers")?.terminate()?;
    ensure!(ended.code() == Some(0), "SIGTERM ended it with {ended}");
    workers.push(changing.start_now(2)?);
    let begun = || Ok(changing.committed()?.0.gt(&0).then_some(()));
    until("the new worker has begun", begun).with_context(|| tell(&workers))?;
    let (killed, in_the_middle) = disturb(&changing, &mut workers)?;
    eprintln!("{killed} processes were killed, {in_the_middle} of them while partitions had two meanings");
    ensure!(in_the_middle > 3, "the change was over too soon: {in_the_middle} of {killed} kills were in it");

    let Changing { job, before, now, epochs } = &changing;
    let first = EVENTS / 2 + ROUNDS * PART;
    job.produce(EVENTS, first, EVENTS)?;
    workers.into_iter().try_for_each(Process::kill)?;
    finish(&Arc::new(Plan::compile(now)?), epochs)?;
    ensure_unmixed(job, &store, [before, now], boundary)
}

/// Kills workers, and starts each anew with the new meaning; how many, and how many of them in the middle of the change.
fn disturb(changing: &Changing, workers: &mut [Process]) -> Result<(u32, u32)> {
    let (mut killed, mut in_the_middle) = (0, 0);
    for round in 0..ROUNDS {
        let first = EVENTS / 2 + round * PART;
        changing.job.produce(EVENTS, first, first + PART)?;
        // The last of the meaning before is the one that publishes: it is killed and comes back as it was, then as the others.
        for number in (0..WORKERS).rev() {
            let comes_back = number == 0 && round == 0;
            let fresh = || if comes_back { changing.start_before(number) } else { changing.start_now(number) };
            in_the_middle += u32::from(changing.committed()?.0 > 0);
            killed += 1;
            workers[number].kill_and(fresh)?;
        }
    }
    Ok((killed, in_the_middle))
}

/// Runs the same members to the end of the log.
fn finish(plan: &Arc<Plan>, epochs: &Epochs) -> Result<()> {
    let ends = bounded::ends(plan)?;
    let configs = (0..WORKERS).map(|number| Config {
        static_member: true,
        ends: Some(ends.clone()),
        ..config(plan, epochs, &name(number))
    });
    let started = Instant::now();
    let reports = bounded::run(configs.collect(), |_| started.elapsed() < PATIENCE)?;
    ensure!(started.elapsed() < PATIENCE, "not finished: {reports:#?}");
    Ok(())
}

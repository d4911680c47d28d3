//! What windows mean changes while events come in: `spec.revision` is raised together with window, delay, group and a rule.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::scope;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::running::{PART, PARTS, disturbed};
use crate::steps::{Steps, until};
use crate::store::closed_windows;
use crate::world::{PATIENCE, World};

const ALL: u32 = PART * PARTS;
/// So many events at once, about as fast as the producer's program starts.
const FEW: u32 = 5;

#[test]
#[ignore = "needs a cluster: make test"]
fn a_change_of_meaning_begins_at_a_boundary_and_no_window_mixes_both() -> Result<()> {
    disturbed("new-meaning", |world, steps| {
        world.patch(&json!({"spec": {"workers": {"replicas": 2}}}))?;
        world.until_workers(2)?;
        steps.done("two workers");
        let sent = AtomicU32::new(PART);
        let boundary = while_sending(world, &sent, || change(world, steps))?;
        let during = sent.load(Ordering::Acquire) - PART;
        ensure!(during > 0, "nothing was sent during the change");
        world.produce(ALL, sent.load(Ordering::Acquire), ALL)?;
        world.wait_condition("Ready", PATIENCE)?;
        steps.done(&format!("{during} events were sent during the change, the rest after it; Ready"));
        let recount = world.python("recount.py", &["--changed", &boundary.to_string()])?;
        world.until_gold(&recount, PATIENCE)?;
        world.ensure_recounted(&recount, &world.volume(0)?)?;
        let (windows, before) = (closed_windows(&recount)?, starts_before(&recount, boundary));
        ensure!(before > 10 && windows > before + 10, "{before} of {windows} windows lie before the boundary");
        steps.done(&format!("{windows} windows equal the recount, {before} of them by the meaning before"));
        Ok(())
    })
}

/// Windows of the recount that start before the boundary.
fn starts_before(recount: &Value, boundary: i64) -> usize {
    let rows = recount["gold"].as_array().into_iter().flatten();
    let starts = rows.filter_map(|row| row["window_start"].as_i64()).filter(|start| *start < boundary);
    starts.collect::<std::collections::BTreeSet<_>>().len()
}

/// Sends a few events again and again as long as `work` takes.
fn while_sending<T>(world: &World, sent: &AtomicU32, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let ended = AtomicBool::new(false);
    scope(|scope| {
        let sending = scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                let first = sent.load(Ordering::Acquire);
                world.produce(ALL, first, first + FEW)?;
                sent.store(first + FEW, Ordering::Release);
            }
            Ok(())
        });
        let done = work();
        ended.store(true, Ordering::Release);
        let sending: Result<()> = sending.join().ok().context("sending panicked")?;
        sending.and(done)
    })
}

/// Edits the manifest, kills a worker of each meaning, and gives the boundary that the operator recorded.
fn change(world: &World, steps: &mut Steps) -> Result<i64> {
    let mut rules = world.pipeline()?["spec"]["quality"]["rules"].clone();
    let region = rules.as_array_mut().context("rules")?.iter_mut().find(|rule| rule["name"] == "region");
    region.context("a rule 'region'")?["oneOf"] = json!(["us", "eu", "apac"]);
    let edit = json!({
        "window": {"size": "10m"},
        "groupBy": ["region"],
        "source": {"watermark": {"delay": "12m"}},
        "quality": {"rules": rules},
    });
    let refused = world.patch(&json!({"spec": edit})).err().context("without a higher revision it was taken")?;
    ensure!(format!("{refused:#}").contains("allowed with a higher 'revision'"), "{refused:#}");
    let mut raised = edit;
    raised["revision"] = json!(2);
    world.patch(&json!({"spec": raised}))?;
    // It may have ended by itself already.
    let killed = world.kill_worker(1).is_ok();
    let boundary = until("the operator has recorded a boundary", PATIENCE, || {
        Ok(world.pipeline()?["status"]["epochs"]["previous"]["until"].as_i64())
    })?;
    steps.done(&format!("refused, edited with a higher revision, boundary {boundary}, worker 1 killed: {killed}"));
    until("a worker of the new meaning runs", PATIENCE, || {
        let of_new = ["get", "pods", "-l", "sluice.dev/pipeline", "-o", "jsonpath={.items[*].metadata.annotations}"];
        Ok(world.kubectl(&of_new)?.contains(r#""sluice.dev/revision":"2""#).then_some(()))
    })?;
    world.until_workers(2)?;
    steps.done("two workers of the new meaning");
    world.kill_worker(0)?;
    until("the container is restarted", PATIENCE, || {
        Ok(world.workers()?.values().any(|(_, restarts)| *restarts > 0).then_some(()))
    })?;
    world.until_workers(2)?;
    steps.done("worker 0 killed while both meanings are open, and back");
    let now = world.pipeline()?["status"]["epochs"]["previous"]["until"].as_i64();
    ensure!(now == Some(boundary), "the boundary was {boundary} and is {now:?}");
    Ok(boundary)
}

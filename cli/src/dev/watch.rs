//! Watching a run: from started workers to the moment when it is over, and why.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use schemas::report::{PartitionReport, RefusalReport, Trouble, WorkerReport};
use worker::Worker;

use super::DevError;
use super::screen::Screen;
use super::snapshot::Meter;

/// How long nothing must have gone on before a bounded run is given up.
const STUCK_FOR: Duration = Duration::from_secs(2);
/// The same while a partition is in no worker's report: it may be about to be taken up.
const STUCK_WITHOUT_SOME_FOR: Duration = Duration::from_secs(15);
/// Time between two looks.
const PACE: Duration = Duration::from_millis(50);

/// Why a run is over.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// A bounded run has read and published everything.
    Finished,
    /// Somebody asked to stop.
    Interrupted,
    /// A worker ended by itself.
    Ended,
    /// A bounded run cannot come to its end: what stands waits for a person. Everything else has been read.
    Stuck(Stuck),
}

/// What keeps a bounded run from its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stuck {
    /// The troubles that wait for a person.
    pub troubles: Vec<Trouble>,
    /// Why records of batches that were not finished went to the dead letters.
    pub refusals: Vec<RefusalReport>,
}

/// What keeps a bounded run that ends at `ends` from its end, if nothing goes on any more.
pub fn stuck(reports: &[WorkerReport], ends: &BTreeMap<i32, i64>) -> Option<Stuck> {
    let troubles = reports.iter().flat_map(|report| &report.troubles).filter(|trouble| trouble.needs_a_person());
    let mut troubles: Vec<Trouble> = troubles.cloned().collect();
    troubles.sort_by(|a, b| (&a.reason, &a.message).cmp(&(&b.reason, &b.message)));
    let suspended = troubles.iter().any(|trouble| trouble.reason == "QualitySuspended");
    let partitions = || reports.iter().flat_map(|report| &report.partitions);
    let is_busy = |partition: &PartitionReport| {
        let end = ends.get(&partition.partition).copied().unwrap_or(0);
        partition.replaying || partition.position < end && partition.stands_before.is_none()
    };
    if troubles.is_empty() || !suspended && partitions().any(is_busy) {
        return None;
    }
    let refusals = partitions()
        .filter(|partition| partition.stands_before.is_some())
        .flat_map(|partition| partition.refusals.clone());
    Some(Stuck { troubles, refusals: refusals.collect() })
}

/// How long a run must have been stuck.
fn patience<'a>(reports: &[WorkerReport], mut ends: impl Iterator<Item = (&'a i32, &'a i64)>) -> Duration {
    let partitions = || reports.iter().flat_map(|report| &report.partitions);
    let is_known = |partition: i32| partitions().any(|known| known.partition == partition);
    if ends.all(|(partition, _)| is_known(*partition)) { STUCK_FOR } else { STUCK_WITHOUT_SOME_FOR }
}

/// Looks at the workers until the run is over, and lets `tick` look at whatever else goes on.
///
/// # Errors
/// The terminal is gone, or the first error of `tick`.
pub fn watch(
    workers: &[Worker],
    ends: Option<&BTreeMap<i32, i64>>,
    screen: &mut Screen,
    interrupted: &AtomicBool,
    mut tick: impl FnMut() -> Result<(), DevError>,
) -> Result<Over, DevError> {
    let mut meter = Meter::new(ends.cloned().unwrap_or_default());
    let started = Instant::now();
    let mut stuck_since: Option<(Instant, Stuck)> = None;
    loop {
        let reports: Vec<_> = workers.iter().map(Worker::report).collect();
        screen.show(&meter.snapshot(&reports, started.elapsed())).map_err(DevError::Terminal)?;
        tick()?;
        if ends.is_some() && workers.iter().all(Worker::is_finished) {
            return Ok(Over::Finished);
        }
        if workers.iter().any(Worker::is_ended) {
            return Ok(Over::Ended);
        }
        // A partition that has just come, or a trouble that goes, would show within this time.
        stuck_since = match (ends.and_then(|ends| stuck(&reports, ends)), stuck_since) {
            (Some(now), Some((since, _))) if since.elapsed() >= patience(&reports, ends.into_iter().flatten()) => {
                return Ok(Over::Stuck(now));
            }
            (Some(now), since) => Some((since.map_or_else(Instant::now, |(since, _)| since), now)),
            (None, _) => None,
        };
        if screen.pause(PACE).map_err(DevError::Terminal)? || interrupted.load(Ordering::Acquire) {
            return Ok(Over::Interrupted);
        }
    }
}

/// A flag that SIGINT and SIGTERM raise from now on.
///
/// # Errors
/// The signals cannot be caught.
pub fn interrupts() -> io::Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let raised = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flag = raised.clone();
    let listen = move || {
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            flag.store(true, Ordering::Release);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
    Ok(raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_run_is_stuck_when_only_what_waits_for_a_person_is_left() {
        let ends = BTreeMap::from([(0, 100), (1, 50)]);
        let partition = |partition: i32, position: i64, standing: bool| PartitionReport {
            partition,
            position,
            stands_before: standing.then_some(position),
            ..PartitionReport::default()
        };
        let report = |reason: &str, partitions: Vec<PartitionReport>| WorkerReport {
            troubles: vec![Trouble { reason: reason.to_owned(), message: "why".to_owned(), since: 0 }],
            partitions,
            ..WorkerReport::default()
        };
        let cases = [
            ("DeadLetterRunaway", [(40, true), (50, false)], true),
            ("DeadLetterRunaway", [(40, true), (49, false)], false),
            ("StoppedByRule", [(40, true), (0, true)], true),
            ("OutputHeld", [(100, false), (50, false)], true),
            ("OutputHeld", [(99, false), (50, false)], false),
            ("QualitySuspended", [(7, false), (8, false)], true),
            ("BrokerUnreachable", [(40, false), (50, false)], false),
        ];
        for (reason, [first, second], expected) in cases {
            let partitions = vec![partition(0, first.0, first.1), partition(1, second.0, second.1)];
            assert_eq!(
                stuck(&[report(reason, partitions)], &ends).is_some(),
                expected,
                "{reason} {first:?} {second:?}"
            );
        }
    }
}

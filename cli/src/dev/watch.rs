//! Watching a run: from started workers to the moment when it is over, and why.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use worker::Worker;

use super::DevError;
use super::screen::Screen;
use super::snapshot::Meter;

/// Time between two looks.
const PACE: Duration = Duration::from_millis(50);

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A bounded run has read and published everything.
    Finished,
    /// Somebody asked to stop.
    Interrupted,
    /// A worker ended by itself.
    Ended,
}

/// Looks at the workers until the run is over, and lets `tick` look at whatever else goes on.
///
/// # Errors
/// The terminal is gone, or the first error of `tick`.
pub fn watch(
    workers: &[Worker],
    ends: Option<BTreeMap<i32, i64>>,
    screen: &mut Screen,
    interrupted: &AtomicBool,
    mut tick: impl FnMut() -> Result<(), DevError>,
) -> Result<Over, DevError> {
    let bounded = ends.is_some();
    let mut meter = Meter::new(ends.unwrap_or_default());
    let started = Instant::now();
    loop {
        let reports: Vec<_> = workers.iter().map(Worker::report).collect();
        screen.show(&meter.snapshot(&reports, started.elapsed())).map_err(DevError::Terminal)?;
        tick()?;
        if bounded && workers.iter().all(Worker::is_finished) {
            return Ok(Over::Finished);
        }
        if workers.iter().any(Worker::is_ended) {
            return Ok(Over::Ended);
        }
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

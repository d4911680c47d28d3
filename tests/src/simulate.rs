//! Plays the simulation for many seeds on all processors, and says what it met: `sim [SEEDS [FIRST [KEEP]]]`.
//!
//! Prints seeds per second, a table of faults and recoveries, and every failing seed with its smallest script, which is also
//! written into the folder KEEP. Fails if a law was broken, or if something was never met.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tests::sim::{EXPECTED, Tally, draw, play, shrink};

/// Failing seeds after which the others are not waited for.
const ENOUGH: usize = 5;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse::<u64>());
    let (Ok(seeds), Ok(first)) = (number(2000), number(0)) else {
        eprintln!("usage: sim [SEEDS [FIRST [KEEP]]]");
        return ExitCode::FAILURE;
    };
    let keep = arguments.next().map(PathBuf::from);
    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut met = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = failed.lock().unwrap_or_else(PoisonError::into_inner).len() >= ENOUGH;
                    if seed >= first + seeds || enough {
                        break;
                    }
                    let outcome = play(&draw(seed), None);
                    met.merge(&outcome.tally);
                    if !outcome.broken.is_empty() {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((seed, outcome.broken));
                    }
                }
                tally.lock().unwrap_or_else(PoisonError::into_inner).merge(&met);
            });
        }
    });
    let played = next.into_inner().min(first + seeds) - first;
    let seconds = begun.elapsed().as_secs_f64();
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (what, count) in tally.iter() {
        println!("{count:>12}  {what}");
    }
    let never: Vec<_> = EXPECTED.iter().filter(|what| tally.of(what) == 0).collect();
    for what in &never {
        println!("{:>12}  {what}", "never");
    }
    println!(
        "{played} seeds in {seconds:.1} s, {:.0} seeds per second; {:.0} s of processor time, {:.1} ms per seed; {} failed",
        played as f64 / seconds,
        processor_seconds(),
        processor_seconds() * 1000.0 / played.max(1) as f64,
        failed.len()
    );
    for (seed, broken) in &failed {
        println!("\nseed {seed}: {}", broken[0]);
        let small = shrink(&draw(*seed), None);
        let kept = format!("# {}\n{small}", play(&small, None).broken.first().map_or("", String::as_str));
        println!("{kept}");
        if let Some(folder) = &keep {
            let path = folder.join(format!("seed-{seed}.script"));
            match std::fs::write(&path, kept) {
                Ok(()) => println!("kept as '{}'", path.display()),
                Err(error) => eprintln!("cannot keep '{}': {error}", path.display()),
            }
        }
    }
    if failed.is_empty() && never.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seconds of processor time that this process has used in its own code, of all its threads; on a busy machine it says more than a clock.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_the_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // In hundredths of a second, the eleventh behind the name.
    behind_the_name.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / 100.0
}

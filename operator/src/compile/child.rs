//! The other process: it takes manifests from its standard input and answers on its standard output, until the input ends or nothing
//! has come for a while.

use std::fs;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use schemas::spec::AnalyticsPipeline;

use super::{Limits, frame};

/// The operator is this process when this is its first argument; memory in MiB and processor seconds follow.
pub const ARGUMENT: &str = "compile-manifests";

/// It ends after so long without work, so that at rest there is no such process.
const IDLE: Duration = Duration::from_secs(10);

/// Answers until there is nothing to do. `arguments` are those after [`ARGUMENT`].
///
/// # Errors
/// The limits cannot be set, or the other side is gone.
pub fn serve(arguments: &[String]) -> io::Result<()> {
    let numbers: Vec<u32> = arguments.iter().filter_map(|number| number.parse().ok()).collect();
    let [memory_mib, processor_s] = numbers[..] else {
        return Err(io::Error::other("expected memory in MiB and processor time in seconds"));
    };
    let limits = Limits { memory_mib, processor_s };
    bound(limits)?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(text) = read(&mut input) {
            if send.send(text).is_err() {
                break;
            }
        }
    });
    loop {
        let text = match receive.recv_timeout(IDLE) {
            Ok(text) => text,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        };
        allow_processor(limits)?;
        let answer = answer(&text);
        let mut output = io::stdout().lock();
        output.write_all(&frame::head(&answer).ok_or_else(|| io::Error::other("the answer is too long"))?)?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn read(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    input.read_exact(&mut head)?;
    let length = frame::length(head).ok_or_else(|| io::Error::other("the manifest is too long"))?;
    let mut text = vec![0; length];
    input.read_exact(&mut text)?;
    Ok(text)
}

fn answer(text: &[u8]) -> Vec<u8> {
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        let manifest: AnalyticsPipeline = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        super::compile(&manifest)
    }));
    let verdict = compiled.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let words: String = words.unwrap_or("without words").escape_debug().take(300).collect();
        Err(format!("the compiler gave up on this manifest, which is a fault of its own: {words}"))
    });
    serde_json::to_vec(&verdict).expect("an outline's maps have text keys")
}

/// Less memory, no core file, and the first to go when the machine or the container has none left.
fn bound(limits: Limits) -> io::Result<()> {
    let at_most = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Data, at_most(u64::from(limits.memory_mib) << 20))?;
    // Not everywhere is that allowed; it only helps.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

/// So many seconds more than were used so far.
fn allow_processor(limits: Limits) -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec.max(0).unsigned_abs();
    let most = used + u64::from(limits.processor_s) + 1;
    setrlimit(Resource::Cpu, Rlimit { current: Some(most), ..getrlimit(Resource::Cpu) })?;
    Ok(())
}

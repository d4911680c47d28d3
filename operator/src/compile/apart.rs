//! The operator's side of the other process.
//!
//! Kept true: a manifest is refused for what its compilation took only if a process that had compiled nothing else ended of it.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use plan::Outline;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::child::ARGUMENT;
use super::{CompileError, Limits, frame};

/// Wall time after which a process is given up; processor time ends it long before, unless the machine is overloaded.
const PATIENCE: Duration = Duration::from_mins(1);
/// A process ends after so many manifests: what compiling leaves behind must not count against the next.
const MOST_MANIFESTS: u32 = 100;

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// Compiles in another process, one manifest at a time.
#[derive(Debug)]
pub struct Apart {
    program: PathBuf,
    limits: Limits,
    idle: Mutex<Option<Idle>>,
}

/// A process that waits for the next manifest.
#[derive(Debug)]
struct Idle {
    child: Child,
    compiled: u32,
}

/// The process ended instead of answering.
enum NoAnswer {
    Ended(ExitStatus),
    Other(String),
}

impl Apart {
    /// Nothing is started yet.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits, idle: Mutex::default() }
    }

    /// What came of the manifest whose JSON is `text`.
    ///
    /// # Errors
    /// As [`super::Compiler::compile`].
    pub async fn compile(&self, text: &[u8]) -> Result<Result<Outline, String>, CompileError> {
        let Some(head) = frame::head(text) else { return Ok(Err(format!("the manifest has {} bytes", text.len()))) };
        // Held until the answer is there: only one process at a time takes memory.
        let mut idle = self.idle.lock().await;
        if let Some(mut reused) = idle.take()
            && let Ok(verdict) = ask(&mut reused.child, head, text).await
        {
            reused.compiled += 1;
            *idle = Some(reused).filter(|reused| reused.compiled < MOST_MANIFESTS);
            return Ok(verdict);
        }
        // None was there; or it had just ended; or this manifest ended it, and does so again.
        let mut child = self.start()?;
        match ask(&mut child, head, text).await {
            Ok(verdict) => {
                *idle = Some(Idle { child, compiled: 1 });
                Ok(verdict)
            }
            Err(no_answer) => self.judge(no_answer),
        }
    }

    fn start(&self) -> Result<Child, CompileError> {
        let limits = [self.limits.memory_mib.to_string(), self.limits.processor_s.to_string()];
        let mut command = Command::new(&self.program);
        command.arg(ARGUMENT).args(limits).env_clear().kill_on_drop(true);
        // Memory that the allocator only sets aside must not count against the limit.
        command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let told = |error| CompileError { message: format!("'{}' cannot be started: {error}", self.program.display()) };
        command.spawn().map_err(told)
    }

    /// Whether the manifest is at fault.
    fn judge(&self, no_answer: NoAnswer) -> Result<Result<Outline, String>, CompileError> {
        let Limits { memory_mib, processor_s } = self.limits;
        let end = match no_answer {
            NoAnswer::Other(message) => return Err(CompileError { message }),
            NoAnswer::Ended(status) => status,
        };
        match end.signal() {
            // The kernel, because the container has no memory left; or a person.
            Some(SIGKILL) => Err(CompileError { message: "the process that compiles it was killed".to_owned() }),
            Some(SIGXCPU) => {
                Ok(Err(format!("compiling this manifest takes more than {processor_s} s of processor time")))
            }
            Some(signal) => Ok(Err(format!(
                "compiling this manifest takes more than {memory_mib} MiB of memory or more stack than there is (signal \
                 {signal}); the schema or an expression unfolds to something very large"
            ))),
            None => Err(CompileError { message: format!("the process that compiles it ended with {end}") }),
        }
    }
}

async fn ask(child: &mut Child, head: [u8; 4], text: &[u8]) -> Result<Result<Outline, String>, NoAnswer> {
    let (Some(input), Some(output)) = (child.stdin.as_mut(), child.stdout.as_mut()) else {
        return Err(NoAnswer::Other("the process that compiles has no pipes".to_owned()));
    };
    let talk = async {
        input.write_all(&head).await?;
        input.write_all(text).await?;
        input.flush().await?;
        let mut head = [0; 4];
        output.read_exact(&mut head).await?;
        let length = frame::length(head).ok_or_else(|| std::io::Error::other("its answer is too long"))?;
        let mut answer = vec![0; length];
        output.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let cut_off = match tokio::time::timeout(PATIENCE, talk).await {
        Ok(Ok(answer)) => {
            return serde_json::from_slice(&answer).map_err(|error| NoAnswer::Other(error.to_string()));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => return Err(NoAnswer::Other(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    // Its output has ended, so it has, or is about to.
    match tokio::time::timeout(PATIENCE, child.wait()).await {
        Ok(Ok(status)) => Err(NoAnswer::Ended(status)),
        _ => Err(NoAnswer::Other(cut_off)),
    }
}

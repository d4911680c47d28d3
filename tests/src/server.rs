//! A server process that a test owns: started, watched until it is ready, killed as hard as a lost machine, started again.
//!
//! Keeps true: the process ends with the value; a server that does not come up fails the test with the end of its log.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Enough for a Java server on a machine whose processors are busy.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(100);
const TAIL_LINES: usize = 40;

/// A running, or killed, server.
pub struct Server {
    name: &'static str,
    log: PathBuf,
    process: Child,
}

impl Server {
    /// Starts `command` with its output in `folder`, and returns when `is_ready` says so.
    ///
    /// # Errors
    /// It ends before it is ready, or is not ready in time: with the end of its log.
    pub fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn().with_context(|| format!("start {name}"))?;
        let mut server = Self { name, log, process };
        let deadline = Instant::now() + READY_WITHIN;
        while !is_ready() {
            if let Some(status) = server.process.try_wait()? {
                bail!("{name} ended with {status} before it was ready\n{}", server.log_tail());
            }
            if Instant::now() > deadline {
                bail!("{name} is not ready after {READY_WITHIN:?}\n{}", server.log_tail());
            }
            std::thread::sleep(LOOK);
        }
        Ok(server)
    }

    /// Ends the process at once, without a chance to tidy up (SIGKILL).
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().with_context(|| format!("kill {}", self.name))?;
        self.process.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It has not within `patience`; with the end of its log.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} has not ended after {patience:?}\n{}", self.name, self.log_tail());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The process, for its memory and processor time.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The end of what it logged, headed by the file's name.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("the end of {}:\n  {}", self.log.display(), tail.join("\n  "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        drop(self.kill());
    }
}

/// Where ports are looked for: below those from which the kernel takes the near end of a connection. A client that waits
/// for a server on a port of that range can be given the very port, connect to itself, and keep the server from it.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Ports on loopback that were free just now, each given out once in this process.
///
/// # Errors
/// There are none.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    free_ports_at(Ipv4Addr::LOCALHOST)
}

/// The same, on an address of this machine.
///
/// # Errors
/// There are none, or the address is no address of this machine.
pub fn free_ports_at<const N: usize>(host: Ipv4Addr) -> Result<[u16; N]> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    // Processes that run side by side begin at different places.
    let first = std::process::id().wrapping_mul(97) % span;
    let mut ports = [0; N];
    for port in &mut ports {
        let mut tries = 0..span;
        *port = loop {
            ensure!(tries.next().is_some(), "no port of {PORTS:?} is free on {host}");
            let number = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % span;
            let candidate = PORTS.start + u16::try_from(number)?;
            if TcpListener::bind((host, candidate)).is_ok() {
                break candidate;
            }
        };
    }
    Ok(ports)
}

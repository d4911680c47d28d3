//! Where the servers and tools lie that the tests start. The scripts of `tests/setup` know, and fetch what is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The path that `tests/setup/<part>.sh` names, fetched if it was not there.
///
/// # Errors
/// It cannot be fetched; the script has said why on stderr, which is repeated.
pub fn installed(part: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("setup/{part}.sh"));
    let output = Command::new(&script).output().with_context(|| format!("run '{}'", script.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "'{}' failed: {said}", script.display());
    let path = String::from_utf8(output.stdout)?;
    let path = path.lines().last().with_context(|| format!("'{}' named no path", script.display()))?;
    Ok(PathBuf::from(path))
}

/// Runs `work` where there is no asynchronous runtime, so that blocking clients can be used in any test.
///
/// # Errors
/// Those of `work`.
///
/// # Panics
/// If `work` panics.
pub fn blocking<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join().expect("blocking work panicked"))
}

//! Python programs that judge Sluice from outside, with packages of others only.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::installed;

/// Runs `tests/python/<script>` and gives what it printed.
///
/// # Errors
/// Its packages cannot be fetched, or it fails; with what it printed.
pub fn run<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let python = installed("python")?;
    let output = Command::new(python).args(["-W", "ignore"]).arg(&path).args(arguments).output();
    let output = output.with_context(|| format!("run '{}'", path.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "'{script}' ended with {}: {printed}{said}", output.status);
    Ok(printed)
}

//! The images of operator and worker, out of the binaries of the same build as this test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::cluster::{output, root};

/// The tag that the chart takes by itself.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Image files for `load`. They go away with the value.
pub struct Images {
    /// Their tag, another one for every build, so that a node never has an old image under it.
    pub tag: String,
    /// A second tag of the same images: what an upgrade brings.
    pub next_tag: String,
    /// The files.
    pub files: Vec<PathBuf>,
    _folder: TempDir,
}

impl Images {
    /// Makes them.
    pub fn make() -> Result<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir()?;
        let tag = format!("build-{:x}", built(&binaries)?);
        let next_tag = format!("{tag}-next");
        let mut command = Command::new(root().join("tests/cluster/images"));
        output({
            command.arg(folder.path()).arg(&binaries).args([tag.as_str(), &next_tag, RELEASE]);
            command
        })?;
        let files = ["operator.tar", "worker.tar"].map(|name| folder.path().join(name)).to_vec();
        Ok(Self { tag, next_tag, files, _folder: folder })
    }
}

/// The folder with the binaries: `SLUICE_BIN`, else those that were built with this test.
pub fn binaries() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("SLUICE_BIN") {
        return Ok(std::fs::canonicalize(folder)?);
    }
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test lies in target/<profile>/deps")?;
    for binary in ["sluice-operator", "sluice-worker", "sluice"] {
        let binary = folder.join(binary);
        ensure!(binary.is_file(), "'{}' is not built: run `cargo test --workspace --test '*'`", binary.display());
    }
    Ok(folder.to_path_buf())
}

/// A number that changes whenever one of the binaries was built anew.
fn built(folder: &Path) -> Result<u128> {
    let times = ["sluice-operator", "sluice-worker"].map(|name| -> Result<u128> {
        let modified = std::fs::metadata(folder.join(name))?.modified()?;
        Ok(modified.duration_since(UNIX_EPOCH)?.as_millis())
    });
    times.into_iter().sum()
}

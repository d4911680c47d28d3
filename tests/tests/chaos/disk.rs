//! A file system in memory that can be full. Needs the right to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What it holds when it is not full.
const ROOM: &str = "2g";

/// The file system.
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts it.
    pub fn mount(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)?;
        let disk = Self { path: path.to_owned() };
        disk.with(&format!("size={ROOM}"))?;
        Ok(disk)
    }

    /// Leaves no room beside what it holds.
    pub fn fill(&self) -> Result<()> {
        let output = Command::new("df").args(["--output=used", "-k"]).arg(&self.path).output().context("run df")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let used: u64 = text.lines().last().context("df prints")?.trim().parse().context(text.clone())?;
        self.with(&format!("remount,size={}k", used.max(4)))
    }

    /// Gives room again.
    pub fn empty(&self) -> Result<()> {
        self.with(&format!("remount,size={ROOM}"))
    }

    fn with(&self, options: &str) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.path);
        let output = mount.output().context("run mount")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "chaos needs the right to mount a file system ({options}): {said}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.path).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "'{}' stays mounted", self.path.display());
    }
}

//! The volumes of the workers, as they survive processes, and everything that can be wrong with them.
//!
//! A volume is attached to the newest process of its worker; to an older one that lives on it is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use worker::checkpoint::Volume;

use super::process::{Gone, Outside};
use super::world::Pid;

/// Copies of a volume that are remembered.
const COPIES: usize = 8;

type Files = BTreeMap<String, Vec<u8>>;

/// A volume.
#[derive(Debug, Default)]
pub struct Disk {
    /// The process that has it.
    pub attached: Option<Pid>,
    files: Files,
    /// What it was after each file that was replaced, oldest first.
    copies: Vec<Files>,
}

impl Disk {
    /// It is empty again.
    pub fn lose(&mut self) {
        self.files.clear();
    }

    /// It is what it was, the `back`th last time.
    pub fn roll_back(&mut self, back: usize) {
        if !self.copies.is_empty() {
            let index = self.copies.len() - 1 - back % self.copies.len();
            self.files = self.copies[index].clone();
        }
    }

    /// A file loses its second half.
    pub fn tear(&mut self, which: usize) {
        if let Some(bytes) = self.file(which) {
            bytes.truncate(bytes.len() / 2);
        }
    }

    /// A byte of a file is another.
    pub fn spoil(&mut self, which: usize, at: usize) {
        if let Some(bytes) = self.file(which).filter(|bytes| !bytes.is_empty()) {
            let at = at.wrapping_mul(97) % bytes.len();
            bytes[at] ^= 0x10;
        }
    }

    fn file(&mut self, which: usize) -> Option<&mut Vec<u8>> {
        let count = self.files.len().max(1);
        self.files.values_mut().nth(which % count)
    }

    fn remember(&mut self) {
        if self.copies.len() == COPIES {
            self.copies.remove(0);
        }
        self.copies.push(self.files.clone());
    }
}

impl Outside {
    fn on_disk<T>(&self, action: impl FnOnce(&mut Disk) -> T) -> io::Result<T> {
        let gone = |Gone| io::Error::from(io::ErrorKind::NotConnected);
        let sim = self.sim();
        sim.before(self.pid, "volume").map_err(gone)?;
        let mut world = sim.world();
        let slot = world.lives[self.pid].slot;
        let disk = &mut world.disks[slot];
        if disk.attached != Some(self.pid) {
            world.tally.count("recovery: a volume was another process's");
            return Err(gone(Gone));
        }
        let done = action(disk);
        drop(world);
        sim.after(self.pid).map_err(gone)?;
        Ok(done)
    }
}

impl Volume for Outside {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.on_disk(|disk| disk.files.get(path).cloned())
    }

    fn append(&self, path: &str, length: u64, bytes: &[u8]) -> io::Result<()> {
        self.on_disk(|disk| {
            let file = disk.files.entry(path.to_owned()).or_default();
            file.resize(length as usize, 0);
            file.extend_from_slice(bytes);
        })
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.on_disk(|disk| {
            disk.files.insert(path.to_owned(), bytes.to_vec());
            disk.remember();
        })
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.on_disk(|disk| {
            let inside = disk.files.keys().filter_map(|path| path.strip_prefix(&prefix));
            let names: BTreeSet<&str> = inside.filter_map(|rest| rest.split('/').next()).collect();
            names.into_iter().map(ToOwned::to_owned).collect()
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let inside = format!("{path}/");
        self.on_disk(|disk| disk.files.retain(|file, _| file != path && !file.starts_with(&inside)))
    }
}

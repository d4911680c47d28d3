//! Checkpoints: a volume of any content is a lane that goes on, or no checkpoint.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use stream_core::{Lane, Offset, Progress};
use worker::checkpoint::manifest::{FORMAT, Identity, Manifest};
use worker::checkpoint::{Keeper, Volume};
use xxhash_rust::xxh3::xxh3_128;

use crate::sale::{framed, sale};
use crate::world::REVENUE;
use crate::{joined, pieces};

/// Records before the checkpoint of the seed.
pub(crate) const RECORDS: i64 = 40;

/// A volume in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Volume for Memory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files().get(path).cloned())
    }

    fn append(&self, path: &str, length: u64, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.files();
        let file = files.entry(path.to_owned()).or_default();
        file.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        file.extend(bytes);
        Ok(())
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.files().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let files = self.files();
        let names = files.keys().filter_map(|path| path.strip_prefix(&prefix)?.split('/').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.dedup();
        Ok(names)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let folder = format!("{path}/");
        self.files().retain(|name, _| name != path && !name.starts_with(&folder));
        Ok(())
    }
}

fn identity() -> Identity {
    let (engine, topic, program) = ("fuzz".to_owned(), "a".repeat(32), REVENUE.program.fingerprint());
    Identity { format: FORMAT, engine, topic, partition: 0, revision: 1, program }
}

fn folder() -> String {
    format!("{}/0", "a".repeat(32))
}

/// A lane that has read the records of the seed.
fn fed() -> Lane {
    let mut lane = Lane::resume(REVENUE.program.clone(), &Progress::start(Offset(0))).expect("an empty lane");
    let records: Vec<_> = (0..RECORDS).map(|number| framed(1, &sale(number, "eu", 1_999), number)).collect();
    REVENUE.feed(&mut lane, &records);
    lane
}

/// A checkpoint as the probe takes it: the manifest without its checksum, then names and contents of the other files.
pub(crate) fn seed() -> Vec<u8> {
    let (volume, mut lane) = (Arc::new(Memory::default()), fed());
    let saved = Keeper::open(volume.clone(), identity()).save(&mut lane).expect("memory takes it");
    assert!(saved.is_some(), "a lane that does not replay is saved");
    let files = volume.files();
    let (manifests, others): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| path.contains("manifest-"));
    let [(_, manifest)] = manifests[..] else { panic!("one checkpoint has one manifest") };
    let mut all = vec![manifest[..manifest.len() - 34].to_vec()];
    for (path, bytes) in others {
        let name = path.strip_prefix(&format!("{}/", folder())).expect("it lies in the partition's folder");
        all.extend([name.as_bytes().to_vec(), bytes.clone()]);
    }
    joined(&all)
}

/// The first piece is a manifest without its checksum; then follow names and contents of files. Once checksums are left as they
/// are, and once they are made right, since nothing else would ever get past them.
pub fn probe(data: &[u8]) {
    crate::allow_caught_panics();
    let all = pieces(data);
    let Some((manifest, others)) = all.split_first() else { return };
    let files: BTreeMap<&[u8], &[u8]> = others.as_chunks::<2>().0.iter().map(|[name, bytes]| (*name, *bytes)).collect();
    go_on(&sealed(manifest), &files);
    if let Ok(mut parsed) = Manifest::decode(&sealed(manifest)) {
        for window in &mut parsed.windows {
            for segment in [&mut window.ids, &mut window.rows] {
                let bytes = files.get(segment.file.as_bytes()).copied().unwrap_or_default();
                let valid = bytes.len().min(usize::try_from(segment.bytes).unwrap_or(usize::MAX));
                segment.checksum = format!("{:032x}", xxh3_128(&bytes[..valid]));
            }
        }
        go_on(&parsed.encode().expect("it was read"), &files);
    }
}

fn sealed(manifest: &[u8]) -> Vec<u8> {
    [manifest, format!("\n{:032x}\n", xxh3_128(manifest)).as_bytes()].concat()
}

/// Loads it where the seed's commit is, and goes on from there when it is taken.
fn go_on(manifest: &[u8], files: &BTreeMap<&[u8], &[u8]>) {
    let volume = Arc::new(Memory::default());
    for (name, bytes) in files {
        volume.files().insert(format!("{}/{}", folder(), String::from_utf8_lossy(name)), bytes.to_vec());
    }
    volume.files().insert(format!("{}/manifest-7", folder()), manifest.to_vec());
    let mut keeper = Keeper::open(volume, identity());
    let Some(mut lane) = keeper.load(&REVENUE.program, &fed().progress()) else { return };
    let more: Vec<_> = (RECORDS..RECORDS + 5).map(|number| framed(1, &sale(number, "us", 5), number)).collect();
    REVENUE.feed(&mut lane, &more);
    let _ = keeper.save(&mut lane);
}

//! Every input that is kept: what the fuzzer found once stays found.
//!
//! `SLUICE_WRITE_CORPUS=1` writes the seeds that are missing.

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{PROBES, seeds};

fn corpus(probe: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(probe)
}

#[test]
fn the_probes_keep_their_word_over_all_that_is_kept() {
    for (name, probe) in PROBES {
        let mut files: Vec<_> = fs::read_dir(corpus(name))
            .expect("every probe has a corpus")
            .map(|entry| entry.expect("the folder is readable").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "the corpus of '{name}' is empty");
        for file in files {
            println!("{}", file.display());
            probe(&fs::read(&file).expect("a kept input is readable"));
        }
    }
}

#[test]
fn the_seeds_are_kept_and_good() {
    for (probe, name, bytes) in seeds::all() {
        let path = corpus(probe).join(format!("seed-{name}"));
        if !path.exists() && std::env::var_os("SLUICE_WRITE_CORPUS").is_some() {
            fs::create_dir_all(corpus(probe)).expect("the corpus can be written");
            fs::write(&path, &bytes).expect("the corpus can be written");
        }
        let kept = fs::read(&path).unwrap_or_else(|error| panic!("'{}': {error}", path.display()));
        assert!(!kept.is_empty());
    }
}

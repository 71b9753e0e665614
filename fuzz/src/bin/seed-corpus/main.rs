//! Writes the seeds of every fuzz target from the recordings in `vectors/`. The same recordings give the same files;
//! files that a fuzzer found (`found-…`) stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a tool for developers

mod core;
mod logs;
mod traffic;
mod tunables;
mod wire_seeds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Seeds by target and name.
#[derive(Default)]
pub(crate) struct Corpus {
    files: BTreeMap<(&'static str, String), Vec<u8>>,
    known: BTreeSet<(&'static str, Vec<u8>)>,
}

impl Corpus {
    /// Adds a seed, unless the target has the same bytes already. Others of its name are numbered.
    pub(crate) fn add(&mut self, target: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let (name, bytes) = (name.into(), bytes.into());
        if self.known.insert((target, bytes.clone())) {
            let mut key = (target, name.clone());
            let mut number = 2;
            while self.files.contains_key(&key) {
                key.1 = format!("{name}.{number}");
                number += 1;
            }
            self.files.insert(key, bytes);
        }
    }

    /// The same behind bytes that choose.
    pub(crate) fn add_behind(
        &mut self,
        target: &'static str,
        name: impl Into<String>,
        choice: &[u8],
        bytes: &[u8],
    ) {
        self.add(target, name, [choice, bytes].concat());
    }
}

fn main() {
    let mut corpus = Corpus::default();
    let heard = traffic::all();
    wire_seeds::fill(&mut corpus, &heard);
    logs::fill(&mut corpus);
    core::fill(&mut corpus, &heard);
    tunables::fill(&mut corpus);

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in fuzz_targets::TARGETS {
        let dir = root.join(target);
        std::fs::create_dir_all(&dir).unwrap();
        for old in std::fs::read_dir(&dir).unwrap() {
            let old = old.unwrap().path();
            if !old.file_name().unwrap().to_string_lossy().starts_with("found-") {
                std::fs::remove_file(old).unwrap();
            }
        }
        assert!(corpus.files.keys().any(|(t, _)| t == target), "no seed for {target}");
    }
    for ((target, name), bytes) in &corpus.files {
        assert!(fuzz_targets::target(target).is_some(), "{target} is no target");
        std::fs::write(root.join(target).join(name), bytes).unwrap();
    }
    let bytes: usize = corpus.files.values().map(Vec::len).sum();
    println!("{} seeds, {} kB", corpus.files.len(), bytes / 1000);
}

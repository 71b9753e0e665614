//! The corpus of every target, whole and changed, through its function; and the lists of targets against each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod mutate;

use fuzz_targets::{TARGETS, Target, target};
use mutate::{Dice, changed};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Changed copies of all seeds of a target. Those that run a whole core are slower by far.
const COPIES: usize = 3000;
const COPIES_OF_CORES: usize = 400;
const CORES: [&str; 7] =
    ["engine_frames", "engine_ops", "proxy_stream", "proxy_events", "llog_file", "core_view", "param_list"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut list: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    list.sort();
    list
}

fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = root().join("corpus").join(name);
    let named =
        |p: PathBuf| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap());
    let list: Vec<_> = files(&dir).into_iter().map(named).collect();
    assert!(!list.is_empty(), "{}: no seeds; run cargo run -p fuzz-targets --bin seed-corpus", dir.display());
    list
}

/// Calls the target; when it panics, keeps the bytes where libFuzzer keeps its findings, and says so.
fn call(name: &str, target: Target, what: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        let dir = root().join("artifacts").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("replay");
        std::fs::write(&file, bytes).unwrap();
        panic!("{name}: {what} broke it; the bytes are in {}", file.display());
    }
}

/// Every seed as it is and changed, for the targets that `belongs` chooses.
fn replay(belongs: impl Fn(&str) -> bool) {
    let chosen: Vec<_> = TARGETS.iter().filter(|(name, _)| belongs(name)).collect();
    assert!(!chosen.is_empty());
    for (name, target) in chosen {
        let seeds = seeds(name);
        for (file, bytes) in &seeds {
            call(name, *target, file, bytes);
        }
        call(name, *target, "nothing at all", &[]);
        let copies = if CORES.contains(name) { COPIES_OF_CORES } else { COPIES };
        let mut dice = Dice(name.len() as u64);
        for n in 0..copies {
            let (file, seed) = &seeds[n % seeds.len()];
            let (_, other) = &seeds[dice.below(seeds.len())];
            call(name, *target, &format!("changed copy {n} of {file}"), &changed(seed, other, &mut dice));
        }
    }
}

// One test per group of targets, so that they share the processors.
#[test]
fn codecs() {
    replay(|name| !CORES.contains(&name));
}
#[test]
fn logs_and_views() {
    replay(|name| ["llog_file", "core_view"].contains(&name));
}
#[test]
fn parameters() {
    replay(|name| name == "param_list");
}
#[test]
fn engine() {
    replay(|name| name.starts_with("engine_"));
}
#[test]
fn proxy() {
    replay(|name| name.starts_with("proxy_"));
}

#[test]
fn every_target_has_its_folder_and_its_program() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "a target is listed twice");
    let names = |dir: &str, cut: &str| -> BTreeSet<String> {
        let all = files(&root().join(dir));
        all.iter().map(|p| p.file_name().unwrap().to_string_lossy().replace(cut, "")).collect()
    };
    assert_eq!(names("corpus", ""), targets, "folders in fuzz/corpus");
    assert_eq!(names("libfuzzer/fuzz_targets", ".rs"), targets, "programs in fuzz/libfuzzer/fuzz_targets");
    let manifest = std::fs::read_to_string(root().join("libfuzzer/Cargo.toml")).unwrap();
    for name in &targets {
        let bin = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&bin), "fuzz/libfuzzer/Cargo.toml lacks {bin}");
        let program =
            std::fs::read_to_string(root().join(format!("libfuzzer/fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz_targets::{name}(data)")), "{name}.rs calls another target");
        assert!(target(name).is_some());
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
}

/// The seeds stay small enough to clone, and most come from recordings.
#[test]
fn corpus_is_small_and_golden() {
    let all: Vec<_> = TARGETS.iter().flat_map(|(name, _)| seeds(name)).collect();
    let bytes: usize = all.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= 3_000_000, "{bytes} bytes");
    let golden =
        all.iter().filter(|(name, _)| !name.starts_with("derived-") && !name.starts_with("found-")).count();
    assert!(golden > all.len() / 2, "{golden} of {}", all.len());
}

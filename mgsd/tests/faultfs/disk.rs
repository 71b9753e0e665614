//! The failing disk (`tests/faultfs/faultfs.c`) from the test's side: what to fail, what was counted, and the power cut.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command as Tool;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::process::Command;

/// What fails; the numbers of `faultfs.c`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None = 0,
    WriteEio = 1,
    WriteEnospc = 2,
    ShortWrite = 3,
    SyncEio = 4,
    ReadOnly = 5,
    LyingSync = 6,
    Full = 7,
    Kill = 8,
}

const WORDS: u64 = 8;

/// Built once; without gcc there is no test.
static SHIM: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("faultfs.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/faultfs/faultfs.c");
    let built = Tool::new("gcc")
        .args(["-Wall", "-Wextra", "-Wno-unused-result", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .output()
        .expect("gcc is needed: scripts/setup installs it");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    (dir, library)
});

/// One disk with the data directory of one daemon.
pub(crate) struct Disk {
    _keep: tempfile::TempDir,
    control: File,
    root: PathBuf,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().to_owned();
        for name in ["data", "undo"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let control =
            OpenOptions::new().read(true).write(true).create_new(true).open(root.join("control")).unwrap();
        control.set_len(WORDS * 8).unwrap();
        Self { _keep: keep, control, root }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Puts the disk under a program.
    pub(crate) fn under(&self, program: &mut Command) {
        program
            .env("LD_PRELOAD", &SHIM.1)
            .env("FAULTFS_DIR", self.data())
            .env("FAULTFS_CTL", self.root.join("control"))
            .env("FAULTFS_UNDO", self.root.join("undo"));
    }

    fn word(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at * 8).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn set(&self, at: u64, value: u64) {
        self.control.write_all_at(&value.to_le_bytes(), at * 8).unwrap();
    }

    /// From now on every `every`-th operation that the fault concerns fails; 1: all of them.
    pub(crate) fn fail(&self, fault: Fault, every: u64) {
        self.set(1, 0);
        self.set(0, fault as u64);
        self.set(3, 0);
        self.set(1, every);
    }

    /// The same fault at another distance.
    pub(crate) fn fail_again(&self, every: u64) {
        self.set(3, 0);
        self.set(1, every);
    }

    /// All is well again.
    pub(crate) fn heal(&self) {
        self.set(1, 0);
        self.set(0, Fault::None as u64);
    }

    /// Faults made so far.
    pub(crate) fn made(&self) -> u64 {
        self.word(4)
    }

    /// Syncs seen so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.word(6)
    }

    /// How long a sync takes.
    pub(crate) fn slow(&self, sync: Duration) {
        self.set(7, u64::try_from(sync.as_micros()).unwrap());
    }

    /// Takes away what was not synced, but for the writes that `reached` the disk all the same. The daemon is dead.
    pub(crate) fn power_cut(&self, mut reached: impl FnMut() -> bool) -> usize {
        let mut lost = 0;
        for entry in std::fs::read_dir(self.root.join("undo")).unwrap() {
            let undo = entry.unwrap().path();
            let file = self.data().join(undo.file_stem().unwrap());
            if file.exists() {
                lost += undo_file(&std::fs::read(&undo).unwrap(), &file, &mut reached);
            }
            std::fs::remove_file(undo).unwrap();
        }
        // memory
        drop(std::fs::remove_file(self.data().join("mgs.db-shm")));
        lost
    }
}

struct Write {
    at: u64,
    /// Size of the file before.
    size: u64,
    /// 0: a change of the size alone.
    bytes: usize,
    old: Vec<u8>,
}

fn undo_file(mut journal: &[u8], path: &Path, reached: &mut impl FnMut() -> bool) -> usize {
    let mut writes = Vec::new();
    while !journal.is_empty() {
        let head: Vec<u64> =
            journal[..32].chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
        let old = usize::try_from(head[3]).unwrap();
        let bytes = usize::try_from(head[2]).unwrap();
        writes.push(Write { at: head[0], size: head[1], bytes, old: journal[32..32 + old].to_vec() });
        journal = &journal[32 + old..];
    }
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    // back to what was synced, and then again what reached the disk
    let mut again = Vec::new();
    for write in writes.iter().rev() {
        let mut now = vec![0; write.bytes];
        if reached() && write.bytes > 0 && file.read_exact_at(&mut now, write.at).is_ok() {
            again.push((write.at, now));
        }
        file.write_all_at(&write.old, write.at).unwrap();
        file.set_len(write.size).unwrap();
    }
    let lost = writes.len() - again.len();
    for (at, bytes) in again.into_iter().rev() {
        file.write_all_at(&bytes, at).unwrap();
    }
    lost
}

//! The binary against a fake daemon on a real Unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use mgsd::http::{LogFile, Mgs, Order, UnixApi, router};
use tokio::runtime::Runtime;

mod exits;
#[path = "../../../mgsd/src/http/fake.rs"]
mod fake;
mod generated;
mod golden;
mod nodemap;
mod param;
mod several;
mod transcripts;

use fake::{Fake, Gate};

/// A fake daemon in this process, with a thread of its own.
struct Daemon {
    runtime: Runtime,
    dir: tempfile::TempDir,
}

impl Daemon {
    fn start(fake: Fake) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let api = runtime.block_on(UnixApi::bind(&dir.path().join("api.sock"))).unwrap();
        runtime.spawn(api.serve(router(Arc::new(fake)), std::future::pending()));
        Daemon { runtime, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    /// mgsctl, told where this daemon is.
    fn mgsctl(&self, args: &[&str]) -> Command {
        let mut command = mgsctl(args);
        command.env("MGSD_API", format!("unix:{}", self.path().display()));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.mgsctl(args).output().unwrap()
    }

    /// What a command that succeeds prints.
    fn stdout(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn mgsctl(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mgsctl"));
    command.args(args).env_remove("MGSD_API").env_remove("MGSD_MGS").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

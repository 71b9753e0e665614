//! The real mgsd as a process of a test.
#![allow(dead_code, reason = "no test uses all of it")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A free port below those that the system gives to connections: nobody takes it while the daemon is down.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (0..1000).map(|_| start + NEXT.fetch_add(1, Ordering::Relaxed)).find(free).unwrap()
}

/// mgsd with this data directory, killed when it is dropped.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mgsd"));
    command.kill_on_drop(true).env("RUST_LOG", "error").arg("--data").arg(data);
    command
}

/// Starts it and waits until it serves; with the first line that it prints.
pub(crate) async fn serve(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().expect("mgsd ended at its start");
    assert!(first.contains("serves MGS"), "{first}");
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|l| l.is_some()) {} });
    (child, first)
}

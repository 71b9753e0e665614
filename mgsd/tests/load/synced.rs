//! mgsd as a process of its own; `strace` counts what it syncs.

use crate::daemon::{free_port, serve};
use crate::senders::{MGS, Senders};
use crate::{ALL, register_mdts};
use lustre_peer::node::TargetKind;
use std::net::SocketAddr;
use tokio::process::Command;

/// At most one fsync for 16 acknowledged registrations, checkpoints of the write-ahead log included.
pub(crate) async fn few_syncs(mdts: u32, osts: u32) {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("syncs");
    let port = free_port();
    let mut command = Command::new("strace");
    command
        // -D: the child is mgsd itself, strace stands aside.
        .args(["-D", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_mgsd"))
        .arg("--data")
        .arg(dir.path().join("data"))
        .args(["--nid", MGS, "--port", &port.to_string()])
        .env("RUST_LOG", "error")
        .kill_on_drop(true);
    let (mut child, _) = serve(&mut command).await;
    let count = || std::fs::read_to_string(&trace).unwrap().lines().filter(|l| l.contains("sync(")).count();
    assert!(count() > 0, "strace sees no sync at the start of mgsd");

    let senders = Senders::start(SocketAddr::from(([127, 0, 0, 1], port))).await;
    register_mdts(&senders, mdts).await;
    let before = count();
    let acks = senders.register(ALL, TargetKind::Ost, 0, osts).await.len();
    let syncs = count() - before;
    #[allow(clippy::as_conversions, clippy::cast_precision_loss)]
    let each = acks as f64 / syncs as f64;
    println!("{acks} registrations acknowledged, {syncs} syncs: one for {each:.1}");
    assert!(syncs * 16 <= acks);
    child.kill().await.unwrap();
}

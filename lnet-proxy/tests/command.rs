//! The program: usage, failure, signal.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Output, Stdio};

fn proxy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lnet-proxy"));
    command.args(arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).env("RUST_LOG", "error");
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = proxy(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn usage_errors_are_2() {
    for arguments in [
        &[][..],
        &["--nid", "127.0.0.1@tcp"],
        &["--nid", "not-a-nid@nonet", "--relay", "unix:/x"],
        &["--nid", "127.0.0.1@tcp", "--relay", "/x"],
    ] {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
}

#[test]
fn a_failure_is_1_and_one_line() {
    let (code, text) = run(&["--nid", "192.0.2.1@tcp", "--port", "0", "--relay", "unix:/nowhere/relay.sock"]);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("lnet-proxy: 192.0.2.1:0: not an address of this host"), "{text}");
}

/// It waits for its daemon, says Hello to it, and ends with 0.
#[test]
fn a_signal_ends_it_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let daemon = UnixListener::bind(&path).unwrap();
    let relay = format!("unix:{}", path.display());
    let mut child: Child =
        proxy(&["--nid", "127.0.0.1@tcp", "--port", "0", "--relay", &relay]).spawn().unwrap();
    let (mut link, _) = daemon.accept().unwrap();
    let mut length = [0; 4];
    link.read_exact(&mut length).unwrap();
    let mut frame = vec![0; u32::from_le_bytes(length).try_into().unwrap()];
    link.read_exact(&mut frame).unwrap();
    let whole = [length.as_slice(), &frame].concat();
    let frame = wire::relay::Frame::parse(&whole).unwrap().unwrap().0;
    assert!(matches!(frame, wire::relay::Frame::Hello { .. }), "{frame:?}");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

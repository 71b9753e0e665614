//! Exit codes: 0 done, 1 refused or failed with one line on stderr, 2 usage, 3 unreachable or outcome unknown.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use super::*;

/// Exit code and the one line on stderr.
fn failed(output: &Output) -> (i32, String) {
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{output:?}");
    assert!(line.starts_with("mgsctl: ") && output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), line)
}

#[test]
fn refused_is_1() {
    let daemon = Daemon::start(Fake::default());
    for args in
        [["fs", "show", "x"], ["target", "show", "x"], ["log", "print", "x"], ["log", "print", "damaged"]]
    {
        assert_eq!(failed(&daemon.run(&args)).0, 1, "{args:?}");
    }
}

#[test]
fn usage_is_2() {
    for args in [
        &[][..],
        &["nosuch"],
        &["fs"],
        &["fs", "show"],
        &["status", "--output", "xml"],
        &["log", "print", "x", "--start", "-1"],
        &["status", "--api", "/run/mgsd/api.sock"],
    ] {
        let out = mgsctl(args).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{args:?}");
    }
    let out = mgsctl(&["status"]).env("MGSD_API", "http://localhost").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn help_and_version_are_0() {
    for args in [&["--help"][..], &["--version"], &["log", "print", "--help"], &["help", "fs"]] {
        let out = mgsctl(args).output().unwrap();
        assert!(out.status.success() && !out.stdout.is_empty() && out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn unreachable_is_3() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let api = format!("unix:{}", path.display());
    let (code, line) = failed(&mgsctl(&["status", "--api", &api]).output().unwrap());
    assert_eq!(code, 3);
    assert!(line.contains("no such socket") && line.contains("MGSD_API"), "{line}");

    drop(UnixListener::bind(&path).unwrap());
    let (code, line) = failed(&mgsctl(&["--api", &api, "status"]).output().unwrap());
    assert_eq!(code, 3);
    assert!(line.contains("nobody listens"), "{line}");
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let daemon = Daemon::start(Fake::default());
    let out = daemon.mgsctl(&["status", "--api", "unix:/nosuch/api.sock"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn a_daemon_that_dies_in_the_middle_is_3() {
    let gate = Arc::new(Gate::default());
    let daemon = Daemon::start(Fake { gate: Some(Arc::clone(&gate)) });
    let child = daemon.mgsctl(&["status"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    daemon.runtime.block_on(gate.entered.notified());
    let Daemon { runtime, dir } = daemon;
    runtime.shutdown_background();
    let (code, line) = failed(&child.wait_with_output().unwrap());
    assert_eq!(code, 3);
    assert!(line.contains("the outcome is unknown"), "{line}");
    drop((dir, gate));
}

/// Answers one connection with these bytes.
fn answered_with(bytes: &'static [u8]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(bytes).unwrap();
    });
    let out = mgsctl(&["status", "--api", &format!("unix:{}", path.display())]).output().unwrap();
    server.join().unwrap();
    failed(&out)
}

#[test]
fn half_an_answer_is_3_and_a_foreign_one_is_1() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let (code, line) = answered_with(half);
    assert!(code == 3 && line.contains("the outcome is unknown"), "{line}");
    assert_eq!(answered_with(b"").0, 3);
    assert_eq!(answered_with(b"220 mail.example.org ESMTP\r\n").0, 3);

    for foreign in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"[..],
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://example.org/\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (code, line) = answered_with(foreign);
        assert!(code == 1 && line.contains("is it an mgsd of this version?"), "{line}");
    }
}

#[test]
fn a_daemon_without_an_answer_in_time_is_3() {
    let problem = b"HTTP/1.1 504 Gateway Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n\
        {\"type\":\"urn:mgsd:timeout\",\"title\":\"t\",\"status\":504,\"object\":\"GET /v1/status\",\"detail\":\"late\"}";
    assert_eq!(answered_with(problem), (3, "mgsctl: GET /v1/status: late\n".to_owned()));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let daemon = Daemon::start(Fake::default());
    let gone = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        daemon.mgsctl(args).stdout(writer).output().unwrap()
    };
    for args in [&["log", "print", "testfs-client"][..], &["log", "export", "testfs-client"], &["fs", "list"]]
    {
        let out = gone(args);
        assert!(out.status.success() && out.stderr.is_empty(), "{args:?}: {out:?}");
    }
}

#[test]
fn a_full_disk_is_1() {
    let daemon = Daemon::start(Fake::default());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let out = daemon.mgsctl(&["fs", "list"]).stdout(full).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(&out.stderr), "mgsctl: stdout: No space left on device (os error 28)\n");
}

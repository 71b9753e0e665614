//! The captures of the repository become complete streams.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use capture::{CaptureError, Connection, load, vectors_dir};
use std::path::PathBuf;

fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for session in ["A", "B", "C", "E"] {
        for entry in std::fs::read_dir(vectors_dir().join("captures").join(session)).unwrap() {
            found.push(entry.unwrap().path());
        }
    }
    found.sort();
    found
}

fn capture(name: &str) -> Vec<Connection> {
    load(&vectors_dir().join("captures").join(name)).unwrap()
}

#[test]
fn every_capture_loads_without_holes() {
    let files = all();
    assert_eq!(files.len(), 13, "7 + 1 captures of session A, sessions B, C, E, and two live captures of E");
    for file in files {
        let connections = load(&file).unwrap();
        assert!(!connections.is_empty(), "{}", file.display());
        let name = file.file_name().unwrap().to_str().unwrap();
        let whole = ["A01", "A02", "A03", "A04", "A05"].iter().any(|n| name.starts_with(n))
            || name.contains("session");
        for c in connections {
            assert!(c.from_start || !whole, "{name} {}", c.client);
            assert_eq!(c.server.port(), 988);
            for s in [&c.to_server, &c.to_client] {
                assert!(s.pieces().zip(s.pieces().skip(1)).all(|(a, b)| a.1 == b.0 && a.2 <= b.2));
            }
        }
    }
}

/// Sizes: last acknowledgement of the receiver minus initial sequence number, taken from the file by other means.
#[test]
fn client_mount_has_the_bytes_that_its_receivers_acknowledged() {
    let mgs: Vec<_> = capture("A/A05-client-mount.pcap.gz")
        .into_iter()
        .filter(|c| c.server.ip().to_string() == "10.77.0.2")
        .collect();
    let ports: Vec<_> = mgs.iter().map(|c| c.client.port()).collect();
    assert_eq!(ports, [1023, 1022, 1021]);
    let sizes: Vec<_> = mgs.iter().map(|c| (c.to_server.bytes.len(), c.to_client.bytes.len())).collect();
    assert_eq!(sizes, [(6824, 4700), (72, 34216), (72, 56)]);
    assert_eq!(mgs[0].to_server.bytes[..4], [0x00, 0x71, 0xce, 0xac], "acceptor request");
    assert_eq!(mgs[0].to_client.bytes[..4], *b"cirE", "HELLO");
    assert!(mgs[0].start < mgs[0].to_server.time_of(0));
    assert!(mgs[0].to_server.time_of(0) < mgs[0].to_client.time_of(0));
}

#[test]
fn a_missing_or_foreign_file_is_an_error() {
    assert!(matches!(load(&vectors_dir().join("no such file")), Err(CaptureError::Io { .. })));
    let text = vectors_dir().join("README.md");
    let e = load(&text).unwrap_err();
    assert!(e.to_string().ends_with("byte 0: not a classic pcap file"), "{e}");
}

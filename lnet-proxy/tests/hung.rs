//! A daemon that stops in the middle of everything, its socket full and its backlog open.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod node;

use lnet_proxy::link::RelayListener;
use lnet_proxy::{Link, spawn};
use node::{Node, config, greet, put};
use std::time::Duration;
use tokio::net::UnixListener;
use wire::relay::Frame;
use wire::socklnd::ConnType;

/// It reads nothing, so that the link is full both in our queues and in the system's. It is given up all the same, and so
/// are the calls that its backlog takes; the listener closes; a daemon that lives gets what waited, and opens it again.
#[tokio::test]
async fn it_is_given_up_and_dialled_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let mut config = config();
    config.core.timing.daemon_ping = Duration::from_millis(20);
    config.core.timing.daemon_silence = Some(Duration::from_millis(300));
    config.core.timing.no_daemon = Duration::from_millis(300);
    let hung = UnixListener::bind(&path).unwrap();
    let handle = spawn(config, Link::Unix(path.clone())).unwrap();
    let (stream, _) = hung.accept().await.unwrap();
    let mut daemon = lnet_proxy::link::over_stream(stream);
    greet(&mut daemon).await;
    let mut node = Node::connect(handle.addresses[0], ConnType::Control).await;
    for n in 0..30 {
        node.send(put(26, n), &vec![1; 100_000]).await;
    }
    // `daemon` is not read, and `hung` not accepted from: a stopped process.
    let lost = handle.wait_for(|s| s.counters.daemons_silent >= 3 && !s.listening).await.unwrap();
    assert_eq!((lost.connections, lost.counters.links_lost), (1, lost.counters.daemons_silent));
    drop((daemon, hung));

    std::fs::remove_file(&path).unwrap();
    let listener = RelayListener::bind(&path).await.unwrap();
    let (mut daemon, _) = listener.accept().await.unwrap();
    greet(&mut daemon).await;
    handle.wait_for(|s| s.listening).await.unwrap();
    assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { .. })));
    node.send(put(26, 99), b"request").await;
    loop {
        match daemon.rx.recv().await.unwrap() {
            Frame::Ping { token } => daemon.tx.send(Frame::Pong { token }).await.unwrap(),
            Frame::Deliver { match_bits, .. } => break assert_eq!(match_bits, 99),
            other => panic!("{other:?}"),
        }
    }
}

//! When the driver listens: while a daemon is ready, and where the addresses are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod node;

use lnet_proxy::link::RelayListener;
use lnet_proxy::{Config, Link, spawn};
use node::{Node, config, greet, nid, put};
use std::time::Duration;
use tokio::net::TcpStream;
use wire::relay::Frame;
use wire::socklnd::ConnType;

#[tokio::test]
async fn no_daemon_no_listener_and_the_connections_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.sock");
    let mut config = config();
    config.core.timing.no_daemon = Duration::from_millis(200);
    let listener = RelayListener::bind(&path).await.unwrap();
    let handle = spawn(config, Link::Unix(path.clone())).unwrap();
    let at = handle.addresses[0];
    let (mut daemon, _) = listener.accept().await.unwrap();
    greet(&mut daemon).await;
    let mut control = Node::connect(at, ConnType::Control).await;
    for round in 1..=3 {
        drop(daemon);
        handle.wait_for(|s| !s.listening && s.counters.listeners_closed == round).await.unwrap();
        // The task that holds the socket learns it a moment later.
        while TcpStream::connect(at).await.is_ok() {}
        (daemon, _) = listener.accept().await.unwrap();
        greet(&mut daemon).await;
        handle.wait_for(|s| s.listening).await.unwrap();
        while TcpStream::connect(at).await.is_err() {}
        assert!(matches!(daemon.rx.recv().await, Some(Frame::PeerUp { .. })));
        control.send(put(26, round), b"over the old connection").await;
        let Some(Frame::Deliver { match_bits, .. }) = daemon.rx.recv().await else { panic!() };
        assert_eq!(match_bits, round);
    }
    assert_eq!(handle.snapshot().counters.opened, 1);
}

/// 192.0.2.0/24 is nobody's (RFC 5737): its address is waited for while the other one is served.
#[tokio::test]
async fn an_address_that_is_not_here_is_waited_for() {
    let mut config = Config::new(vec![nid("127.0.0.1@tcp"), nid("192.0.2.1@tcp1")]).with_port(0);
    config.wait_address = true;
    let (near, mut daemon) = lnet_proxy::link::pair();
    let handle = spawn(config, Link::Memory(near)).unwrap();
    let Some(Frame::Hello { nids, .. }) = daemon.rx.recv().await else { panic!() };
    assert_eq!(nids.len(), 2);
    Node::connect(handle.addresses[0], ConnType::Control).await;
    assert_eq!(handle.addresses[1].ip(), nid("192.0.2.1@tcp1").ip().unwrap());
    handle.shutdown().await;
}
